"""What Python's calls take and refuse before any trial runs, and a search whose trials all fail."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import search
from search import pipeline
from search.optimize.process import DriverAnswer
from search.session import run as session_run
from search.spec import load_changed
from search.tracking.read.history import load_history
from tests.support.launches import Place, hills
from tests.support.plans import a_plan

ROOT = Path(__file__).resolve().parents[3]
DIGITS = ROOT / "search" / "specs" / "digits.yaml"
FREE = {key: value for key, value in hills().items() if key != "task"} | {"task": {"name": "free"}}


def train(configuration: dict[str, Any], *, epochs: int, seed: int) -> Iterator[dict[str, float]]:
    for _ in range(epochs):
        yield {"left": configuration["x"], "right": -configuration["x"]}


def failing(configuration: dict[str, Any], *, epochs: int, seed: int) -> Iterator[dict[str, float]]:
    raise RuntimeError("no data today")
    yield {}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_spec_is_a_file_a_dict_or_a_checked_one() -> None:
    from_file = load_changed(str(DIGITS), {})
    assert load_changed(from_file.to_record(), {}) == from_file
    assert load_changed(from_file, {}) == from_file
    with pytest.raises(TypeError, match=r"a file, a dict or search\.Spec, not list"):
        load_changed([], {})  # type: ignore[arg-type]


def test_a_keyword_changes_the_keys_that_its_mapping_names_and_keeps_the_others() -> None:
    before = load_changed(DIGITS, {})
    after = load_changed(DIGITS, {"budget": {"epochs": 18}, "seed": np.int64(7)})
    assert (after.budget.epochs, after.budget.trials) == (18, before.budget.trials)
    assert after.seed == 7
    after = load_changed(DIGITS, {"space": {"sgd.learning_rate": {"low": 0.05}}})
    assert after.space["sgd.learning_rate"].low == 0.05
    assert after.space["sgd.learning_rate"].high == before.space["sgd.learning_rate"].high
    assert after.space.keys() == before.space.keys()
    assert load_changed(DIGITS, {"budget.trials": 3}).budget.trials == 3


def test_the_callers_dict_is_not_changed() -> None:
    given = hills()
    before = repr(given)
    load_changed(given, {"budget": {"trials": 2}})
    assert repr(given) == before


def test_all_mistakes_of_a_call_are_in_one_exception() -> None:
    with pytest.raises(search.SpecError) as raised:
        search.run(hills(), budget={"trails": 4}, sead=3)
    said = str(raised.value)
    assert "trails" in said and "trials" in said
    assert "a keyword  sead: unknown key `sead`. Did you mean `seed`?" in said


def test_a_function_replaces_what_the_spec_trains() -> None:
    spec = load_changed(hills(), {}, "train=python:__main__:f")
    assert spec.task.train == "python:__main__:f"
    own = load_changed(DIGITS, {}).to_record() | {"space": {"model.width": hills()["space"]["x"]}}
    del own["task"]["name"]
    network = load_changed(own, {}, "network=python:__main__:f").task
    assert (network.model, network.network) == (None, "python:__main__:f")
    assert network.name == "digits-f"


def test_two_functions_are_refused() -> None:
    with pytest.raises(ValueError, match="both train and network are given; fix: pass one"):
        search.run(FREE, train, train)


def test_a_search_that_is_not_there_is_a_lookup_error(place: Place) -> None:
    with pytest.raises(LookupError, match="no search is called 'digits-1'"):
        search.show("digits-1", place.uri)
    with pytest.raises(LookupError, match="no search is called 'digits-1'"):
        search.resume("digits-1", tracking_uri=place.uri)


def test_a_stored_name_of_a_script_is_not_run_without_the_function(place: Place) -> None:
    with pytest.raises(ValueError, match=r"defined in a script or a notebook.*pass train"):
        search.preview(FREE, "__main__:train", tracking_uri=place.uri)


def test_a_preview_says_what_review_says_and_stores_nothing(place: Place) -> None:
    found = search.preview(FREE, train, tracking_uri=place.uri)
    assert any("this search starts cold" in line for line in found.lines)
    assert len(found.first) == len(found.origins) == pipeline.PREVIEWED
    assert all(set(each) == {"x"} for each in found.first)
    assert repr(found).startswith(
        f"preview of {found.task}\nreview    0 trials of 0 earlier searches"
    )
    assert not load_history(place.uri).searches


def test_a_search_that_has_failed_is_an_exception_with_what_its_driver_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = DriverAnswer("done", "3 workers of Ray died before any had begun a trial", "failed")
    monkeypatch.setattr(session_run, "watch", lambda *_, **__: (answer, 0))
    monkeypatch.setattr(session_run, "report", lambda *_: (tmp_path, "nothing was learned"))
    with pytest.raises(search.SearchFailed, match=r"hills-1: 3 workers of Ray .*; continue with"):
        session_run._follow(a_plan(tmp_path), [], tmp_path, None, None)


@pytest.mark.slow
def test_a_search_without_a_complete_trial_is_an_exception_that_names_it(place: Place) -> None:
    with pytest.raises(search.SearchFailed, match="no trial is complete") as raised:
        search.run(
            FREE, failing, trials=2, tracking_uri=place.uri, results=place.folder / "results"
        )
    shown = search.show(raised.value.search, place.uri, place.folder / "results")
    assert list(shown.trials["state"]) == ["failed", "failed"]
    assert shown.state == "complete", "nothing of it is left to run"
    with pytest.raises(LookupError, match=r"no trial of .* is complete"):
        _ = shown.best

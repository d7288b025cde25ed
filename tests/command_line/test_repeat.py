"""`twentieth repeat` and `run --first`, as searches on a store."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from search.cli.repeat import repeating_plan
from search.optimize.plan import trial_seed
from search.spec.own_code import Allowed
from search.tracking.store import open_client
from search.tracking.summary import find_summary, note_of
from tests.support.commands import Said
from tests.support.launches import Place, finished, hills
from tests.support.stored_search import FUNCTION, Stored

NOISY = "tests.support.functions:noisy_hills"


@pytest.mark.parametrize(
    ("trial", "said"),
    [
        ("{search}", "is a search; fix: add the number of a trial"),
        ("{search}#x", "is no trial; fix: write SEARCH#TRIAL"),
        ("nothing#1", "no search is called 'nothing'"),
        ("{search}#99", "has no trial 99; it has: 0, 1, 2, 3"),
    ],
)
def test_a_trial_that_there_is_not_is_refused(
    cli: Callable[..., Said], store: Stored, trial: str, said: str
) -> None:
    asked = trial.format(search=store.search)
    answer = cli("repeat", asked, "--tracking-uri", store.uri, "--allow-code", FUNCTION)
    assert answer.code == 2 and said in " ".join(answer.err.split())


def test_own_code_runs_only_if_it_is_allowed(cli: Callable[..., Said], store: Stored) -> None:
    answer = cli("repeat", f"{store.search}#0", "--tracking-uri", store.uri)
    assert answer.code == 2 and "add --allow-code" in " ".join(answer.err.split())


def test_a_repetition_is_a_search_of_the_same_task_with_other_seeds(
    store: Stored, tmp_path: Path
) -> None:
    copy = store.copied(tmp_path)
    said: list[str] = []
    plan = repeating_plan(
        store.search, 1, copy.uri, seeds=3, storage_root=tmp_path, address=None,
        allowed=Allowed(FUNCTION), say=said.append,
    )  # fmt: skip
    assert plan.task == store.plan.task and plan.search != store.search
    assert plan.spec.first_configurations() == [{"x": 0.25}] * 3
    assert plan.spec.scheduler.name == "none" and not plan.spec.history.enabled
    seeds = [trial_seed(plan.spec.seed, number) for number in range(3)]
    assert len({*seeds, trial_seed(store.plan.spec.seed, 1)}) == 4
    summary = find_summary(open_client(copy.uri), plan.search)
    assert note_of(summary.tags) == f"Repeats {store.search}#1 with 3 seeds."
    assert f"apply     Repeats {store.search}#1 with 3 seeds." in said


@pytest.mark.long
def test_first_configurations_and_repetitions_are_trained_and_feed_the_noise(
    cli: Callable[..., Said], tmp_path: Path
) -> None:
    place = Place(tmp_path)
    spec = hills("noisy_hills", budget={"trials": 4, "epochs": 2})
    (tmp_path / "first.yaml").write_text("- {x: 0.25}\n- {x: 1.0}\n")
    finished(place.run(spec, "--first", str(tmp_path / "first.yaml")))
    search = place.search("hills-")
    trials = {trial.number: trial for trial in place.trials(search)}
    assert [trials[number].configuration["x"] for number in (0, 1)] == [0.25, 1.0]
    steps = [trials[number].origin["step"] for number in sorted(trials)]
    assert steps[:2] == ["first", "first"] and "first" not in steps[2:] and len(steps) == 4
    finished(place.start("resume", search, "--trials", "1", "--allow-code", NOISY))
    again = sorted(place.trials(search), key=lambda trial: trial.number)
    assert [trial.origin["step"] for trial in again].count("first") == 2 and len(again) == 5

    said = finished(place.start("repeat", f"{search}#0", "--seeds", "4", "--allow-code", NOISY))
    assert "trials 000, 001, 002, 003 have one configuration, with 4 seeds:" in said
    assert f"before, as {search}#0: left" in said
    path = tmp_path / "hills.yaml"
    path.write_text(yaml.safe_dump(spec))
    answer = cli("review", path, "--json", "--tracking-uri", place.uri)
    found = json.loads(answer.out)
    noise = {each["objective"]: each for each in found["experience"]["noises"]}
    assert noise["left"]["repeats"] == noise["right"]["repeats"] == 4  # with trial 0 itself
    assert 0.01 < noise["left"]["deviation"] < 0.2  # 4 degrees of freedom: 0.05 by 0.2 to 4

"""A real second search of a task: it trains the best known trial first, and ends early."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from search.cli.tables import print_search
from search.history.revalidation import read_revalidation
from search.tracking import tag_names
from search.tracking.store import open_client
from search.tracking.summary import find_summary
from tests.support.launches import Place, finished, small_digits

pytestmark = [pytest.mark.slow, pytest.mark.long]

FIRST, MOST = 12, 30
# One objective, and a range in which a random draw is nearly as good as the best: what is left to
# gain is less than noise, as for a task that is searched for the twentieth time.
SPACE = {"width": {"type": "int", "low": 8, "high": 24, "step": 8},
         "dropout": {"type": "float", "low": 0.0, "high": 0.2}}  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("repeated"))


@pytest.fixture(scope="module")
def second(place: Place) -> tuple[str, str]:
    """Returns the id of the second search, and what it printed."""
    spec = small_digits(
        space=SPACE, objectives=[{"metric": "accuracy.clean", "direction": "maximize"}]
    )
    finished(place.run(spec | {"budget": {"trials": FIRST, "epochs": 3}}))
    said = finished(place.run(spec | {"budget": {"trials": MOST, "epochs": 3}, "seed": 1}))
    return place.search(), said


def test_it_trains_the_best_known_trial_first_and_says_what_is_expected(
    place: Place, second: tuple[str, str]
) -> None:
    search, said = second
    trials = {trial.number: trial for trial in place.trials(search)}
    first = read_revalidation(trials[0].origin)
    assert first is not None and not first.departed(trials[0].by_metric)
    assert f"trains {first.trial} again first: accuracy.clean" in " ".join(said.split())
    assert f"the best known trial, {first.trial}, was trained again" in " ".join(said.split())


def test_it_ends_early_and_says_why_wherever_it_is_shown(
    place: Place, second: tuple[str, str]
) -> None:
    search, said = second
    summary = find_summary(open_client(place.uri), search)
    count = len(place.trials(search))
    assert 4 <= count < MOST
    assert summary.state == "complete" and summary.trials_budget == count
    why = summary.tags[tag_names.REASON]
    assert why.startswith(f"ended after {count} of at most {MOST} trials: the ")
    assert why in " ".join(said.split())
    assert f"The search {why}." in (place.folder / search / "report.md").read_text()
    shown = Console(file=io.StringIO(), width=80)
    print_search(shown, search, place.uri)
    assert why in " ".join(shown.file.getvalue().split())  # type: ignore[attr-defined]


def test_it_goes_on_if_it_is_asked_to(place: Place, second: tuple[str, str]) -> None:
    search, _ = second
    count = len(place.trials(search))
    finished(place.start("resume", search))
    assert len(place.trials(search)) == count
    finished(place.start("resume", search, "--trials", "2"))
    assert len(place.trials(search)) == count + 2
    summary = find_summary(open_client(place.uri), search)
    assert summary.ended_because.endswith("; resumed for 2 more trials")

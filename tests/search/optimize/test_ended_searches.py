"""Searches that end by themselves, called as Tune does it: who has the last word, and resuming."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from search.history import Trial
from search.optimize import searcher as module
from search.optimize.plan import Plan
from search.optimize.searcher import OptunaSearcher
from tests.support.asked_searchers import prior, reported, run_to_the_end, searcher_of
from tests.support.plans import a_plan


def ending(folder: Path, **changes: Any) -> Plan:
    return replace(a_plan(folder, trials=10, **changes), may_end=True)


@pytest.fixture
def ends_after(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of trials after which nothing is left to gain; may be changed."""
    limit = [3]
    seen: list[Trial] = []

    def why_end(trials: list[Trial], left: int, *_: object) -> str:
        seen[:] = trials
        return f"nothing is left to gain in {left}" if len(trials) >= limit[0] else ""

    monkeypatch.setattr(module, "why_end", why_end)
    return limit


def test_a_search_ends_before_its_budget_and_keeps_why(
    tmp_path: Path, ends_after: list[int]
) -> None:
    searcher = searcher_of(ending(tmp_path, resources={"parallelism": 1}))
    assert len(run_to_the_end(searcher)) == 3
    assert searcher.ended_because == (
        "ended after 3 of at most 10 trials: nothing is left to gain in 7"
    )
    assert not searcher.has_more()
    assert searcher.trials_asked == 3


def test_the_budget_is_no_limit_but_a_number_where_the_plan_says_so(
    tmp_path: Path, ends_after: list[int]
) -> None:
    searcher = searcher_of(a_plan(tmp_path, trials=10))
    assert len(run_to_the_end(searcher)) == 10
    assert searcher.ended_because == ""


def test_running_trials_have_the_last_word(tmp_path: Path, ends_after: list[int]) -> None:
    searcher = searcher_of(ending(tmp_path, resources={"parallelism": 3}))
    for name in "abc":
        assert isinstance(searcher.suggest(name), dict)
    ends_after[0] = 1
    searcher.end("a", reported(3, left=0.1, right=0.2))
    assert searcher.suggest("d") is None  # it would end, but two are running
    assert searcher.has_more()
    ends_after[0] = 5  # what the second one found is better than expected
    assert searcher.suggest("d") is None
    searcher.end("b", reported(3, left=0.9, right=0.9))
    assert isinstance(searcher.suggest("d"), dict)
    ends_after[0] = 1
    for name in "cd":
        searcher.end(name, reported(3, left=0.1, right=0.2))
    assert searcher.suggest("e") == "FINISHED"
    assert searcher.trials_asked == 4


def test_a_resumed_search_decides_from_all_its_trials(
    tmp_path: Path, ends_after: list[int]
) -> None:
    own = [prior(number, "complete", number / 4, values=(0.1, 0.2)) for number in range(3)]
    searcher = searcher_of(ending(tmp_path), own)
    assert run_to_the_end(searcher) == []
    assert searcher.ended_because.startswith("ended after 3 of at most 10 trials")


def test_an_interrupted_trial_is_finished_before_a_search_ends(
    tmp_path: Path, ends_after: list[int]
) -> None:
    own = [prior(number, "complete", number / 4, values=(0.1, 0.2)) for number in range(3)]
    own.append(prior(3, "interrupted", 0.9))
    searcher: OptunaSearcher = searcher_of(ending(tmp_path), own)
    assert [each["number"] for each in run_to_the_end(searcher)] == [3]
    assert searcher.trials_asked == 4

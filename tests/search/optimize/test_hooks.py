"""Hooks: what the user's functions are called with, and what becomes of their exceptions."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from search.history import Trial
from search.history.states import State
from search.optimize.hooks import FinishedTrials, call_hook
from search.optimize.plan import Plan
from search.tracking.write.journal import Event
from tests.support.asked_searchers import prior
from tests.support.plans import a_plan


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return a_plan(tmp_path, trials=4)


def event(name: str, seconds: int = 0, **fields: Any) -> Event:
    return Event(name, time=1000 * seconds, generation=1, fields=fields, end=0)


def ended(number: int, state: str, *values: float, seconds: int = 0) -> Event:
    return event(
        "end", seconds, number=number, state=state, epoch=2, configuration={"x": 0.5},
        origin={"step": "first"}, values=list(values), reason="",
    )  # fmt: skip


def finished(follower: FinishedTrials, *events: Event | None) -> list[Trial]:
    return [trial for each in events if (trial := follower.take(each)) is not None]


def test_a_finished_trial_has_its_values_curves_and_times(plan: Plan) -> None:
    (trial,) = finished(
        FinishedTrials(plan),
        None,
        event("driver", message="running"),
        event("start", 10, number=1, configuration={"x": 0.5}, origin={"step": "first"}),
        event("epoch", 11, number=1, epoch=1, metrics={"left": 0.1, "right": 0.2}),
        event("epoch", 12, number=1, epoch=2, metrics={"left": 0.3, "right": 0.4}),
        ended(1, "complete", 0.3, 0.4, seconds=13),
    )
    assert (trial.search, trial.task, trial.number) == ("hills-1", "hills@1", 1)
    assert trial.by_metric == {"left": 0.3, "right": 0.4}
    assert trial.curves == {"left": {1: 0.1, 2: 0.3}, "right": {1: 0.2, 2: 0.4}}
    assert (trial.started, trial.seconds) == (datetime.fromtimestamp(10, UTC), 3.0)
    assert trial.configuration == {"x": 0.5} and trial.origin == {"step": "first"}


@pytest.mark.parametrize("state", ["complete", "stopped", "failed"])
def test_every_end_that_is_for_good_is_told(plan: Plan, state: str) -> None:
    values = (0.1, 0.2) if state == "complete" else ()
    (trial,) = finished(FinishedTrials(plan), ended(0, state, *values))
    assert trial.state == state


# A resumed search runs trials that failed alike again.
@pytest.mark.parametrize("before", ["interrupted", "failed"])
def test_a_trial_that_is_resumed_is_told_once_it_has_finished_with_the_whole_of_its_curves(
    plan: Plan, before: State
) -> None:
    assert finished(FinishedTrials(plan), ended(2, "interrupted")) == []
    own = [prior(2, before, 0.5, curves={"left": {1: 0.1}}, epoch=1)]
    (trial,) = finished(
        FinishedTrials(plan, own),
        event("start", number=2, configuration={}, origin={}),
        event("epoch", number=2, epoch=2, metrics={"left": 0.3}),
        ended(2, "complete", 0.3, 0.4),
    )
    assert trial.curves == {"left": {1: 0.1, 2: 0.3}}


def test_an_exception_in_a_hook_is_said_with_its_place_and_goes_no_further() -> None:
    def faulty(trial: int) -> None:
        raise ValueError("no such channel")

    said: list[str] = []
    call_hook("on_trial_end", faulty, 3, said.append)
    (line,) = said
    assert line.startswith("on_trial_end raised ValueError: no such channel (")
    assert "test_hooks.py:" in line and "in faulty" in line


def test_an_interrupt_in_a_hook_is_one_of_the_search() -> None:
    def interrupted(trial: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        call_hook("on_trial_end", interrupted, 3, print)


def test_without_a_hook_nothing_is_called() -> None:
    call_hook("on_trial_end", None, 3, pytest.fail)

"""The forecast as text, and as it is kept in a store that anybody may have written to."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from search.transfer.cost_forecast import (
    ColdCost,
    CostForecast,
    Estimate,
    Goal,
    read_cost_forecast,
)

GOAL = Goal("digits-1", {"accuracy.robust": 0.9}, 1.0, (0.1,))
FORECAST = CostForecast(
    "GPU", 24, "NVIDIA H200",
    per_trial=Estimate(0.5, 0.25, 1.0, 7), goal=GOAL, to_goal=Estimate(3.1, 2.0, 6.4, 6),
    cold=ColdCost(21.0, 3, 3),
)  # fmt: skip


def test_both_parts_say_what_they_are_based_on() -> None:
    assert FORECAST.lines() == [
        "cost to accuracy.robust 0.9000: 3.1 GPU-hours [2.0, 6.4], from 6 earlier searches; "
        "cold: 21 GPU-hours, from 3 searches",
        "cost of 24 trials: 12 GPU-hours [6.0, 24], from 7 earlier searches, on NVIDIA H200",
    ]


@pytest.mark.parametrize(
    ("to_goal", "said"),
    [
        # The 24 trials are expected to cost 12, and 24 at most.
        (Estimate(12.0, 6.0, None, 6), "12 GPU-hours, at least 6.0, from 6 earlier searches"),
        (Estimate(31.0, 6.0, None, 6),
         "31 GPU-hours, at least 6.0, from 6 earlier searches, so probably not within 24 trials"),
        (Estimate(31.0, 25.0, None, 6, 1),
         "31 GPU-hours, at least 25, from 6 earlier searches, of which 1 never reached theirs, so "
         "not within 24 trials"),
    ],
)  # fmt: skip
def test_a_goal_that_costs_more_than_all_trials_is_not_within_them(
    to_goal: Estimate, said: str
) -> None:
    line = replace(FORECAST, to_goal=to_goal, cold=None).lines()[0]
    assert line == f"cost to accuracy.robust 0.9000: {said}"
    unknown = replace(FORECAST, to_goal=to_goal, per_trial=None, unknown="there is none")
    assert "within" not in unknown.lines()[0]


def test_of_several_objectives_the_goal_is_a_front() -> None:
    goal = replace(GOAL, values={"accuracy.clean": 0.98, "accuracy.robust": 0.61})
    text = replace(FORECAST, goal=goal).lines()[0]
    assert text.startswith(
        "cost to a front like digits-1's (best accuracy.clean 0.9800 and accuracy.robust 0.6100): "
    )


def test_what_is_unknown_is_said_with_its_reason() -> None:
    found = replace(FORECAST, to_goal=None, unknown_to_goal="it is cold", cold=None)
    assert found.lines()[0] == "cost to accuracy.robust 0.9000: unknown, because it is cold"
    found = replace(FORECAST, per_trial=None, unknown="there is none")
    assert found.lines()[1] == "cost of 24 trials: unknown, because there is none"
    nothing = CostForecast("core", 5, unknown="there is none", unknown_to_goal="there is none")
    assert nothing.lines() == ["cost: unknown, because there is none"]


def test_searches_that_never_reached_their_goal_are_counted() -> None:
    found = replace(
        FORECAST, to_goal=Estimate(3.1, 2.0, None, 6, 1), cold=ColdCost(None, 3, 1),
    ).lines()[0]  # fmt: skip
    assert "3.1 GPU-hours, at least 2.0, from 6 earlier searches, of which 1 never" in found
    assert found.endswith("cold: 1 of 3 cold searches reached it")


@pytest.mark.parametrize(
    ("basis", "words"),
    [("trials", "from 7 earlier trials of this task"), ("tasks", "from 7 similar tasks")],
)
def test_the_basis_is_named(basis: Any, words: str) -> None:
    assert words in replace(FORECAST, basis=basis).lines()[1]


@pytest.mark.parametrize(
    ("hours", "text"),
    [(1 / 3600, "1.0 core-seconds"), (0.5, "30 core-minutes"), (100.0, "100 core-hours"),
     (0.1 / 3600, "0.1 core-seconds")],
)  # fmt: skip
def test_hours_are_written_in_a_readable_unit(hours: float, text: str) -> None:
    found = CostForecast("core", 1, per_trial=Estimate(hours, hours, hours, 3))
    assert f": {text} [" in found.lines()[1]


def test_a_forecast_is_read_as_it_was_written() -> None:
    for forecast in (FORECAST, CostForecast("core", 5, unknown="there is none")):
        assert read_cost_forecast(forecast.to_json()) == forecast


def changed(**changes: Any) -> str:
    return json.dumps(json.loads(FORECAST.to_json()) | changes)


@pytest.mark.parametrize(
    "text",
    [
        None, "", "[]", "{", "[" * 100_000, '{"unit": "core"}',
        changed(unit="dollar"), changed(trials=0), changed(trials=int("9" * 400)),
        changed(per_trial={"value": 1.0, "low": 2.0, "high": 3.0, "count": 3}),
        changed(per_trial={"value": 1.0, "low": 0.5, "high": 0.7, "count": 3}),
        changed(per_trial={"value": 1.0, "low": -1.0, "high": 3.0, "count": 3}),
        changed(per_trial={"value": float("nan"), "low": 1.0, "high": 3.0, "count": 3}),
        changed(per_trial={"value": 1.0, "low": 1.0, "high": float("inf"), "count": 3}),
        changed(per_trial={"value": 1.0, "low": 1.0, "high": 1.0, "count": 3, "missed": 4}),
        changed(goal=None), changed(device="\x1b[31m"), changed(device="x" * 1000),
        changed(cold={"hours": 1.0, "searches": 1, "reached": 2}),
    ],
)  # fmt: skip
def test_a_forecast_that_is_missing_or_damaged_is_none(text: str | None) -> None:
    assert read_cost_forecast(text) is None

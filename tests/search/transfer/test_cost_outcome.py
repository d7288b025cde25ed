"""How forecasts turned out."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from search.history import History
from search.tracking import tag_names
from search.tracking.summary import Summary
from search.transfer.cost_forecast import CostForecast, Estimate, Goal
from search.transfer.cost_outcome import Outcome, cost_lines, outcome_of, stored_cost_forecast
from search.transfer.costs import Cost
from search.transfer.past_costs import ended_trials
from tests.support.priced_searches import priced, together
from tests.support.synthetic_history import CLEAN, TASK

HOUR = 3600.0
# An accuracy of .6, from the reference point -0.1.
GOAL = Goal("earlier", {CLEAN: 0.6}, 0.7, (0.1,))
FORECAST = CostForecast(
    "core", 10, "CPU", per_trial=Estimate(2.0, 1.0, 4.0, 3), goal=GOAL,
    to_goal=Estimate(3.0, 2.0, 5.0, 3),
)  # fmt: skip


def outcome(history: History, forecast: CostForecast = FORECAST) -> Outcome:
    trials = ended_trials(history)["a"]
    found = outcome_of(history.searches["a"], trials, forecast, Cost(2, "core"))
    assert found is not None
    return found


def test_the_cost_is_that_of_the_trials_that_ended_and_to_the_goal_that_of_the_first_ones() -> None:
    # Two cores for half an hour, an hour and a quarter of one.
    found = outcome(priced("a", [0.5, None, 0.6, 0.7], [1800.0, 3600.0, 900.0, 900.0]))
    assert (found.trials, found.hours, found.hours_to_goal) == (4, 4.0, 3.5)
    assert found.of_goal is True and found.expected == Estimate(8.0, 4.0, 16.0, 3)
    assert found.of_trials is True  # 4 hours are the lower end
    assert found.ratios == pytest.approx([3.5 / 3, 0.5])
    assert found.lines() == [
        f"Forecast was a cost of 3.0 core-hours [2.0, 5.0] to {CLEAN} 0.6000; it took 3.5 "
        "core-hours.",
        "Forecast was a cost of 8.0 core-hours [4.0, 16] for 4 trials; they took 4.0 core-hours.",
    ]


def test_intervals_that_did_not_hold_are_told() -> None:
    found = outcome(priced("a", [0.6], 900.0))
    assert (found.of_goal, found.of_trials) == (False, False)


@pytest.mark.parametrize(("seconds", "high", "held"), [
    (9001.0, 5.0, False),  # 5.0006 core-hours were spent in vain
    (8999.0, 5.0, None),  # it may have come with the rest
    (9001.0, None, None),
])  # fmt: skip
def test_a_goal_that_was_not_reached_is_beyond_what_was_spent(
    seconds: float, high: float | None, held: bool | None
) -> None:
    forecast = replace(FORECAST, to_goal=Estimate(3.0, 2.0, high, 3))
    found = outcome(priced("a", [0.5], seconds), forecast)
    assert found.hours_to_goal is None and found.of_goal is held
    assert "the search did not reach it" in found.lines()[0]


def test_trials_on_another_device_are_not_compared() -> None:
    found = outcome(priced("a", [0.6], 5400.0, device="GPU"))
    assert (found.of_goal, found.of_trials, found.ratios) == (None, None, [])
    assert "was for CPU and the trials ran on GPU" in found.lines()[-1]
    assert outcome(priced("a", [0.6], 5400.0, device="CPU")).of_goal is True


def test_what_cannot_be_compared_has_no_outcome() -> None:
    known = priced("a", [0.6], 900.0)
    this, trials = known.searches["a"], ended_trials(known)["a"]
    assert outcome_of(this, [], FORECAST, Cost(1, "core")) is None
    assert outcome_of(this, trials, FORECAST, Cost(1, "GPU")) is None
    assert outcome_of(this, trials, FORECAST, None) is None
    untimed = ended_trials(priced("a", [0.6], 0.0))["a"]
    assert outcome_of(this, untimed, FORECAST, Cost(1, "core")) is None
    # A goal of other objectives, in a damaged store.
    two = replace(FORECAST, goal=replace(GOAL, reference=(0.1, 0.1)))
    assert outcome(known, two).hours_to_goal is None


def summary(name: str, forecast: CostForecast | str, state: str = "complete") -> Summary:
    text = forecast if isinstance(forecast, str) else forecast.to_json()
    return Summary(
        search=name, name=name, run_id="r", experiment_id="1", task=TASK, state=state, generation=1,
        spec_yaml="resources: {cpus: 2}", storage=Path("/nowhere"), trials_budget=10,
        warm_started_from=(), environment={},
        tags={tag_names.COST_FORECAST: text},
    )  # fmt: skip


def of_trials(hours: float) -> CostForecast:
    return CostForecast("core", 10, per_trial=Estimate(hours, hours / 2, hours * 2, 3))


def test_how_earlier_forecasts_turned_out_is_counted() -> None:
    known = together(*(priced(name, [0.6], 1800.0, day=day) for day, name in enumerate("abcde")))
    # Each search has one trial of one core-hour.
    summaries = [
        summary("a", of_trials(0.8)), summary("b", of_trials(1.25)), summary("c", of_trials(0.25)),
        summary("d", of_trials(1.0)), summary("e", of_trials(0.1)),  # e comes after d
    ]  # fmt: skip
    assert cost_lines(known, summaries, "d") == [
        "Forecast was a cost of 1.0 core-hours [0.5, 2.0] for 1 trial; it took 1.0 core-hours.",
        "Of 3 intervals that earlier searches of this store forecast 2 held, where 95 % should; "
        "the median cost was 1.2 times the forecast.",
    ]


def test_a_search_that_has_not_ended_shows_its_forecast() -> None:
    known = priced("a", [0.6], 1800.0)
    (goal, trials) = cost_lines(known, [summary("a", of_trials(1.0), "running")], "a")
    assert goal == "expected cost to a goal: unknown, because "
    assert trials.startswith("expected cost of 10 trials")
    unknown = CostForecast("core", 5, unknown="it is cold", unknown_to_goal="it is cold")
    assert cost_lines(known, [summary("a", unknown)], "a") == [
        "expected cost: unknown, because it is cold"
    ]


@pytest.mark.parametrize("text", ["", "{", json.dumps({"unit": "core", "trials": -1})])
def test_a_damaged_forecast_is_ignored(text: str) -> None:
    known = together(priced("a", [0.6], 1800.0), priced("b", [0.6], 1800.0, day=1))
    assert stored_cost_forecast({tag_names.COST_FORECAST: text}) is None
    assert cost_lines(known, [summary("a", text)], "a") == []
    lines = cost_lines(known, [summary("a", text), summary("b", of_trials(1.0))], "b")
    assert len(lines) == 1 and lines[0].startswith("Forecast was")
    assert cost_lines(known, [], "a") == []


def test_a_search_whose_trials_all_failed_says_nothing_of_costs() -> None:
    known = priced("a", [0.6, 0.7], 1800.0)
    place = known.trials.schema.get_field_index("state")
    failed = pa.array(["failed", "failed"], known.trials.schema.field(place).type)
    trials = known.trials.set_column(place, "state", failed)
    said = cost_lines(History(trials, known.searches), [summary("a", of_trials(1.0))], "a")
    assert [line.split(" of ")[0] for line in said] == [
        "expected cost to a goal: unknown, because ", "expected cost"
    ]  # fmt: skip

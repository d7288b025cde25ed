"""How cost forecasts turned out: that of one search, and those of the searches before it.

An interval of 95 % should hold in 19 of 20 cases; how many of those that were stated did hold says
whether to trust the next one. What is compared is what was forecast: hours of the trials that have
ended, on the device that was assumed. Not for making forecasts (`cost_estimate.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from search.history import History, Search, Trial
from search.history.plurals import counted
from search.objectives.roles import judging_indices
from search.tracking import tag_names
from search.tracking.summary import Summary
from search.transfer.cost_forecast import (
    CostForecast,
    Estimate,
    Goal,
    amount_text,
    interval_text,
    read_cost_forecast,
)
from search.transfer.costs import Cost, cost_of
from search.transfer.past_costs import ended_trials
from search.transfer.progress import counted_losses, progress_of

# A search that still has trials to run says nothing yet.
_ENDED = ("complete", "stopped", "failed")


@dataclass(frozen=True)
class Outcome:
    """A forecast, and what the search did cost.

    Attributes:
        forecast: The forecast.
        trials: The number of trials that have ended.
        hours: Their cost, in the unit of the forecast.
        hours_to_goal: The part of it until the goal; None if it was not reached.
        other_device: The device of the trials, if it is not the one that was assumed; else "".
    """

    forecast: CostForecast
    trials: int
    hours: float
    hours_to_goal: float | None
    other_device: str

    @property
    def of_goal(self) -> bool | None:
        """Whether the interval of the cost to the goal held; None if that is undecided.

        A goal that was not reached is beyond the upper end once that much was spent.
        """
        found = self.forecast.to_goal
        if found is None or self.other_device:
            return None
        if self.hours_to_goal is not None:
            return found.contains(self.hours_to_goal)
        return False if found.high is not None and self.hours > found.high else None

    @property
    def of_trials(self) -> bool | None:
        """Whether the interval of the cost of the trials held; None if that is undecided."""
        found = self.expected
        return None if found is None or self.other_device else found.contains(self.hours)

    @property
    def expected(self) -> Estimate | None:
        """The cost that was forecast for as many trials as have ended."""
        return self.forecast.all_trials(self.trials) if self.trials else None

    @property
    def ratios(self) -> list[float]:
        """True costs relative to those forecast, of what is decided."""
        pairs = [
            (self.forecast.to_goal, self.hours_to_goal, self.of_goal),
            (self.expected, self.hours, self.of_trials),
        ]
        return [
            true / forecast.value
            for forecast, true, holds in pairs
            if forecast is not None and true is not None and holds is not None
        ]

    def lines(self) -> list[str]:
        """What was forecast and what it did cost, a sentence each; none without a forecast."""
        cost, expected, texts = self.forecast.cost, self.expected, []
        to_goal, goal = self.forecast.to_goal, self.forecast.goal
        if to_goal is not None and goal is not None:
            took = "the search did not reach it"
            if self.hours_to_goal is not None:
                took = f"it took {amount_text(self.hours_to_goal, cost)}"
            forecast = f"{interval_text(to_goal, cost)} to {goal.in_words()}"
            texts.append(f"Forecast was a cost of {forecast}; {took}.")
        if expected is not None:
            trials = counted(self.trials, "trial")
            forecast = f"{interval_text(expected, cost)} for {trials}"
            took = amount_text(self.hours, cost)
            they = "it" if self.trials == 1 else "they"
            texts.append(f"Forecast was a cost of {forecast}; {they} took {took}.")
        if texts and self.other_device:
            texts.append(
                f"The forecast was for {self.forecast.device} and the trials ran on "
                f"{self.other_device}, so they are not compared."
            )
        return texts


def outcome_of(
    this: Search, trials: Sequence[Trial], forecast: CostForecast, cost: Cost | None
) -> Outcome | None:
    """How the forecast of a search turned out; None if it cannot be compared.

    Args:
        this: The search.
        trials: Its trials that have ended, by number.
        forecast: The forecast.
        cost: What one of its trials occupies; None if unknown.
    """
    if cost is None or cost.unit != forecast.unit:
        return None
    hours = cost.hours(sum(each.seconds for each in trials))
    if not hours:
        return None
    seconds = _seconds_to(this, trials, forecast.goal)
    devices = {each.device for each in trials if each.device}
    is_other = bool(forecast.device and devices) and devices != {forecast.device}
    return Outcome(
        forecast, len(trials), hours, None if seconds is None else cost.hours(seconds),
        " and ".join(sorted(devices)) if is_other else "",
    )  # fmt: skip


def cost_lines(history: History, summaries: Iterable[Summary], search: str) -> list[str]:
    """How the forecasts of a search and of those before it turned out, a sentence each.

    Args:
        history: The trials of all of these searches.
        summaries: The searches of the store.
        search: Id of the search.
    """
    found = {each.search: each for each in summaries}
    this, summary = history.searches.get(search), found.get(search)
    forecast = None if summary is None else stored_cost_forecast(summary.tags)
    if forecast is None:
        return []
    said, ended = [f"expected {line}" for line in forecast.lines()], ended_trials(history)
    mine = None if this is None else _outcome(this, ended.get(search, []), summary)
    if this is None or mine is None:
        return said
    earlier = [
        _outcome(each, ended.get(each.id, []), found.get(each.id))
        for each in history.searches.values()
        if each.id != search and each.started <= this.started
    ]
    compared = [each for each in earlier if each is not None]
    return [*(mine.lines() or said), *_calibration(compared)]


def _calibration(outcomes: Sequence[Outcome]) -> list[str]:
    held = [
        holds
        for each in outcomes
        for holds in (each.of_goal, each.of_trials)
        if holds is not None
    ]  # fmt: skip
    if not held:
        return []
    ratios = [ratio for each in outcomes for ratio in each.ratios]
    text = (
        f"Of {counted(len(held), 'interval')} that earlier searches of this store forecast "
        f"{sum(held)} held, where 95 % should"
    )
    if ratios:
        text += f"; the median cost was {median(ratios):.2g} times the forecast"
    return [f"{text}."]


def _outcome(this: Search, trials: Sequence[Trial], summary: Summary | None) -> Outcome | None:
    if summary is None or summary.state not in _ENDED:
        return None
    forecast = stored_cost_forecast(summary.tags)
    # Trials that all failed say nothing of what a search costs.
    if forecast is None or not any(each.state in ("complete", "stopped") for each in trials):
        return None
    return outcome_of(this, trials, forecast, cost_of(summary.spec_yaml))


def stored_cost_forecast(tags: Mapping[str, str]) -> CostForecast | None:
    """The forecast that a search was started with; None without one, or if it is damaged."""
    return read_cost_forecast(tag_names.joined_tag(tag_names.COST_FORECAST, tags))


def _seconds_to(this: Search, trials: Sequence[Trial], goal: Goal | None) -> float | None:
    """Seconds of trials until a goal; None if it was not reached, or is of other objectives.

    With a lexicographic objective its tolerance is taken from the best of this search alone.
    """
    if goal is None or len(goal.reference) != len(judging_indices(this.objectives)):
        return None
    progress = progress_of(trials, counted_losses([trials], this)[0], np.array(goal.reference))
    return progress.seconds_to(goal.level)

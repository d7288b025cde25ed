"""Cost forecast: what a search is expected to cost, said before its first trial and kept with it.

It has two parts, each with what it is based on, or why it is unknown: the cost to a goal
(`cost_goal.py`), next to that of a cold search, and the cost of all trials. Made in
`cost_estimate.py`; how it turned out says `cost_outcome.py`. What is read comes from a store: a
forecast that is damaged is none.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from pydantic import TypeAdapter

from search.history.forecast import LARGEST_FACTOR
from search.history.plurals import counted
from search.objectives.objective import value_text
from search.transfer.costs import Cost

Basis: TypeAlias = Literal["searches", "trials", "tasks"]
_LONGEST = 500  # characters of a text; longer ones are not ours


@dataclass(frozen=True)
class Estimate:
    """A number that is expected, and its 95 % interval.

    Attributes:
        value: The number.
        low: The lower end.
        high: The upper end; None if there is none.
        count: How many observations it is based on.
        missed: How many of these are lower limits only.
    """

    value: float
    low: float
    high: float | None
    count: int
    missed: int = 0

    def times(self, factor: float) -> Estimate:
        """The estimate of a multiple."""
        high = None if self.high is None else self.high * factor
        return Estimate(self.value * factor, self.low * factor, high, self.count, self.missed)

    @property
    def is_vague(self) -> bool:
        """Whether the number may be off by so much that it says nothing to a person."""
        is_low = self.low * LARGEST_FACTOR < self.value
        return is_low or (self.high is not None and self.high > self.value * LARGEST_FACTOR)

    def contains(self, value: float) -> bool:
        """Whether a number lies in the interval."""
        return self.low <= value and (self.high is None or value <= self.high)


@dataclass(frozen=True)
class Goal:
    """A level of a task.

    Attributes:
        search: The earlier search that ended with it.
        values: Objective that counts -> its best value in that search, less the noise of a training
            as far as that is known; each may be of another trial.
        level: The hypervolume of its best trials, worse by as much, against `reference`; above 0.
        reference: One loss for each objective that counts.
    """

    search: str
    values: Mapping[str, float]
    level: float
    reference: tuple[float, ...]

    def in_words(self) -> str:
        """A phrase: "accuracy.clean 0.9812"; of several objectives that of a front."""
        values = " and ".join(
            f"{metric} {value_text(best)}" for metric, best in self.values.items()
        )
        return values if len(self.values) == 1 else f"a front like {self.search}'s (best {values})"


@dataclass(frozen=True)
class ColdCost:
    """What the cold searches of the task cost to the goal.

    Attributes:
        hours: The median; None if half of them or more never reached it.
        searches: The number of cold searches.
        reached: How many of them reached it.
    """

    hours: float | None
    searches: int
    reached: int


@dataclass(frozen=True)
class CostForecast:
    """The forecast of one search; all costs are in hours of `unit`.

    Attributes:
        unit: "GPU" or "core".
        trials: The trials that it may run.
        device: The device that is assumed; "" if no earlier trial states one.
        per_trial: The mean cost of a trial, failed ones included: they are paid for, and part of
            the budget of trials. None if unknown.
        basis: What `per_trial.count` counts: earlier searches, the trials of fewer than three of
            them that did not fail, or other tasks.
        unknown: Why the cost of a trial is unknown; "" if it is known.
        goal: The goal; None without one.
        to_goal: The cost to the goal; None if unknown.
        cold: What cold searches cost to the goal; None without a cold search of the task.
        unknown_to_goal: Why the cost to a goal is unknown; "" if it is known.
    """

    unit: str
    trials: int
    device: str = ""
    per_trial: Estimate | None = None
    basis: Basis = "searches"
    unknown: str = ""
    goal: Goal | None = None
    to_goal: Estimate | None = None
    cold: ColdCost | None = None
    unknown_to_goal: str = ""

    @property
    def cost(self) -> Cost:
        """One unit, which says hours in words."""
        return Cost(1, self.unit)

    def all_trials(self, trials: int) -> Estimate | None:
        """The cost of so many trials."""
        return None if self.per_trial is None else self.per_trial.times(trials)

    def lines(self) -> list[str]:
        """The forecast in one or two sentences."""
        if self.per_trial is None and self.to_goal is None:
            return [f"cost: unknown, because {self.unknown or self.unknown_to_goal}"]
        return [self._of_goal(), self._of_trials()]

    def _of_goal(self) -> str:
        head = f"cost to {self.goal.in_words()}" if self.goal else "cost to a goal"
        if self.to_goal is None:
            text = f"unknown, because {self.unknown_to_goal}"
        else:
            searches = counted(self.to_goal.count, "earlier search", "earlier searches")
            missed = self.to_goal.missed
            never = f", of which {missed} never reached theirs" if missed else ""
            text = f"{interval_text(self.to_goal, self.cost)}, from {searches}{never}"
            text += self._beyond(self.to_goal)
        return f"{head}: {text}" + (f"; {self._of_cold()}" if self.cold else "")

    def _beyond(self, to_goal: Estimate) -> str:
        """What the cost of all trials says of one to a goal; "" if it does not exceed it."""
        every = self.all_trials(self.trials)
        if every is None or to_goal.value <= every.value:
            return ""
        probably = "" if every.high is not None and to_goal.low > every.high else "probably "
        return f", so {probably}not within {counted(self.trials, 'trial')}"

    def _of_cold(self) -> str:
        assert self.cold is not None
        if self.cold.hours is None:
            of = counted(self.cold.searches, "cold search", "cold searches")
            return f"cold: {self.cold.reached} of {of} reached it"
        searches = counted(self.cold.searches, "search", "searches")
        return f"cold: {amount_text(self.cold.hours, self.cost)}, from {searches}"

    def _of_trials(self) -> str:
        head = f"cost of {counted(self.trials, 'trial')}"
        found = self.all_trials(self.trials)
        if found is None:
            return f"{head}: unknown, because {self.unknown}"
        from_what = {
            "searches": counted(found.count, "earlier search", "earlier searches"),
            "trials": counted(found.count, "earlier trial") + " of this task",
            "tasks": counted(found.count, "similar task"),
        }[self.basis]
        device = f", on {self.device}" if self.device else ""
        return f"{head}: {interval_text(found, self.cost)}, from {from_what}{device}"

    def to_json(self) -> str:
        """The forecast as JSON."""
        return _ADAPTER.dump_json(self).decode()


def read_cost_forecast(text: str | None) -> CostForecast | None:
    """Read a forecast that `to_json` wrote; None if it is missing or damaged."""
    try:
        found = _ADAPTER.validate_json(text or "")
    except ValueError:
        return None
    return found if _is_sound(found) else None


def interval_text(found: Estimate, cost: Cost) -> str:
    """An estimate to read: "3.1 GPU-hours [2.0, 6.4]", "3.1 GPU-hours, at least 2.0"."""
    factor, unit = cost.readable_unit(found.value)
    value, low = _rounded(found.value * factor), _rounded(found.low * factor)
    if found.high is None:
        return f"{value} {unit}, at least {low}"
    return f"{value} {unit} [{low}, {_rounded(found.high * factor)}]"


def amount_text(hours: float, cost: Cost) -> str:
    """Hours to read: "2.7 GPU-hours"."""
    factor, unit = cost.readable_unit(hours)
    return f"{_rounded(hours * factor)} {unit}"


def _rounded(number: float) -> str:
    """Two digits, none after the point from 10 on: "0.034", "2.0", "64"."""
    if number >= 9.95:
        return f"{number:.0f}"
    return f"{number:.1f}" if number >= 0.95 else f"{number:.2g}"


def _is_sound(found: CostForecast) -> bool:
    """Whether a forecast that was read can be one of ours."""
    estimates = [each for each in (found.per_trial, found.to_goal) if each is not None]
    goal, cold = found.goal, found.cold
    numbers = [
        *(each.value for each in estimates),
        *(each.low for each in estimates),
        *(each.high for each in estimates if each.high is not None),
        *([cold.hours] if cold is not None and cold.hours is not None else []),
        *([goal.level] if goal is not None else []),
    ]
    counts = [found.trials, *(each.count for each in estimates)]
    values = [*goal.values.values(), *goal.reference] if goal is not None else []
    texts = [found.unit, found.device, found.unknown, found.unknown_to_goal]
    texts += [goal.search, *goal.values] if goal is not None else []
    return (
        found.unit in ("GPU", "core")
        and (found.to_goal is None or goal is not None)
        and all(0 < each <= sys.float_info.max for each in (*numbers, *counts))
        and all(each.low <= each.value for each in estimates)
        and all(each.high is None or each.value <= each.high for each in estimates)
        and all(0 <= each.missed <= each.count for each in estimates)
        and (cold is None or 0 <= cold.reached <= cold.searches)
        and all(abs(each) <= sys.float_info.max for each in values)
        and _are_printable(texts)
    )


def _are_printable(texts: Iterable[str]) -> bool:
    return all(text.isprintable() and len(text) <= _LONGEST for text in texts)


_ADAPTER = TypeAdapter(CostForecast)

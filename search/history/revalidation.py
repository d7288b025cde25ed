"""Revalidation: the best known trial of a task, trained again, and whether its record still holds.

A search of a task that was searched before begins with it (`search/apply/incumbent.py`). Where the
new values lie outside of what the record allows, a library, the data or the hardware has changed in
between. Values of before and after that moment are then not comparable: here they are told apart,
`search/apply` and `search/extract` use them accordingly.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from search.history.records import line_of, mapping_of, number_of
from search.history.trial import Trial
from search.objectives.objective import value_text

CONFIRM = "confirm"  # the step of such a trial


@dataclass(frozen=True)
class Revalidation:
    """What a trial that is trained again is expected to reach.

    Attributes:
        trial: SEARCH#TRIAL of the record.
        expected: Metric -> the value on record; the mean if the record has several trainings.
        accepted: Metric -> the least and the greatest value with which the record holds; infinite
            where there is no bound. A metric is missing if nothing says how much it varies.
    """

    trial: str
    expected: Mapping[str, float]
    accepted: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def as_record(self) -> dict[str, Any]:
        """Return it as the JSON-able part of an origin; an infinite bound is None."""
        accepted = {
            metric: [bound if math.isfinite(bound) else None for bound in bounds]
            for metric, bounds in self.accepted.items()
        }
        return {"trial": self.trial, "expected": dict(self.expected), "accepted": accepted}

    def departed(self, values: Mapping[str, float]) -> dict[str, float]:
        """Return the metrics whose new values are not accepted, and these values."""
        return {
            metric: values[metric]
            for metric, (low, high) in self.accepted.items()
            if metric in values and not low <= values[metric] <= high
        }

    def expected_in_words(self) -> str:
        """Return the values on record: "accuracy.clean 0.9820"."""
        return ", ".join(f"{name} {value_text(value)}" for name, value in self.expected.items())

    def accepted_in_words(self) -> str:
        """Return with which values the record holds: "0.9740 to 0.9900 is accepted"."""
        one = len(self.accepted) == 1 == len(self.expected)
        texts = [self._accepted(name) + f" of {name}" * (not one) for name in self.accepted]
        verb = "are" if len(texts) > 1 else "is"
        return f"{' and '.join(texts)} {verb} accepted" if texts else ""

    def result_in_words(self, values: Mapping[str, float]) -> str:
        """Say in a sentence whether the record holds, given the new values."""
        departed = self.departed(values)
        if departed:
            found = ", ".join(
                f"{metric} is {value_text(value)} now and was {self._expected(metric)}"
                f" ({self._accepted(metric)} would be accepted)"
                for metric, value in departed.items()
            )
            return (
                f"warning: the best known trial, {self.trial}, does not reach its record: {found}. "
                "A library, the data or the hardware has changed since; trials of before count by "
                "rank from here on. fix: compare the environments of both searches"
            )
        found = ", ".join(
            f"{metric} {value_text(values[metric])} (on record {value_text(expected)})"
            for metric, expected in self.expected.items()
            if metric in values
        )
        unknown = "" if self.accepted else "; how much it varies is not known"
        return f"the best known trial, {self.trial}, was trained again: {found}{unknown}"

    def _expected(self, metric: str) -> str:
        return value_text(self.expected[metric]) if metric in self.expected else "?"

    def _accepted(self, metric: str) -> str:
        low, high = self.accepted[metric]
        if math.isinf(high):
            return f"{value_text(low)} or more"
        if math.isinf(low):
            return f"{value_text(high)} or less"
        return f"{value_text(low)} to {value_text(high)}"


def read_revalidation(origin: object) -> Revalidation | None:
    """Read a revalidation from a trial's origin as a store has it; None if it has none."""
    record = mapping_of(mapping_of(origin).get("revalidates"))
    if mapping_of(origin).get("step") != CONFIRM or not isinstance(record.get("trial"), str):
        return None
    values = {
        metric: number
        for metric, value in mapping_of(record.get("expected")).items()
        if isinstance(metric, str) and math.isfinite(number := number_of(value))
    }
    bounds: dict[str, tuple[float, float]] = {}
    for metric, pair in mapping_of(record.get("accepted")).items():
        if metric in values and isinstance(pair, list | tuple) and len(pair) == 2:
            low, high = number_of(pair[0], -math.inf), number_of(pair[1], math.inf)
            if low <= high:
                bounds[metric] = (low, high)
    return Revalidation(line_of(record["trial"]), values, bounds)


def changes_of(trials: Iterable[Trial]) -> dict[str, list[Trial]]:
    """Return task -> the complete trials whose record did not hold, the earliest first."""
    found: dict[str, list[Trial]] = {}
    for trial in trials:
        known = read_revalidation(trial.origin) if trial.state == "complete" else None
        if known is not None and trial.started is not None and known.departed(trial.by_metric):
            found.setdefault(trial.task, []).append(trial)
    return {task: sorted(each, key=started) for task, each in found.items()}


def started(trial: Trial) -> float:
    """Return when a trial started, in seconds since 1970; 0 if that is unknown."""
    return trial.started.timestamp() if trial.started else 0.0


def is_before(trial: Trial, change: Trial) -> bool:
    """Whether a trial was trained before a change showed; no trial of the search that showed it."""
    return trial.search != change.search and started(trial) < started(change)

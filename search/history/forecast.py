"""Forecast: what a model expected of a trial when it proposed it, read from the trial's origin.

It is made in `search/apply/expected_gain.py` and `price.py`. What is read comes from a store, so a
part that is missing or malformed is unknown.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeGuard

from search.history.work import work_text
from search.objectives.objective import value_text

# A predicted cost that may be off by more than this factor says nothing to a person.
LARGEST_FACTOR = 100.0


@dataclass(frozen=True)
class Forecast:
    """What was expected of a trial.

    Attributes:
        values: Metric -> expected value, and the ends of its 95 % interval.
        gain: What the best candidate was expected to gain, whether or not it was too expensive to
            be proposed; NaN if unknown.
        cost: The expected cost of the training; 0 if unknown.
        unit: "work" (FLOP) or "seconds".
        factor: In 19 of 20 cases the cost lies within this factor.
    """

    values: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    gain: float = math.nan
    cost: float = 0.0
    unit: str = "seconds"
    factor: float = math.inf

    def in_words(self) -> str:
        """Write it to read: "accuracy.clean 0.98 [0.95, 0.99], 3.2 GFLOP"; "" if unknown."""
        parts = [
            f"{metric} {value_text(mean)} [{value_text(low)}, {value_text(high)}]"
            for metric, (mean, low, high) in self.values.items()
        ]
        if self.cost > 0 and self.factor <= LARGEST_FACTOR:
            cost = work_text(self.cost) if self.unit == "work" else f"{self.cost:.3g} s"
            parts.append(f"{cost} within a factor of {self.factor:.2g}")
        return ", ".join(parts)


def read_forecast(origin: Mapping[str, object]) -> Forecast:
    """Read the forecast of an origin; what is not known of it has its default."""
    record = origin.get("forecast")
    if not isinstance(record, Mapping):
        return Forecast()
    found = record.get("value")
    values = {
        _printable(metric): (float(each[0]), float(each[1]), float(each[2]))
        for metric, each in (found.items() if isinstance(found, Mapping) else ())
        if isinstance(each, list | tuple) and len(each) == 3 and all(map(_is_number, each))
    }
    most = record.get("most", record.get("gain"))
    gain = float(most) if _is_number(most) else math.nan
    cost, factor = record.get("cost"), record.get("factor")
    if not _is_number(cost):
        return Forecast(values, gain)
    unit = "work" if record.get("unit") == "work" else "seconds"
    within = float(factor) if _is_number(factor) else math.inf
    return Forecast(values, gain, float(cost), unit, within)


def _is_number(value: object) -> TypeGuard[int | float]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= sys.float_info.max


def _printable(name: object) -> str:
    return "".join(each if each.isprintable() else "?" for each in str(name)[:200])

"""Forecast: what a model expected of a trial when it proposed it, read from the trial's origin.

It is made in `search/apply/expected_gain.py` and `price.py`. What is read comes from a store, so a
part that is missing or malformed is unknown.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from search.history.work import work_text
from search.objectives.objective import value_text

# A predicted cost that may be off by more than this factor says nothing to a person.
LARGEST_FACTOR = 100.0


@dataclass(frozen=True)
class Forecast:
    """What was expected of a trial.

    Attributes:
        values: Metric -> expected value, and the ends of its 95 % interval.
        cost: The expected cost of the training; 0 if unknown.
        unit: "work" (FLOP) or "seconds".
        factor: In 19 of 20 cases the cost lies within this factor.
    """

    values: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
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
    cost, factor = record.get("cost"), record.get("factor")
    if not (_is_number(cost) and _is_number(factor)):
        return Forecast(values)
    unit = "work" if record.get("unit") == "work" else "seconds"
    return Forecast(values, float(cost), unit, float(factor))  # type: ignore[arg-type]


def _is_number(value: object) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and abs(value) <= sys.float_info.max  # type: ignore[arg-type]


def _printable(name: object) -> str:
    return "".join(each if each.isprintable() else "?" for each in str(name)[:200])

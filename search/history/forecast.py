"""Forecast: what a model expected of a trial when it proposed it, read from the trial's origin.

It is made in `search/apply/expected_gain.py`, `first_forecast.py` and `price.py`. What is read
comes from a store, so a part that is missing or malformed is unknown.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from search.history.records import line_of, mapping_of, number_of
from search.history.work import work_text
from search.objectives.objective import value_text

# A predicted cost that may be off by more than this factor says nothing to a person.
LARGEST_FACTOR = 100.0


@dataclass(frozen=True)
class Forecast:
    """What was expected of a trial.

    Attributes:
        values: Metric -> expected value, and the ends of its 95 % interval.
        ranks: Metric -> expected share of a past search's trials that are better, and the least and
            the greatest of the past tasks. Before a model of this task.
        gain: What the best candidate was expected to gain, whether or not it was too expensive to
            be proposed; NaN if unknown.
        cost: The expected cost of the training; 0 if unknown.
        unit: "work" (FLOP) or "seconds".
        factor: In 19 of 20 cases the cost lies within this factor.
    """

    values: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    ranks: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    gain: float = math.nan
    cost: float = 0.0
    unit: str = "seconds"
    factor: float = math.inf

    def in_words(self) -> str:
        """Write it to read: "accuracy.clean 0.98 [0.95, 0.99], 3.2 GFLOP"; "" if unknown.

        A rank is said where no value is.
        """
        parts = [f"{metric} {self.value_in_words(metric)}" for metric in self.values]
        parts += [
            f"{metric} {self.value_in_words(metric)} of earlier searches' trials"
            for metric in self.ranks
            if metric not in self.values
        ]
        if cost := self.cost_in_words():
            parts.append(f"{cost} within a factor of {self.factor:.2g}")
        return ", ".join(parts)

    def value_in_words(self, metric: str) -> str:
        """Write what is expected of a metric: "0.98 [0.95, 0.99]" or "best 12 % [3, 20]".

        An end that is infinite is not known.
        """
        if metric in self.values:
            mean, low, high = self.values[metric]
            ends = f" [{value_text(low)}, {value_text(high)}]"
            if math.isinf(high):
                ends = "" if math.isinf(low) else f" [{value_text(low)} or more]"
            elif math.isinf(low):
                ends = f" [{value_text(high)} or less]"
            return value_text(mean) + ends
        if metric not in self.ranks:
            return ""
        shares = [f"{100 * max(each, 0.01):.0f}" for each in self.ranks[metric]]
        return f"best {shares[0]} % [{shares[1]}, {shares[2]}]"

    def cost_in_words(self) -> str:
        """Write the cost: "3.2 GFLOP"; "" if it is unknown or may be far off."""
        if self.cost <= 0 or self.factor > LARGEST_FACTOR:
            return ""
        return work_text(self.cost) if self.unit == "work" else f"{self.cost:.3g} s"


def read_forecast(origin: Mapping[str, object]) -> Forecast:
    """Read the forecast of an origin; what is not known of it has its default."""
    record = mapping_of(origin.get("forecast"))
    values, ranks = _triples(record.get("value")), _triples(record.get("rank"))
    ranks = {metric: each for metric, each in ranks.items() if all(0 <= n <= 1 for n in each)}
    gain = number_of(record.get("most", record.get("gain")))
    cost = number_of(record.get("cost"))
    if math.isnan(cost):
        return Forecast(values, ranks, gain)
    unit = "work" if record.get("unit") == "work" else "seconds"
    factor = number_of(record.get("factor"), math.inf)
    return Forecast(values, ranks, gain, cost, unit, factor)


def _triples(found: object) -> dict[str, tuple[float, float, float]]:
    triples = {}
    for metric, each in mapping_of(found).items():
        if isinstance(each, list | tuple) and len(each) == 3:
            first, second, third = map(number_of, each)
            if not math.isnan(first + second + third):
                triples[line_of(metric)] = (first, second, third)
    return triples

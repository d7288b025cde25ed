"""Infer a search space from the configurations that were tried, if none was logged.

What never varied is not a hyperparameter of the search. Numbers get the range they were seen in, on
a log scale if they spread over decades; words become categories if they are few. The true range may
have been wider.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from search.space.values import is_same

# More categories, or longer words, are names of runs and paths, not choices.
MOST_CATEGORIES = 50
LONGEST_CATEGORY = 200
# Numbers spread over decades if the largest is at least ten times the smallest, and if their median
# is nearer the middle of the log scale: uniform draws from 0.01 to 1 have such a ratio too.
DECADE = 10.0
LARGEST = 1e300


def inferred(configurations: Sequence[Mapping[str, Any]]) -> dict[str, BaseDistribution]:
    """Returns a distribution per hyperparameter that varied, in order of first appearance."""
    values: dict[str, list[Any]] = {}
    for configuration in configurations:
        for name, value in configuration.items():
            values.setdefault(name, []).append(value)
    found = {name: _distribution(each) for name, each in values.items()}
    return {name: kind for name, kind in found.items() if kind is not None}


def _distribution(values: Sequence[Any]) -> BaseDistribution | None:
    kinds = {type(value) for value in values}
    if kinds <= {int, float}:
        low, high = min(values), max(values)
        if low == high or max(abs(low), abs(high)) > LARGEST:
            return None
        if kinds == {int}:
            return IntDistribution(low, high, log=_is_log(values))
        return FloatDistribution(float(low), float(high), log=_is_log(values))
    return _categories(values)


def _is_log(values: Sequence[float]) -> bool:
    low, high = min(values), max(values)
    if low <= 0 or high < DECADE * low:
        return False
    plain = np.asarray(values, dtype=np.float64)
    return _eccentricity(np.log(plain)) <= _eccentricity(plain)


def _eccentricity(values: Any) -> float:
    """Returns the distance of the median from the middle of the range, in ranges."""
    low, high = float(values.min()), float(values.max())
    return abs(float(np.median(values)) - (low + high) / 2) / (high - low)


def _categories(values: Sequence[Any]) -> BaseDistribution | None:
    choices: list[Any] = []
    for value in values:
        if not any(is_same(value, choice) for choice in choices):
            choices.append(value)
            if len(choices) > MOST_CATEGORIES:
                return None
    is_long = any(isinstance(each, str) and len(each) > LONGEST_CATEGORY for each in choices)
    # A different word in every run is the run's name or output folder.
    is_name = len(choices) == len(values) > 2 and all(isinstance(each, str) for each in choices)
    if len(choices) < 2 or is_long or is_name:
        return None
    return CategoricalDistribution(choices)

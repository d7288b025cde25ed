"""Encodings of configurations of a conditional space, for models that need all hyperparameters.

`encode` is for models over vectors: every hyperparameter has its columns, and a conditional one has
an additional indicator of whether it is active, so that its neutral value is not mistaken for a
measured one. `fill` is for Optuna's samplers, which model only hyperparameters that every trial
has: it gives a trial every hyperparameter.

Source: Lévesque et al. 2017, "Bayesian optimization for conditional hyperparameter spaces", on
imputing inactive hyperparameters and on indicators.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from search.space import values as space_values
from search.space.space import SearchSpace, Value

# How many widths of the range a number may lie outside of it. Further away it says nothing about
# the range, and a stray 1e300 would dominate every distance.
FARTHEST = 2.0


def encode(
    space: SearchSpace, configurations: Sequence[Mapping[str, Value]]
) -> NDArray[np.float64]:
    """Return points, shape `(configurations, columns)`, in [0, 1] inside the space.

    A number has one column, in the scale of its distribution (logarithmic or not). A category has
    one column per choice, scaled so that two choices lie 1 apart. A conditional hyperparameter has
    one more, 1 if it is active. An inactive or missing value lies in the middle, equally far from
    all others. A number outside its range, from a search with a wider one, lies outside [0, 1], at
    most `FARTHEST` away.
    """
    columns = [
        column
        for name, distribution in space.distributions.items()
        for column in _columns(space, name, distribution, configurations)
    ]
    return np.ascontiguousarray(np.array(columns, dtype=np.float64).T).reshape(
        len(configurations), len(columns)
    )


def fill(space: SearchSpace, configuration: Mapping[str, Value], seed: int) -> dict[str, Value]:
    """Return the configuration with every hyperparameter of the space, also the inactive ones.

    Inactive or unknown hyperparameters are drawn from their own distributions. A constant would do
    harm: TPE would see a peak of density at it, among good and bad trials alike, and would propose
    it where the hyperparameter *is* active. Draws spread that mass evenly, so only trials that used
    a hyperparameter shape its density. They depend on the seed alone, so a trial keeps its draws
    when the search is resumed.
    """
    generator = np.random.default_rng(seed)
    # Every hyperparameter is drawn, used or not: the sequence must not depend on what is active.
    drawn = {
        name: space_values.draw(distribution, generator)
        for name, distribution in space.distributions.items()
    }
    return {
        name: configuration[name] if _is_used(space, name, configuration) else value
        for name, value in drawn.items()
    }


def active(space: SearchSpace, filled: Mapping[str, Value]) -> dict[str, Value]:
    """Return the active part of a configuration that has every hyperparameter."""
    return space.assemble(lambda name, _: filled[name])


def _is_used(space: SearchSpace, name: str, configuration: Mapping[str, Value]) -> bool:
    return name in configuration and space.is_active(name, configuration)


def _columns(
    space: SearchSpace,
    name: str,
    distribution: BaseDistribution,
    configurations: Sequence[Mapping[str, Value]],
) -> list[list[float]]:
    """Return the columns of one hyperparameter, each with a number for each configuration."""
    if name in space.conditions:
        is_used = [_is_used(space, name, each) for each in configurations]
        indicator = [[float(each) for each in is_used]]
    else:
        is_used, indicator = [name in each for each in configurations], []
    pairs = list(zip(is_used, configurations, strict=True))
    if isinstance(distribution, CategoricalDistribution):
        apart, choices = math.sqrt(0.5), distribution.choices
        return [
            [
                apart * space_values.is_same(choice, each[name]) if used else apart / len(choices)
                for used, each in pairs
            ]
            for choice in choices
        ] + indicator
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    place = _position(distribution)
    return [[place(float(each[name])) if used else 0.5 for used, each in pairs], *indicator]


def _position(distribution: FloatDistribution | IntDistribution) -> Callable[[float], float]:
    """Return what places a number in the range of a distribution, in its scale."""
    low, high = float(distribution.low), float(distribution.high)
    if distribution.log:
        low, high = math.log(low), math.log(high)
    if high == low:
        return lambda value: 0.5

    def place(value: float) -> float:
        if distribution.log:
            value = math.log(value) if value > 0 else -math.inf
        return min(max((value - low) / (high - low), -FARTHEST), 1.0 + FARTHEST)

    return place

"""Configurations as points: a unit cube with activity indicators, and a space without conditions.

Two ways to let a model see a conditional space whole. `encode` is for models over vectors: every
hyperparameter has its columns, and a conditional one has an indicator besides that says whether it
is active, so that its neutral value is not mistaken for a measured one. `fill` is for Optuna's
samplers, which model only what every trial has: it gives a trial every hyperparameter.

Source: Lévesque et al. 2017, "Bayesian optimization for conditional hyperparameter spaces", on
imputing inactive hyperparameters and on indicators.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

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

# How many ranges away from its own a number may lie. Further away nothing is left to learn of the
# range, and a stray 1e300 would swamp every distance.
FARTHEST = 2.0


def encode(
    space: SearchSpace, configurations: Sequence[Mapping[str, Value]]
) -> NDArray[np.float64]:
    """Points in [0, 1] inside the space, shape `(configurations, columns)`.

    A number takes one column, in the scale of its distribution (logarithmic or not); a category
    one a choice, scaled so that two choices lie 1 apart; a conditional hyperparameter one more, 1
    if it is active. An inactive or missing value lies in the middle, equally far from all. A number
    outside its range, from a search with another one, lies outside [0, 1], up to `FARTHEST` away.
    """
    rows = [
        [
            column
            for name, distribution in space.distributions.items()
            for column in _columns(space, name, distribution, configuration)
        ]
        for configuration in configurations
    ]
    width = len(_row_of_nothing(space))
    return np.array(rows, dtype=np.float64).reshape(len(rows), width)


def fill(space: SearchSpace, configuration: Mapping[str, Value], seed: int) -> dict[str, Value]:
    """The configuration with every hyperparameter of the space, also those it does not use.

    What is inactive or unknown is drawn from its own distribution. A constant would do harm: TPE
    would see a peak of density at it, in the good half as in the bad one, and would go on
    proposing it where the hyperparameter *is* active. Draws spread that mass evenly, so that only
    trials that used a hyperparameter shape its density. They depend on the seed alone, so a trial
    keeps its draws when the search is resumed.
    """
    generator = np.random.default_rng(seed)
    filled: dict[str, Value] = {}
    for name, distribution in space.distributions.items():
        drawn = space_values.draw(distribution, generator)  # always, to keep the sequence in step
        is_used = name in configuration and space.is_active(name, configuration)
        filled[name] = configuration[name] if is_used else drawn
    return filled


def active(space: SearchSpace, filled: Mapping[str, Value]) -> dict[str, Value]:
    """The active part of a configuration that has every hyperparameter."""
    kept: dict[str, Value] = {}
    for name in space.distributions:
        if space.is_active(name, kept):
            kept[name] = filled[name]
    return kept


def _row_of_nothing(space: SearchSpace) -> list[float]:
    return [
        column
        for name, distribution in space.distributions.items()
        for column in _columns(space, name, distribution, {})
    ]


def _columns(
    space: SearchSpace,
    name: str,
    distribution: BaseDistribution,
    configuration: Mapping[str, Value],
) -> list[float]:
    is_used = name in configuration and space.is_active(name, configuration)
    indicator = [float(is_used)] if name in space.conditions else []
    if isinstance(distribution, CategoricalDistribution):
        choices = distribution.choices
        if not is_used:
            return [math.sqrt(0.5) / len(choices)] * len(choices) + indicator
        value = configuration[name]
        return [
            math.sqrt(0.5) * space_values.is_same(choice, value) for choice in choices
        ] + indicator
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    if not is_used:
        return [0.5, *indicator]
    return [_position(distribution, float(configuration[name])), *indicator]


def _position(distribution: FloatDistribution | IntDistribution, value: float) -> float:
    low, high = float(distribution.low), float(distribution.high)
    if distribution.log:
        low, high = math.log(low), math.log(high)
        value = math.log(value) if value > 0 else -math.inf
    if high == low:
        return 0.5
    return min(max((value - low) / (high - low), -FARTHEST), 1.0 + FARTHEST)

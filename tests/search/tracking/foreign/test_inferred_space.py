from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from search.tracking.foreign.inferred_space import inferred


def of(values: Sequence[Any]) -> BaseDistribution | None:
    return inferred([{"x": value} for value in values]).get("x")


@pytest.mark.parametrize(
    ("values", "distribution"),
    [
        ([0.1, 0.5, 0.3], FloatDistribution(0.1, 0.5)),
        ([1e-4, 1e-3, 1e-2], FloatDistribution(1e-4, 1e-2, log=True)),
        ([16, 32, 64], IntDistribution(16, 64)),
        ([8, 16, 32, 64, 128, 256, 512], IntDistribution(8, 512, log=True)),
        ([0.0, 0.001, 0.1], FloatDistribution(0.0, 0.1)),
        ([True, False], CategoricalDistribution([True, False])),
        (["adam", "sgd", "adam"], CategoricalDistribution(["adam", "sgd"])),
        ([None, 3, 5, 3], CategoricalDistribution([None, 3, 5])),
        ([1, True, 1], CategoricalDistribution([1, True])),
    ],
)
def test_the_distribution_is_the_simplest_that_contains_what_was_tried(
    values: Sequence[Any], distribution: BaseDistribution
) -> None:
    assert of(values) == distribution


@pytest.mark.parametrize(
    "values",
    [
        [0.1, 0.1], ["adam", "adam"], [None, None],
        ["runs/1", "runs/2", "runs/3"],  # a different path in every run
        [f"word {index % 60}" for index in range(200)],
        ["a" * 6000, "b" * 6000, "a" * 6000],
        [1.0, 1.7e308],
    ],
)  # fmt: skip
def test_constants_and_names_of_runs_are_not_hyperparameters(
    values: Sequence[Any],
) -> None:
    assert of(values) is None


def test_log_uniform_draws_are_distinguished_from_uniform_ones() -> None:
    # The median of 200 uniform draws is 0.035 ranges from the middle (one standard error,
    # 1 / (2 sqrt 200)); on the other scale it is 0.35 ranges off, ten of them.
    generator = np.random.default_rng(0)
    even = of(generator.uniform(0.01, 1.0, 200).tolist())
    decades = of((10 ** generator.uniform(-2.0, 0.0, 200)).tolist())
    assert isinstance(even, FloatDistribution) and not even.log
    assert isinstance(decades, FloatDistribution) and decades.log


def test_a_hyperparameter_that_only_some_trials_have_is_in_the_space() -> None:
    space = inferred([{"kind": "sgd", "momentum": 0.5}, {"kind": "adam"}, {"momentum": 0.75}])
    assert set(space) == {"kind", "momentum"}

"""Importance finds the hyperparameter that the objective depends on, conditional ones included."""

from __future__ import annotations

import math

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from search.extract.importance import importance_in, importances
from search.extract.objective_matrix import ObjectiveMatrix
from search.space import SearchSpace
from tests.support.synthetic_history import CLEAN, SPACE, measured

FLAT = SearchSpace.from_distributions(
    {
        "strong": FloatDistribution(0, 1),
        "weak": FloatDistribution(0, 1),
        "idle": IntDistribution(1, 9),
    }
)


def flat_search(trials: int = 30, seed: int = 0, search: str = "cold") -> ObjectiveMatrix:
    generator = np.random.default_rng(seed)
    drawn = [FLAT.random_configuration(generator) for _ in range(trials)]
    return measured(drawn, [3 * each["strong"] + each["weak"] for each in drawn], search)


def test_the_strongest_hyperparameter_comes_first_and_shares_add_up_to_one() -> None:
    shares = importance_in(flat_search(), FLAT)
    assert next(iter(shares)) == "strong"
    assert sum(shares.values()) == pytest.approx(1.0)
    # By hand: variances of uniform variables times 9, 1 and 0. A forest on 30 trials is less exact.
    assert shares["strong"] > 0.75 and shares["idle"] < 0.1


def test_a_child_that_matters_only_where_it_is_active_is_seen() -> None:
    generator = np.random.default_rng(1)
    drawn = [SPACE.random_configuration(generator) for _ in range(60)]
    values = [
        -abs(math.log10(each["sgd.learning_rate"]) + 1.5) if each["optimizer"] == "sgd" else -0.75
        for each in drawn
    ]
    shares = importance_in(measured(drawn, values), SPACE)
    assert max(shares, key=shares.__getitem__) == "sgd.learning_rate"
    assert shares["adamw.learning_rate"] < 0.1


@pytest.mark.parametrize("trials", [0, 1, 7])
def test_too_few_trials_give_no_importance(trials: int) -> None:
    assert importance_in(flat_search(trials), FLAT) == {}


def test_a_constant_objective_gives_no_importance() -> None:
    same = measured([{"strong": 0.1 * number, "weak": 0.5} for number in range(10)], [0.5] * 10)
    assert importance_in(same, FLAT) == {}


def test_malformed_values_are_ignored() -> None:
    broken = [{"strong": "0.3", "weak": 99.0, "old_name": 3}, {"weak": math.inf}, {"idle": True}]
    drawn = [broken[number % 3] | {"strong": 0.05 * number} for number in range(15)]
    shares = importance_in(measured(drawn, [float(number) for number in range(15)]), FLAT)
    assert max(shares, key=shares.__getitem__) == "strong"


@pytest.mark.slow
def test_the_mean_over_searches_is_weighted_by_similarity_and_has_an_agreement() -> None:
    parts = {
        "a": flat_search(30, 0, "a"),
        "b": flat_search(30, 1, "b"),
        "c": flat_search(3, 2, "c"),
    }
    each = {
        name: importance_in(part, FLAT)["strong"] for name, part in parts.items() if name != "c"
    }
    shares = {name: importance_in(part, FLAT) for name, part in parts.items()}
    found = importances(parts, shares, {"a": 1.0, "b": 0.5, "c": 1.0}, CLEAN)
    first = found[0]
    assert (first.hyperparameter, first.searches, first.trials) == ("strong", ("a", "b"), 60)
    assert first.importance == pytest.approx((each["a"] + 0.5 * each["b"]) / 1.5)
    assert first.agreement == pytest.approx(1 - abs(each["a"] - each["b"]))


def test_a_single_search_has_no_agreement() -> None:
    part = flat_search()
    found = importances({"a": part}, {"a": importance_in(part, FLAT)}, {"a": 1.0}, CLEAN)
    assert found[0].agreement is None


def test_a_space_of_constants_gives_no_importance() -> None:
    space = SearchSpace.from_distributions({"only": CategoricalDistribution(("a",))})
    part = measured([{"only": "a"}] * 9, [0.1 * number for number in range(9)])
    assert importance_in(part, space) == {}


def test_values_that_no_tree_tells_apart_give_no_importance() -> None:
    generator = np.random.default_rng(0)
    drawn = [FLAT.random_configuration(generator) for _ in range(9)]
    assert importance_in(measured(drawn, [0.0] * 8 + [5e-324]), FLAT) == {}


def test_a_range_that_floats_cannot_represent_gives_no_importance() -> None:
    wide = SearchSpace({"wide": FloatDistribution(-1e308, 1e308), **FLAT.distributions})
    generator = np.random.default_rng(0)
    drawn = [{"wide": 0.0, **FLAT.random_configuration(generator)} for _ in range(20)]
    part = measured(drawn, [each["strong"] for each in drawn])
    assert importance_in(part, wide).keys() == FLAT.distributions.keys()
    huge = SearchSpace({name: FloatDistribution(-1e150, 1e150) for name in FLAT.distributions})
    assert importance_in(part, huge) == {} or sum(importance_in(part, huge).values()) < 1.01

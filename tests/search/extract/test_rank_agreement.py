"""How well an earlier search predicts the order of this search's trials."""

from __future__ import annotations

import math

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from scipy.stats import kendalltau

from search.experience import Agreement
from search.extract.rank_agreement import FEWEST_OWN, agreements, compare_orders, predict
from search.history import Trial
from search.objectives import Objective
from search.space import SearchSpace
from tests.support.earlier_tasks import prior_trial

SPACE = SearchSpace(
    {
        "x": FloatDistribution(0.0, 1.0),
        "idle": FloatDistribution(0.0, 1.0),
        "kind": CategoricalDistribution(("a", "b")),
    }
)


def trials(
    search: str, number: int, best: float = 0.3, sign: float = 1.0, seed: int = 0
) -> list[Trial]:
    """Losses are the distance from the best x, times a sign."""
    generator = np.random.default_rng(seed)
    drawn = [SPACE.random_configuration(generator) for _ in range(number)]
    return [
        prior_trial("t", f"{search}-{index}", "complete", each, (sign * abs(each["x"] - best),),
                    search=search)
        for index, each in enumerate(drawn)
    ]  # fmt: skip


def agreed(earlier: list[Trial], own: list[Trial], **similarities: float) -> list[Agreement]:
    known = similarities or {trial.search: 0.5 for trial in earlier}
    return list(agreements(earlier, own, SPACE, [Objective("loss", "minimize")], known))


def test_orders_compared_by_hand() -> None:
    # Of the six pairs of 1, 2, 3, 4 and 1, 3, 2, 4 one is in the other order.
    order = compare_orders(np.array([1.0, 2, 3, 4]), np.array([1.0, 3, 2, 4]))
    assert (order.tau, order.pairs) == (pytest.approx(4 / 6), 6)
    # A tied pair does not count: 5 are left, all in the same order.
    order = compare_orders(np.array([1.0, 2, 2, 4]), np.array([1.0, 2, 3, 4]))
    assert (order.tau, order.pairs) == (1.0, 5)
    assert compare_orders(np.ones(4), np.arange(4.0)) == (0.0, -1.0, 1.0, 0)


def test_without_ties_it_is_scipys_tau() -> None:
    generator = np.random.default_rng(0)
    first, second = generator.normal(size=(2, 30))
    expected = kendalltau(first, second).statistic
    assert compare_orders(first, second).tau == pytest.approx(expected)


@pytest.mark.parametrize("trials_seen", [5, 16, 60])
@pytest.mark.parametrize("correlation", [0.0, 0.6, 0.95])
def test_the_interval_has_at_least_its_stated_coverage(
    trials_seen: int, correlation: float
) -> None:
    generator = np.random.default_rng(1)
    truth = 2 / math.pi * math.asin(correlation)  # of two normal variables
    held = 0
    for _ in range(400):
        first, rest = generator.normal(size=(2, trials_seen))
        second = correlation * first + math.sqrt(1 - correlation**2) * rest
        order = compare_orders(first, second)
        held += order.low <= truth <= order.high
    # 95 % of 400 less four standard deviations of 4.4; above zero the interval is too wide.
    assert held >= 362


def test_five_trials_in_the_same_order_have_a_wide_interval() -> None:
    order = compare_orders(np.arange(5.0), np.arange(5.0))
    assert order.tau == 1.0 and order.low < 0.3 and order.high == pytest.approx(1.0)


def test_a_similar_task_agrees_and_a_reversed_one_disagrees() -> None:
    earlier = trials("like", 40, seed=1) + trials("reversed", 40, sign=-1.0, seed=2)
    like, other = agreed(earlier, trials("own", 20, seed=3), like=0.4, reversed=0.9)[::-1]
    assert (like.search, other.search) == ("like", "reversed")  # the more similar came first
    assert like.order.low > 0.5 and other.order.high < -0.5
    assert (like.trials, like.source_trials, like.similarity) == (20, 40, 0.4)
    assert like.own_tau > 0.6 and other.own_tau > 0.6


def test_a_search_without_order_neither_agrees_nor_predicts_itself() -> None:
    generator = np.random.default_rng(0)
    noise = [
        prior_trial("t", "r", "complete", SPACE.random_configuration(generator),
                 (float(generator.random()),), True, "noise")
        for _ in range(60)
    ]  # fmt: skip
    (found,) = agreed(noise, trials("own", 20))
    # The best of eight cross-validations of chance; each has a standard deviation of .09.
    assert found.order.low < 0 < found.order.high and found.own_tau < 0.35


def test_irrelevant_columns_get_small_weights() -> None:
    generator = np.random.default_rng(0)
    known, points = generator.random((40, 8)), generator.random((200, 8))
    predicted, _ = predict(known, np.abs(known[:, 0] - 0.3), points)
    tau = compare_orders(predicted, np.abs(points[:, 0] - 0.3)).tau
    # Plain neighbours at their best number reach .41 to .57 in 20 draws of this, these .67 to .91.
    assert tau > 0.6


def test_values_far_outside_the_range_are_tolerated() -> None:
    far = [
        prior_trial("t", "r", "complete", {"x": 1e300, "idle": -1e300}, (5.0,), False, "like")
        for _ in range(3)
    ]
    (found,) = agreed(trials("like", 40, seed=1) + far, trials("own", 20, seed=3))
    assert found.order.tau > 0.5


def test_too_few_trials_on_either_side_give_no_agreement() -> None:
    assert agreed(trials("a", 40), trials("own", FEWEST_OWN - 1)) == []
    assert agreed(trials("a", 7), trials("own", 20)) == []
    assert agreed([], []) == []


def test_a_search_without_a_similarity_is_skipped() -> None:
    assert agreed(trials("a", 40), trials("own", 20), b=1.0) == []


def test_a_constant_objective_has_no_order() -> None:
    flat = [
        prior_trial("t", str(n), "complete", {"x": n / 20}, (0.5,), False, "own") for n in range(20)
    ]  # fmt: skip
    assert agreed(trials("a", 40), flat) == []
    (found,) = agreed(trials("a", 40), trials("own", 20)[:18] + flat[:2])
    assert found.order.pairs < 190

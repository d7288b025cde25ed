"""Regions hold the best quarter of earlier trials, in the new space."""

from __future__ import annotations

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution

from search.extract.regions import best_quarter, regions
from search.space import SearchSpace
from tests.support.synthetic_history import measured

SPACE = SearchSpace.from_distributions(
    {"rate": FloatDistribution(1e-4, 1.0, log=True), "kind": CategoricalDistribution(("a", "b"))}
)


def test_the_best_quarter_takes_whole_fronts() -> None:
    # Ranks by hand: the first two dominate the rest and not each other; a quarter of five is two.
    losses = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 2.0], [3.0, 3.0], [4.0, 4.0]])
    assert best_quarter(losses).tolist() == [True, True, False, False, False]
    assert best_quarter(np.array([[1.0], [0.0], [2.0], [3.0]])).tolist() == [
        False,
        True,
        False,
        False,
    ]
    assert best_quarter(np.empty((0, 2))).tolist() == []


def test_a_region_spans_the_best_on_the_scale_of_the_space() -> None:
    rates = [1e-4, 1e-3, 1e-2, 1e-1, 1.0, 0.5, 0.3, 2e-4]
    values = [0.1, 0.9, 0.8, 0.2, 0.1, 0.1, 0.1, 0.1]
    part = measured([{"rate": each, "kind": "a"} for each in rates], values)
    rate = regions({"cold": part}, SPACE)[0]
    # The best quarter of eight is two trials, 0.001 and 0.01: one decade of four.
    assert (rate.low, rate.high, rate.trials) == (1e-3, 1e-2, 2)
    assert rate.coverage == pytest.approx(0.25)
    assert rate.runs == ("cold-1", "cold-2") and rate.searches == ("cold",)


def test_categories_have_their_share_of_the_best_and_of_all() -> None:
    kinds = ["a", "b", "b", "b", "a", "b", "b", "b"]
    part = measured([{"rate": 0.1, "kind": kind} for kind in kinds], [9, 1, 1, 1, 8, 1, 1, 1])
    kind = regions({"cold": part}, SPACE)[1]
    assert [(each.value, each.share_of_best, each.share_of_all) for each in kind.categories] == [
        ("a", 1.0, 0.25),
        ("b", 0.0, 0.75),
    ]


def test_values_outside_the_new_space_are_unchanged_and_cover_nothing_of_it() -> None:
    configurations = [{"rate": 50.0, "kind": "gone"} for _ in range(8)]
    part = measured(configurations, [float(number) for number in range(8)])
    (rate,) = regions({"cold": part}, SPACE)
    assert (rate.low, rate.high, rate.coverage) == (50.0, 50.0, 0.0)


def test_foreign_or_few_trials_have_no_region() -> None:
    assert regions({}, SPACE) == ()
    assert regions({"cold": measured([{"other": 1}] * 9, list(range(9)))}, SPACE) == ()
    assert regions({"cold": measured([{"rate": 0.1}] * 7, list(range(7)))}, SPACE) == ()


def test_searches_of_easier_tasks_do_not_dominate() -> None:
    easy = measured([{"rate": 1e-3, "kind": "a"}] * 8, [0.99 + 0.001 * n for n in range(8)])
    hard = measured([{"rate": 1e-1, "kind": "b"}] * 8, [0.50 + 0.001 * n for n in range(8)])
    kind = regions({"easy": easy, "hard": hard}, SPACE)[1]
    assert [each.share_of_best for each in kind.categories] == [0.5, 0.5]

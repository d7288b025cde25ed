"""Fronts, ranks, hypervolume and the epsilon-net against hand-worked and brute-force answers."""

from __future__ import annotations

import numpy as np
import pytest

from search.objectives import Objective, pareto

NAN = float("nan")


def brute_front(rows: np.ndarray) -> np.ndarray:
    def dominates(a: np.ndarray, b: np.ndarray) -> bool:
        return bool((a <= b).all() and (a < b).any())

    return np.array([not any(dominates(other, row) for other in rows) for row in rows])


def brute_ranks(rows: np.ndarray) -> list[int]:
    result, rank, left = [-1] * len(rows), 0, list(range(len(rows)))
    while left:
        best = brute_front(rows[left])
        for index, is_best in zip(list(left), best, strict=True):
            if is_best:
                result[index] = rank
                left.remove(index)
        rank += 1
    return result


def test_maximised_objectives_change_their_sign():
    objectives = [Objective("accuracy", "maximize"), Objective("seconds", "minimize")]
    assert pareto.losses([[0.9, 3.0]], objectives).tolist() == [[-0.9, 3.0]]
    assert pareto.losses([], objectives).shape == (0, 2)


def test_a_misspelt_direction_is_named():
    with pytest.raises(ValueError, match="'max'"):
        Objective("accuracy", "max")


def test_values_with_another_number_of_objectives_are_refused():
    with pytest.raises(ValueError, match="2 objectives"):
        pareto.losses([[1.0]], [Objective("loss", "minimize"), Objective("seconds", "minimize")])


def test_the_front_of_a_case_worked_by_hand():
    rows = [[1, 4], [2, 2], [4, 1], [3, 3], [2, 2], [1, 5]]
    assert pareto.front(rows).tolist() == [True, True, True, False, True, False]
    assert pareto.ranks(rows).tolist() == [0, 0, 0, 1, 0, 1]


@pytest.mark.parametrize("objectives", [1, 2, 3, 4])
def test_fronts_and_ranks_agree_with_brute_force(objectives):
    generator = np.random.default_rng(objectives)
    for _ in range(20):
        rows = generator.integers(0, 5, (25, objectives)).astype(float)  # many ties
        assert pareto.front(rows).tolist() == brute_front(rows).tolist()
        assert pareto.ranks(rows).tolist() == brute_ranks(rows)


def test_rows_with_nan_are_never_on_the_front_and_rank_last():
    rows = [[NAN, -9.0], [1.0, 1.0], [2.0, 2.0], [0.0, NAN]]
    assert pareto.front(rows).tolist() == [False, True, False, False]
    assert pareto.ranks(rows).tolist() == [2, 0, 1, 2]
    assert pareto.ranks([[NAN, NAN]]).tolist() == [1]
    assert pareto.order(rows).tolist()[:2] == [1, 2]


def test_nothing_has_an_empty_front():
    empty = np.empty((0, 2))
    assert pareto.front(empty).tolist() == []
    assert pareto.ranks(empty).tolist() == []
    assert pareto.order(empty).tolist() == []
    assert pareto.hypervolume(empty, [1.0, 1.0]) == 0.0
    assert pareto.hypervolume([], [1.0, 1.0]) == 0.0


def test_hypervolumes_worked_by_hand():
    assert pareto.hypervolume([[0.25]], [1.0]) == 0.75
    # Three steps of a staircase under (5, 5): 4 * 1 + 3 * 2 + 1 * 1.
    assert pareto.hypervolume([[1, 4], [2, 2], [4, 1], [3, 3]], [5, 5]) == 11.0
    # Two boxes of volume 2 that share a unit cube.
    assert pareto.hypervolume([[0, 1, 1], [1, 0, 1]], [2, 2, 2]) == 3.0


def test_points_beyond_the_reference_and_nan_add_no_volume():
    assert pareto.hypervolume([[0, 2], [1, 1], [NAN, 0]], [2, 2]) == 1.0


@pytest.mark.parametrize("objectives", [2, 3, 4])
def test_the_hypervolume_agrees_with_random_points(objectives):
    generator = np.random.default_rng(objectives)
    points = generator.random((40_000, objectives))
    for _ in range(5):
        rows = generator.random((12, objectives))
        exact = pareto.hypervolume(rows, np.ones(objectives))
        hits = (points[:, None, :] >= rows[None]).all(axis=2).any(axis=1)
        # 5 standard errors of a share of 40,000 points: 15 comparisons, false alarm below 1e-5.
        assert hits.mean() == pytest.approx(exact, abs=5 * hits.std() / 200)


def test_a_reference_of_another_length_is_refused():
    with pytest.raises(ValueError, match="reference"):
        pareto.hypervolume([[1.0, 2.0]], [3.0])
    with pytest.raises(ValueError, match="finite"):
        pareto.hypervolume([[1.0, 2.0]], [3.0, float("inf")])


def test_the_epsilon_net_takes_the_ends_before_what_lies_between():
    rows = [[0, 10], [1, 9], [5, 5], [9, 1], [10, 0]]
    # Best in the first objective, its far end, the middle; then a tie, which the index breaks.
    assert pareto.epsilon_net_order(rows).tolist() == [0, 4, 2, 1, 3]


def test_the_epsilon_net_does_not_depend_on_units():
    rows = np.random.default_rng(0).random((15, 2))
    # A power of two scales exactly, so distances tie or differ as before.
    assert (
        pareto.epsilon_net_order(rows).tolist()
        == pareto.epsilon_net_order(rows * [1.0, 1024.0]).tolist()
    )


def test_the_epsilon_net_is_a_permutation_with_nan_and_infinity():
    rows = [[NAN, 1], [float("inf"), 0], [0, float("inf")], [1, 1], [1, 1]]
    assert sorted(pareto.epsilon_net_order(rows).tolist()) == [0, 1, 2, 3, 4]
    assert pareto.epsilon_net_order(rows).tolist()[-1] == 0


def test_with_one_objective_the_order_is_the_ordinary_one():
    rows = np.array([[0.3], [0.1], [NAN], [0.2]])
    assert pareto.order(rows).tolist() == [1, 3, 0, 2]


def test_ranks_of_one_objective_are_dense_and_nan_comes_last():
    rows = [[2.0], [1.0], [np.nan], [2.0], [0.5], [np.nan]]
    # Worked by hand: 0.5, 1.0 and 2.0 are three fronts; NaN shares the rank after the last.
    assert pareto.ranks(rows).tolist() == [2, 1, 3, 2, 0, 3]
    assert pareto.ranks([[np.nan]]).tolist() == [1]
    assert pareto.ranks(np.empty((0, 1))).tolist() == []

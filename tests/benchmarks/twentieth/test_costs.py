"""What a search costs, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.twentieth.costs import Recorded, first_at_most, trained_costs


def test_the_cost_is_the_trial_that_reaches_the_goal_or_one_more_than_all() -> None:
    curve = np.array([0.5, 0.4, 0.4, 0.1])
    assert [first_at_most(curve, goal) for goal in (0.6, 0.4, 0.1, 0.0)] == [1, 2, 4, 5]


def test_costs_are_relative_to_what_cold_searches_of_the_task_need() -> None:
    # Goal: the mean of 0.2 and 0.4; cold needs 2 and (never) 4 trials, so 3.
    cold = {"a": np.array([[0.5, 0.2, 0.2], [0.6, 0.5, 0.4]])}
    regret = np.array([[[0.3, 0.3, 0.3], [0.9, 0.9, 0.3], [0.9, 0.9, 0.9]]])
    found = Recorded([["a", "a", "a"]], regret, {"tpe": cold, "twentieth-cold": cold})
    assert found.costs()[0] == pytest.approx([1 / 3, 3 / 3, 4 / 3])
    assert found.own_cold() == pytest.approx(1.0)
    assert found.recurs().tolist() == [[False, True, True]]
    assert found.reached().tolist() == [[1.0, 1.0, 0.0]]


def test_real_searches_are_compared_task_by_task_wherever_they_stand() -> None:
    done = [
        {"tasks": ["x", "y"], "volumes": {"warm": [[1, 2], [7, 9]], "cold": [[1, 2], [5, 8]]}},
        {"tasks": ["y", "x"], "volumes": {"warm": [[6, 7], [3, 3]], "cold": [[6, 7], [2, 3]]}},
    ]
    # Goals: x the median of 2 and 3, y that of 8 and 7.
    costs = trained_costs(done)
    assert costs["warm"].tolist() == [[3, 2], [3, 1]]
    assert costs["cold"].tolist() == [[3, 2], [3, 2]]

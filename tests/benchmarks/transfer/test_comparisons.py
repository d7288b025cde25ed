"""What is compared: paired over seeds, tasks first, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.transfer.comparisons import (
    difference,
    ratio,
    trials_to,
    trials_to_cold,
)


def test_trials_to_a_goal_are_counted_from_one_and_one_more_than_all_if_never() -> None:
    means = np.array([[3.0, 2.0, 1.0], [3.0, 3.0, 3.0], [1.0, 1.0, 1.0]])
    assert trials_to(means, np.array([2.0, 1.0, 1.0])) == 2  # of 2, 4 and 1
    assert trials_to(means[:1], np.array([1.0])) == 3
    assert trials_to(means[1:2], np.array([1.0])) == 4


def test_the_curve_that_is_compared_is_the_mean_of_seeds() -> None:
    curves = np.array([[[4.0, 0.0, 0.0], [4.0, 4.0, 0.0]]])
    cold = np.array([[[9.0, 9.0, 2.0], [9.0, 9.0, 2.0]]])
    middle, low, high = trials_to_cold(curves, cold)
    assert (middle, low, high) == (2, 2, 3)  # drawing the second seed twice needs 3


def test_what_seeds_share_cancels_in_the_difference_and_tasks_go_first() -> None:
    noise = np.array([5.0, -3.0, 1.0])
    others = np.stack([noise, -noise])[..., None] + np.array([0.0, 0.5, 1.0])[:, None]
    curves = others - np.array([0.2, 0.4])[:, None, None]
    assert difference(curves, others, 1) == pytest.approx((-0.3, -0.3, -0.3))


def test_a_ratio_of_proportional_curves_is_certain() -> None:
    others = np.array([[[1.0], [2.0], [4.0]]])
    assert ratio(0.5 * others, others, 1) == pytest.approx((0.5, 0.5, 0.5))

"""Scores: losses as models see them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.stats import norm

from search.apply.scores import (
    ceilings_of,
    complete_losses,
    normal_scores,
    score_of,
    warped_scores,
)
from tests.support.earlier_tasks import unnamed

# Apart by more than rounding, so that order is never a matter of it.
LOSSES = arrays.arrays(
    float, st.tuples(st.integers(1, 30), st.integers(1, 3)), elements=st.integers(-50, 50)
)


def test_normal_scores_are_the_normal_quantiles_of_middle_ranks():
    # By hand: of four values the ranks lie at 1/8, 3/8, 5/8 and 7/8; 10 is the third, and so on.
    found = normal_scores(np.array([[10.0], [-3.0], [1e9], [2.0]]))
    assert found[:, 0] == pytest.approx(norm.ppf([5 / 8, 1 / 8, 7 / 8, 3 / 8]))


def test_equal_losses_share_a_score_and_columns_are_ranked_apart():
    found = normal_scores(np.array([[1.0, 9.0], [1.0, 8.0]]))
    assert found.tolist() == [[0.0, pytest.approx(0.6745, abs=1e-4)],
                              [0.0, pytest.approx(-0.6745, abs=1e-4)]]  # fmt: skip


@given(LOSSES)
def test_no_unit_or_skew_changes_normal_scores(losses):
    assert normal_scores(np.exp(losses / 10.0) * 7 - 3).tolist() == normal_scores(losses).tolist()


@pytest.mark.parametrize("scores", [normal_scores, warped_scores])
@given(losses=LOSSES)
def test_a_smaller_loss_has_a_smaller_score(scores, losses):
    found = scores(losses)
    assert found.shape == losses.shape
    assert np.isfinite(found).all()
    for column, values in zip(found.T, losses.T, strict=True):
        order = np.argsort(values, kind="stable")
        gaps, steps = np.diff(values[order]), np.diff(column[order])
        assert (steps[gaps > 0] > 0).all()
        assert np.abs(steps[gaps == 0]).max(initial=0.0) < 1e-12


@pytest.mark.slow
@given(LOSSES, st.floats(0.01, 100), st.floats(-100, 100))
def test_units_do_not_change_warped_scores(losses, scale, shift):
    assume((np.median(losses, axis=0) > losses.min(axis=0)).all())
    moved = warped_scores(losses * scale + shift)
    assert moved == pytest.approx(warped_scores(losses), abs=1e-6)


def test_units_do_not_change_warped_scores_where_most_trials_are_equally_good():
    losses = np.array([[0.0], [0.0], [0.0], [1.0], [2.0]])
    assert warped_scores(1e3 * losses) == pytest.approx(warped_scores(losses), abs=1e-6)


def test_warped_scores_keep_how_much_better_the_best_are_and_squash_the_bad():
    losses = np.array([[0.0], [9.0], [10.0], [11.0], [1e6]])
    ranks = normal_scores(losses)[:, 0]
    # By rank the best is as far ahead of the rest as the worst behind them.
    assert ranks[1] - ranks[0] == pytest.approx(ranks[4] - ranks[3])
    # Ranks are a tenth of the scores, the rest are values, whose deviation is 1.
    values = (warped_scores(losses)[:, 0] - 0.1 * ranks) / 0.9
    assert values.mean() == pytest.approx(0) and values.std() == pytest.approx(1)
    # A step of 9 below the median is nine times one of 1 in the half that keeps values.
    assert (values[1] - values[0]) / (values[2] - values[1]) == pytest.approx(9.0)
    # Losses count by the root mean square below the median, sqrt((100 + 1) / 3) = 5.8. So the gap
    # of a million counts 12.1 - 0.2, its logarithm, and the step of 9 counts 1.55: 7.7 times less.
    assert values[4] - values[3] == pytest.approx(7.7 * (values[1] - values[0]), rel=0.01)


def test_no_trials_have_no_scores():
    for scores in (normal_scores, warped_scores):
        assert scores(np.empty((0, 2))).shape == (0, 2)
        assert scores(np.array([[3.0, 4.0]])).tolist() == [[0.0, 0.0]]


def test_a_stopped_trial_counts_as_the_worst_complete_one():
    found = complete_losses(
        [(0.9, 5.0), (), (0.6, 2.0)], [0.0] * 3, unnamed(["maximize", "minimize"])
    )
    assert found.tolist() == [[-0.9, 5.0], [-0.6, 5.0], [-0.6, 2.0]]


def test_a_violation_is_worse_than_every_loss_and_the_worse_the_larger():
    values = [(3.0,), (-5.0,), (1.0,), ()]
    found = complete_losses(values, [0.0, 0.5, 2.0, 0.0], unnamed(["minimize"]))[:, 0]
    # By hand: the worst is 3, the spread 8 + 1, so 3 + 9 * 1.5 and 3 + 9 * 3.
    assert found.tolist() == [3.0, 16.5, 30.0, 3.0]


def test_without_a_complete_trial_stopped_ones_are_equal_and_none_is_no_error():
    assert (
        complete_losses([(), ()], [0.0, 0.0], unnamed(["minimize"] * 2)).tolist()
        == [[0.0, 0.0]] * 2
    )
    assert complete_losses([(), ()], [1.0, 0.0], unnamed(["minimize"])).tolist() == [[2.0], [0.0]]
    assert complete_losses([], [], unnamed(["minimize"] * 2)).shape == (0, 2)


def test_a_loss_stands_between_those_around_it_and_beyond_them_on_a_line():
    losses, scores = np.array([4.0, 0.0, 2.0]), np.array([1.0, -1.0, 0.5])
    assert score_of(2.0, losses, scores) == 0.5
    assert score_of(1.0, losses, scores) == pytest.approx(-0.25)
    # Beyond the ends with the slope between them, 2 in 4.
    assert score_of(6.0, losses, scores) == pytest.approx(2.0)
    assert score_of(-2.0, losses, scores) == pytest.approx(-2.0)
    assert score_of(3.0, np.array([1.0]), np.array([0.0])) == 2.0


def test_constraints_are_the_last_columns_and_kept_up_to_where_zero_stands():
    losses = np.array([[9.0, -1.0], [8.0, 1.0]])
    scores = np.array([[1.0, -0.5], [-1.0, 0.5]])
    assert ceilings_of(losses, scores, 1).tolist() == [0.0]
    assert ceilings_of(losses, scores, 2).shape == (0,)

"""The failure model, against an independent fit and by its properties."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import expit
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression

from search.extract.failure_model import (
    CROSSED_AT_MOST,
    LEVEL,
    SQUARED_AT_MOST,
    Belief,
    before_any_trial,
    features_of,
    learn,
    learn_from_tasks,
)

GENERATOR = np.random.default_rng(0)


def points_and_failures(count: int = 60, at: float = 0.7) -> tuple[np.ndarray, np.ndarray]:
    points = np.random.default_rng(1).random((count, 2))
    return points, points[:, 0] > at


def test_features_are_a_constant_positions_squares_and_products() -> None:
    # 0.75 and 0 are 0.5 and -1 in [-1, 1].
    assert features_of(np.array([[0.75, 0.0]])).tolist() == [[1.0, 0.5, -1.0, 0.25, -0.5, 1.0]]
    wide = CROSSED_AT_MOST + 1
    assert features_of(np.zeros((3, wide))).shape == (3, 1 + 2 * wide)
    wider = SQUARED_AT_MOST + 1
    assert features_of(np.zeros((3, wider))).shape == (3, 1 + wider)
    assert len(before_any_trial(wider).mean) == 1 + wider


def test_without_trials_the_belief_stays_and_the_evidence_is_1() -> None:
    before = before_any_trial(2)
    after, evidence = learn(before, features_of(np.empty((0, 2))), np.empty(0, dtype=bool))
    assert evidence == pytest.approx(0.0, abs=1e-9)
    np.testing.assert_allclose(after.mean, before.mean, atol=1e-9)
    np.testing.assert_allclose(after.covariance, before.covariance, atol=1e-9)


def test_the_mean_is_that_of_penalised_logistic_regression() -> None:
    """Scikit-learn's fit with the same penalty: unit variances, mean 0."""
    points, has_failed = points_and_failures()
    features = features_of(points)
    size = features.shape[1]
    found, _ = learn(Belief(np.zeros(size), np.eye(size)), features, has_failed)
    other = LogisticRegression(C=1.0, fit_intercept=False, tol=1e-10, max_iter=10_000)
    other.fit(features, has_failed)
    np.testing.assert_allclose(found.mean, other.coef_[0], atol=1e-4)


def test_the_evidence_of_one_trial_is_near_the_integral() -> None:
    """One coefficient: Laplace's approximation is within 5 % of the exact evidence."""
    belief = Belief(np.array([-1.0]), np.array([[2.0]]))
    found = learn(belief, np.ones((1, 1)), np.array([True]))[1]
    exact = quad(lambda odds: expit(odds) * norm.pdf(odds, -1.0, np.sqrt(2.0)), -20, 20)[0]
    assert np.exp(found) == pytest.approx(exact, rel=0.05)


def test_what_failed_is_probable_and_what_did_not_is_not() -> None:
    points, has_failed = points_and_failures()
    belief, _ = learn(before_any_trial(2), features_of(points), has_failed)
    chances = belief.probability(features_of(np.array([[0.95, 0.5], [0.1, 0.5]])))
    assert chances[0] > 0.9 and chances[1] < 0.1


def test_before_any_trial_a_failure_is_possible_and_nowhere_probable() -> None:
    chances = before_any_trial(3).probability(features_of(GENERATOR.random((100, 3))))
    assert (chances > expit(LEVEL)).all() and (chances < 0.5).all()


def test_the_order_of_trials_does_not_matter_and_they_may_come_in_parts() -> None:
    points, has_failed = points_and_failures(20)
    features = features_of(points)
    at_once, _ = learn(before_any_trial(2), features, has_failed)
    back, _ = learn(before_any_trial(2), features[::-1], has_failed[::-1])
    np.testing.assert_allclose(at_once.mean, back.mean, atol=1e-6)


@pytest.mark.parametrize("has_failed", [True, False])
def test_outcomes_that_are_all_alike_have_a_finite_belief(has_failed: bool) -> None:
    features = features_of(GENERATOR.random((200, 2)))
    belief, evidence = learn(before_any_trial(2), features, np.full(200, has_failed))
    assert np.isfinite(belief.mean).all() and np.isfinite(evidence)


def test_points_far_outside_the_space_have_a_finite_belief() -> None:
    features = features_of(np.array([[3.0, -2.0], [0.5, 0.5], [-2.0, 3.0]]))
    belief, _ = learn(before_any_trial(2), features, np.array([True, False, True]))
    assert np.isfinite(belief.probability(features)).all()


def test_of_another_task_the_same_is_believed_with_less_certainty() -> None:
    points, has_failed = points_and_failures()
    features = features_of(points)
    here, _ = learn(before_any_trial(2), features, has_failed)
    there = learn_from_tasks(before_any_trial(2), features, has_failed, ["a"] * len(points))
    assert (np.diag(there.covariance) > np.diag(here.covariance)).all()
    chances = there.probability(features_of(np.array([[0.95, 0.5], [0.1, 0.5]])))
    assert 0.5 < chances[0] < here.probability(features_of(np.array([[0.95, 0.5]])))[0]
    assert chances[1] < 0.2


def test_tasks_that_fail_at_other_shares_share_their_slope() -> None:
    """Task b fails from 0.5 on, task a from 0.9 on; the slope is learned from both."""
    points = np.random.default_rng(2).random((80, 1))
    tasks = ["a"] * 40 + ["b"] * 40
    has_failed = np.r_[points[:40, 0] > 0.9, points[40:, 0] > 0.5]
    found = learn_from_tasks(before_any_trial(1), features_of(points), has_failed, tasks)
    chances = found.probability(features_of(np.array([[0.0], [0.7], [1.0]])))
    assert chances[0] < 0.15 < chances[1] < chances[2]

"""Expected gain: predictions in the unit that people read."""

from __future__ import annotations

import numpy as np
import pytest

from search.apply.acquisition import Predicted
from search.apply.expected_gain import forecast
from search.objectives import Objective

UP, DOWN = Objective("accuracy", "maximize"), Objective("seconds", "minimize")
# Scores that are a line of the losses, ten to one: 0.1 of a loss is one score.
LOSSES = np.array([[-0.9], [-0.8], [-0.7], [-0.6]])
SCORES = (LOSSES + 0.8) * 10


def predicted(means: list[list[float]], variances: list[list[float]], known: np.ndarray, **more):
    usual = {"ceilings": np.empty(0), "is_feasible": np.ones(len(known), dtype=bool)}
    return Predicted(np.array(means), np.array(variances), known, **usual | more)


def test_the_gain_is_in_the_unit_of_the_objective():
    # A candidate that equals the best improves by sd * phi(0) = 0.3989 sd.
    found = forecast(predicted([[-1.0]], [[4.0]], SCORES), 0, LOSSES, SCORES, [UP])
    assert found["gain"] == pytest.approx(0.3989 * 2 * 0.1, rel=1e-3)
    assert found["probability"] == pytest.approx(0.5)
    mean, low, high = found["value"]["accuracy"]
    # 1.96 scores of 2 each beyond the best are 0.392; below, the worst value is the end.
    assert (mean, low, high) == pytest.approx((0.9, 0.6, 0.9 + 0.392))


def test_the_gain_falls_where_a_constraint_is_probably_missed():
    both = np.hstack([SCORES, SCORES * 0])
    there = predicted([[-1.0, 0.0]], [[4.0, 1.0]], both, ceilings=np.array([0.0]))
    half = forecast(there, 0, np.hstack([LOSSES, LOSSES]), both, [UP])
    assert half["gain"] == pytest.approx(0.5 * 0.3989 * 2 * 0.1, rel=1e-3)


def test_of_two_objectives_the_gain_is_a_share_of_the_hypervolume():
    known = np.array([[0.0, 1.0], [1.0, 0.0]])
    # Sure of (0, 0), it adds the square that both leave, of the volume up to (1.1, 1.1).
    sure = predicted([[0.0, 0.0]], [[1e-12, 1e-12]], known)
    found = forecast(sure, 0, known, known, [UP, DOWN])
    assert found["gain"] == pytest.approx(1.0 / (1.1**2 - 1.0), rel=1e-3)
    assert found["value"]["accuracy"] == pytest.approx([0.0] * 3, abs=1e-4)


def test_three_objectives_have_values_but_no_gain():
    known = np.eye(3)
    found = forecast(predicted([[0.0] * 3], [[1.0] * 3], known), 0, known, known, [UP, DOWN, DOWN])
    assert "gain" not in found


def test_while_no_trial_is_feasible_there_is_no_gain():
    there = predicted([[0.0]], [[1.0]], SCORES, is_feasible=np.zeros(4, dtype=bool))
    assert "gain" not in forecast(there, 0, LOSSES, SCORES, [UP])


def test_equal_results_gain_nothing():
    equal = np.zeros((4, 1))
    assert forecast(predicted([[0.0]], [[1.0]], equal), 0, equal, equal, [UP])["gain"] == 0.0


def test_no_accuracy_is_expected_to_exceed_1():
    clean = Objective("accuracy.clean", "maximize")
    found = forecast(predicted([[-1.0]], [[4.0]], SCORES), 0, LOSSES, SCORES, [clean])
    assert found["value"]["accuracy.clean"] == pytest.approx((0.9, 0.6, 1.0))

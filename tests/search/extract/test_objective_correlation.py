"""Rank correlation of two objectives within each search."""

from __future__ import annotations

import pytest

from search.extract.objective_correlation import objective_correlations
from search.extract.objective_matrix import ObjectiveMatrix, objective_matrix
from search.objectives.objective import from_lists
from tests.support.synthetic_history import CLEAN, ROBUST, history, row


def measured(first: list[float], second: list[float], directions: list[str]) -> ObjectiveMatrix:
    pairs = zip(first, second, strict=True)
    rows = [row(number, pair, directions=directions) for number, pair in enumerate(pairs)]
    return objective_matrix(history(rows).prior_trials(), from_lists([CLEAN, ROBUST], directions))


UP = [float(number) for number in range(8)]
BOTH = ["maximize", "maximize"]
GOALS = from_lists([CLEAN, ROBUST], BOTH)


def test_objectives_that_rise_together_correlate_and_the_direction_sets_the_sign() -> None:
    (together,) = objective_correlations({"s": measured(UP, UP, BOTH)}, GOALS)
    (apart,) = objective_correlations({"s": measured(UP, UP, ["maximize", "minimize"])}, GOALS)
    assert together.correlation == pytest.approx(1.0)
    assert apart.correlation == pytest.approx(-1.0)
    assert (together.trials, together.searches) == (8, ("s",))


def test_searches_are_averaged_by_their_trials_and_never_pooled() -> None:
    # The second search is easier in both objectives: pooled, the two would correlate by that alone.
    low = measured(UP, UP[::-1], BOTH)
    high = measured([100 + each for each in UP * 2], [100 - each for each in UP * 2], BOTH)
    (found,) = objective_correlations({"low": low, "high": high}, GOALS)
    assert found.correlation == pytest.approx(-1.0)
    assert found.trials == 24


def test_few_trials_constants_and_single_objectives_give_no_correlation() -> None:
    assert objective_correlations({"s": measured(UP[:7], UP[:7], BOTH)}, GOALS) == ()
    assert objective_correlations({"s": measured(UP, [1.0] * 8, BOTH)}, GOALS) == ()
    assert objective_correlations({}, [CLEAN]) == ()

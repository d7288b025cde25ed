"""One selection of trials for every method, with a reason for each trial left out."""

from __future__ import annotations

import math

from search.extract.objective_matrix import objective_matrix
from search.objectives import Objective
from tests.support.synthetic_history import BOTH, CLEAN, ROBUST, history, points, row


def test_losses_negate_maximised_objectives() -> None:
    trials = history([row(0, [0.9, 0.4])]).prior_trials()
    measured = objective_matrix(trials, BOTH)
    assert measured.values.tolist() == [[0.9, 0.4]]
    assert measured.losses.tolist() == [[-0.9, -0.4]]


def test_a_metric_that_was_not_an_objective_counts_with_its_last_epoch() -> None:
    only_clean = row(0, [0.9], curves=points(ROBUST, {1: 0.2, 5: 0.5, 3: 0.3}))
    trials = history([only_clean]).prior_trials()
    assert objective_matrix(trials, BOTH).values.tolist() == [[0.9, 0.5]]
    assert math.isnan(trials[0].value_of("nothing"))


def test_trials_without_an_objective_or_against_its_direction_are_left_out_with_a_reason() -> None:
    rows = [
        row(0, [0.9]),
        row(1, [0.9, 0.5], directions=["maximize", "minimize"]),
        row(2, [math.nan, 0.5]),
        row(3, [0.9, 0.5]),
        row(4, [], state="stopped"),
    ]
    measured = objective_matrix(history(rows).prior_trials(state=None), BOTH)
    assert [trial.number for trial in measured.trials] == [3]
    assert [(row.run_id, row.reason) for row in measured.left_out] == [
        ("cold-0", f"has no finite value of {ROBUST}"),
        ("cold-1", f"was to minimize {ROBUST}, this search is to maximize it"),
        ("cold-2", f"has no finite value of {CLEAN}"),
    ]


def test_an_error_that_was_renamed_to_an_accuracy_changes_sign() -> None:
    rows = [row(0, [0.3], directions=["minimize"]), row(1, [0.9])]
    measured = objective_matrix(
        history(rows).prior_trials(), [Objective(CLEAN, "maximize")], [CLEAN]
    )
    assert measured.values.tolist() == [[0.3], [0.9]]
    assert measured.losses.tolist() == [[0.3], [-0.9]]
    assert measured.turned.tolist() == [[True], [False]]
    nonsense = history([row(0, [0.3], directions=["up"])]).prior_trials()
    assert len(objective_matrix(nonsense, [Objective(CLEAN, "maximize")], [CLEAN])) == 0


def test_a_missing_value_is_not_measured() -> None:
    trials = history([row(0, [None])]).prior_trials()
    assert (
        objective_matrix(trials, [Objective(CLEAN, "maximize")]).left_out[0].reason
        == f"has no finite value of {CLEAN}"
    )


def test_no_trials_give_empty_matrices_of_the_right_width() -> None:
    measured = objective_matrix([], BOTH)
    assert measured.values.shape == measured.losses.shape == (0, 2)

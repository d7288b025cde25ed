"""What a search on recorded curves costs, by hand, and what its history claims."""

from __future__ import annotations

import numpy as np
import pytest
from optuna.samplers import RandomSampler

from benchmarks.curves.costs import Goal, epochs_to, goal_of, ratio_of
from benchmarks.curves.histories import history_of
from benchmarks.curves.recorded import EPOCHS, NAMES, Task, sequence_of
from benchmarks.curves.searches import search
from search.history.table import trials_from_table

# Three configurations: losses fall to .5, .2 and .8, each by equal steps from 1.
ENDS = (0.5, 0.2, 0.8)
TASK = Task(
    "t",
    np.array([[0.0] * 8, [0.5] * 8, [1.0] * 8]),
    np.array([np.linspace(1.0, end, EPOCHS) for end in ENDS]),
)


def found(rows, epochs=None):
    places = [dict.fromkeys(NAMES, TASK.points[row, 0]) for row in rows]
    return {"rows": rows, "epochs": epochs or [EPOCHS] * len(rows), "configurations": places}


def test_each_task_is_the_target_equally_often():
    assert [int(sequence_of(number, 12)[0]) for number in range(12)] == list(range(12))
    assert sorted(sequence_of(100, 12)) == list(range(12))


def test_a_configuration_that_was_not_recorded_answers_with_the_nearest_one():
    assert TASK.row_of(dict.fromkeys(NAMES, 0.7)) == 1
    assert TASK.row_of(dict.fromkeys(NAMES, 0.9)) == 2


def test_the_cost_is_counted_in_epochs_of_all_trials_to_the_first_that_shows_the_value():
    # .5 is the end of the first curve; the second one is there when 1 - .8 k / 49 <= .5.
    assert epochs_to(TASK, [2, 0], 0.5) == 2 * EPOCHS
    assert epochs_to(TASK, [2, 1], 0.5) == EPOCHS + 1 + int(np.ceil(0.5 * 49 / 0.8))
    assert epochs_to(TASK, [2, 2], 0.5) == 2 * EPOCHS


def test_a_goal_is_the_mean_of_what_cold_searches_have_and_spend():
    goal = goal_of(TASK, [found([2, 0]), found([1, 1])], 2)
    assert goal.loss == pytest.approx((0.5 + 0.2) / 2)
    first = 1 + int(np.ceil(0.65 * 49 / 0.8))
    assert goal.epochs == pytest.approx((2 * EPOCHS + first) / 2)
    assert goal.own == pytest.approx((1.0, first / goal.epochs))


def test_stopped_trials_cost_what_they_ran_and_a_search_costs_at_most_one():
    goal = Goal(0.5, 200.0, ())
    assert ratio_of(TASK, found([2, 0], [7, EPOCHS]), goal) == pytest.approx(57 / 200)
    assert ratio_of(TASK, found([2, 1], [7, 7]), goal) == 1.0


def test_a_search_ends_with_the_epoch_that_shows_its_target():
    done = search(TASK, RandomSampler(seed=0), target=0.999)
    assert done["is_reached"]
    assert done["epochs"] == [2]


def test_a_stopped_trial_is_told_as_stopped_and_costs_its_epochs():
    done = search(TASK, RandomSampler(seed=0), trials=3, stops=lambda _, losses: len(losses) == 4)
    assert done["epochs"] == [4, 4, 4]


def claimed(kind):
    history = history_of({"t": found([0, 1, 2])}, {"t": TASK}, kind, 0)
    return trials_from_table(history.trials)


def test_inverted_history_says_that_the_best_was_the_worst_curves_and_all():
    trials = claimed("inverted")
    assert [trial.values[0] for trial in trials] == pytest.approx([0.5, 0.8, 0.2])
    assert trials[1].curves["loss"][EPOCHS] == pytest.approx(0.8)


def test_crossing_history_has_the_true_end_and_the_wrong_beginning():
    best = claimed("crossing")[1]
    assert best.values[0] == pytest.approx(0.2)
    assert best.curves["loss"][EPOCHS // 2] == pytest.approx(TASK.curves[2, EPOCHS // 2 - 1])


def test_a_faster_history_shows_the_end_at_a_third_of_the_epochs():
    assert claimed("faster")[0].curves["loss"][17] == pytest.approx(0.5)


def test_a_history_cut_by_halving_has_stopped_trials_without_values():
    trials = claimed("asha")
    assert [trial.state for trial in trials] == ["complete", "complete", "stopped"]
    assert trials[2].values == ()
    assert trials[2].epoch == 2

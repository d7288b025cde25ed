"""What a stopped trial is expected to have had, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from search.apply.predicted_ends import REPORTED, VARIANCE, predicted_ends
from search.history import Trial
from search.objectives import Objective

LOSS = (Objective("loss", "minimize"),)


def trial(state, values=(), **curves):
    return Trial(state=state, configuration={"x": 0.5}, values=values, curves=curves)


BEST = trial("complete", (0.2,), loss={1: 0.9, 2: 0.5, 4: 0.2})
WORSE = trial("complete", (0.6,), loss={1: 0.8, 2: 0.7, 4: 0.6})


def test_it_is_the_end_of_the_best_trial_plus_the_gap_at_the_same_epoch():
    ends = predicted_ends([BEST, trial("stopped", loss={1: 0.9, 2: 0.6}), WORSE], LOSS)
    # 0.2 + (0.6 - 0.5)
    assert ends.trials[1].values == pytest.approx((0.3,))
    assert ends.trials[1].state == "stopped"
    assert ends.trials[0] is BEST


def test_it_is_more_certain_the_longer_the_trial_ran_and_what_was_measured_is_certain():
    ends = predicted_ends([BEST, trial("stopped", loss={1: 0.9}),
                           trial("stopped", loss={1: 0.9, 2: 0.6})], LOSS)  # fmt: skip
    assert ends.variances == pytest.approx([0.0, VARIANCE * 3 / 4, VARIANCE / 2])


def test_a_trial_that_was_stopped_at_the_only_step_of_its_study_is_certain():
    complete = trial("complete", (0.2,), **{REPORTED: {0: 0.5}})
    ends = predicted_ends([complete, trial("stopped", **{REPORTED: {0: 0.6}})], LOSS)
    assert ends.trials[1].values == pytest.approx((0.3,))
    assert ends.variances.tolist() == [0.0, 0.0]


def test_each_of_several_objectives_has_its_own_best_trial():
    both = (Objective("loss", "minimize"), Objective("accuracy", "maximize"))
    first = trial("complete", (0.2, 0.5), loss={1: 0.4, 2: 0.2}, accuracy={1: 0.3, 2: 0.5})
    second = trial("complete", (0.9, 0.8), loss={1: 1.0, 2: 0.9}, accuracy={1: 0.6, 2: 0.8})
    stopped = trial("stopped", loss={1: 0.5}, accuracy={1: 0.5})
    ends = predicted_ends([first, second, stopped], both)
    # 0.2 + (0.5 - 0.4) of the first; 0.8 + (0.5 - 0.6) of the second
    assert ends.trials[2].values == pytest.approx((0.3, 0.7))


def test_reported_values_of_a_study_that_names_no_metric_are_a_curve():
    complete = trial("complete", (0.2,), **{REPORTED: {1: 0.5, 2: 0.2}})
    stopped = trial("stopped", **{REPORTED: {1: 0.6}})
    assert predicted_ends([complete, stopped], LOSS).trials[1].values == pytest.approx((0.3,))


@pytest.mark.parametrize("curve", [{}, {3: 0.4}, {2: np.nan}])
def test_without_a_trial_to_compare_with_there_is_no_prediction(curve):
    ends = predicted_ends([BEST, trial("stopped", loss=curve)], LOSS)
    assert ends.trials[1].values == ()
    assert ends.variances.tolist() == [0.0, 0.0]


def test_a_diverged_curve_of_the_best_trial_is_no_prediction_either():
    only = trial("complete", (0.2,), loss={2: np.inf})
    assert predicted_ends([only, trial("stopped", loss={2: 0.4})], LOSS).trials[1].values == ()

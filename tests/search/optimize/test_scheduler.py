"""MultiObjectiveASHA: which trials stop at a rung, also after a resume. No Ray is started."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from search.objectives import Objective
from search.optimize.scheduler import MultiObjectiveASHA, rung_epochs
from tests.support.schedulers import CLEAN, ROBUST, double, report, single, trial

NAN = float("nan")


def test_rungs_lie_at_powers_of_the_reduction_factor_below_the_budget():
    assert rung_epochs(1, 3, 27) == (1, 3, 9)
    assert rung_epochs(2, 2, 16) == (2, 4, 8)
    assert rung_epochs(4, 4, 4) == ()
    assert rung_epochs(1, 1.5, 5) == (1, 2, 3, 4)  # 1, 1.5, 2.25, 3.375


def test_no_trial_stops_before_the_first_rung_or_while_a_rung_has_few_trials():
    scheduler = single(grace_epochs=3, max_epochs=20)
    assert report(scheduler, "a", 1, 0.1) == "CONTINUE"
    assert report(scheduler, "b", 3, 0.9) == "CONTINUE"
    assert report(scheduler, "a", 3, 0.1) == "CONTINUE"
    assert report(scheduler, "c", 3, 0.5) == "STOP"


def test_a_trial_that_must_end_is_compared_but_goes_on():
    scheduler = single(must_end=lambda each: each.trial_id == "again")
    assert report(scheduler, "a", 1, 0.8) == report(scheduler, "b", 1, 0.9) == "CONTINUE"
    assert report(scheduler, "again", 1, 0.1) == "CONTINUE"
    assert report(scheduler, "c", 1, 0.1) == "STOP"
    assert scheduler.rungs[1]["again"] == (-0.1,)


def test_a_trial_that_must_end_is_stopped_where_it_collapsed():
    scheduler = single(must_end=lambda each: True, collapsed="collapsed")
    assert report(scheduler, "again", 1, 0.9, collapsed=1) == "STOP"


def test_with_one_metric_it_keeps_the_best_third():
    scheduler = single()
    accuracies = np.random.default_rng(0).permutation(30) / 30
    for index, accuracy in enumerate(accuracies):
        decision = report(scheduler, str(index), 1, accuracy)
        count = index + 1
        # The usual order: fewer than a third of those present are better than one that stays.
        is_kept = count < 3 or (accuracies[:count] > accuracy).sum() < count // 3
        assert decision == ("CONTINUE" if is_kept else "STOP")


def test_a_minimised_metric_keeps_the_smallest():
    scheduler = MultiObjectiveASHA((Objective("loss", "minimize"),), 1, 9, reduction_factor=2)
    assert scheduler.on_trial_result(None, trial("a"), {"epoch": 1, "loss": 1.0}) == "CONTINUE"
    assert scheduler.on_trial_result(None, trial("b"), {"epoch": 1, "loss": 2.0}) == "STOP"
    assert scheduler.on_trial_result(None, trial("c"), {"epoch": 1, "loss": 0.5}) == "CONTINUE"


def test_clean_accuracy_alone_stops_the_robust_configuration_and_both_objectives_keep_it():
    clean, both = single(), double()
    for index in range(5):
        report(clean, f"plain {index}", 1, 0.90 + index / 100, 0.05)
        report(both, f"plain {index}", 1, 0.90 + index / 100, 0.05)
    assert report(clean, "adversarial", 1, 0.70, 0.60) == "STOP"
    assert report(both, "adversarial", 1, 0.70, 0.60) == "CONTINUE"


def test_a_dominated_configuration_stops_on_both_objectives():
    scheduler = double()
    report(scheduler, "a", 1, 0.95, 0.10)
    report(scheduler, "b", 1, 0.80, 0.60)
    assert report(scheduler, "c", 1, 0.79, 0.09) == "STOP"


def test_a_crowded_front_is_thinned_in_its_middle():
    scheduler = double()
    for clean, robust in ((0.95, 0.10), (0.60, 0.60), (0.94, 0.11), (0.93, 0.12), (0.91, 0.125)):
        report(scheduler, f"{clean}", 1, clean, robust)
    # Six trials, all on the front, two places: the ends take them.
    assert report(scheduler, "next to an end", 1, 0.92, 0.122) == "STOP"


def test_equal_trials_are_treated_equally():
    scheduler = single()
    for index in range(6):
        assert report(scheduler, f"{index}", 1, 0.1) == "CONTINUE"


def test_a_trial_is_compared_once_at_a_rung():
    scheduler = single()
    assert report(scheduler, "early", 1, 0.1) == "CONTINUE"
    for index in range(5):
        report(scheduler, f"{index}", 1, 0.5 + index / 10)
    assert report(scheduler, "early", 2, 0.1) == "CONTINUE"
    assert report(scheduler, "early", 1, 0.1) == "CONTINUE"  # repeated after a lost checkpoint


def test_a_jump_over_rungs_counts_at_the_highest_alone():
    scheduler = single(max_epochs=27)
    for index in range(3):
        report(scheduler, f"{index}", 1, 0.2)
    assert report(scheduler, "jumper", 4, 0.9) == "CONTINUE"
    assert "jumper" not in scheduler.rungs[1]
    assert set(scheduler.rungs[3]) == {"jumper"}
    assert report(scheduler, "jumper", 5, 0.1) == "CONTINUE"
    assert report(scheduler, "jumper", 2, 0.1) == "CONTINUE"  # repeated after a lost checkpoint


def test_refill_restores_the_decisions_of_an_uninterrupted_search():
    curves = {
        number: {CLEAN: {1: 0.5 + number / 20, 2: 0.9, 3: 0.6 + number / 20}, "other": {1: 0.0}}
        for number in range(6)
    }
    before = single(key=lambda entry: int(entry.trial_id))
    for number, curve in curves.items():
        for epoch in (1, 2, 3):
            report(before, str(number), epoch, curve[CLEAN][epoch])
    resumed = single(key=lambda entry: int(entry.trial_id))
    resumed.refill(curves.items())
    assert resumed.rungs == before.rungs
    assert report(resumed, "7", 3, 0.78) == report(before, "7", 3, 0.78) == "STOP"
    assert report(resumed, "8", 3, 0.9) == report(before, "8", 3, 0.9) == "CONTINUE"


def test_refill_twice_is_refill_once_and_skips_rungs_without_a_value():
    scheduler = double()
    entries = [(0, {CLEAN: {1: 0.5, 3: 0.6}, ROBUST: {1: 0.2}}), (1, {CLEAN: {1: 0.3}})]
    scheduler.refill(entries)
    first = {epoch: dict(kept) for epoch, kept in scheduler.rungs.items()}
    scheduler.refill(entries)
    assert scheduler.rungs == first == {1: {0: (-0.5, -0.2)}, 3: {}}


def test_a_resumed_trial_is_not_compared_again_where_it_was_recorded():
    scheduler = single(key=lambda entry: int(entry.trial_id))
    scheduler.refill((number, {CLEAN: {1: number / 10}}) for number in range(9))
    assert report(scheduler, "0", 1, 0.0) == "CONTINUE"
    assert report(scheduler, "0", 2, 0.0) == "CONTINUE"
    assert len(scheduler.rungs[1]) == 9


def test_a_missing_metric_or_epoch_is_named_with_what_was_reported():
    with pytest.raises(ValueError, match=r"pgd3_linf_0\.1.*accuracy\.clean"):
        report(double(), "a", 1, 0.5)
    with pytest.raises(ValueError, match="'epoch'"):
        single().on_trial_result(None, trial("a"), {CLEAN: 0.5})


def test_a_trial_that_ends_is_never_told_to_stop():
    scheduler = single()
    for index in range(5):
        report(scheduler, f"{index}", 1, 0.9)
    assert report(scheduler, "last", 1, 0.1, done=True) == "CONTINUE"
    assert scheduler.on_trial_result(None, trial("silent"), {"done": True}) == "CONTINUE"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"grace_epochs": 0}, "grace_epochs"),
        ({"grace_epochs": 10}, "grace_epochs"),
        ({"reduction_factor": 1}, "reduction_factor"),
    ],
)
def test_contradictory_settings_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        single(**changes)


def test_pending_trials_run_in_the_order_they_came():
    trials = [trial("a", "RUNNING"), trial("b"), trial("c")]
    controller = SimpleNamespace(get_trials=lambda: trials)
    assert single().choose_trial_to_run(controller) is trials[1]


def test_a_trial_that_early_stopping_ended_stands_at_the_later_rungs():
    scheduler = single(max_epochs=27)  # rungs at 1, 3, 9
    report(scheduler, "a", 1, 0.5)
    last = {"epoch": 2, CLEAN: 0.8, "done": True, "ended": True}
    scheduler.on_trial_complete(None, trial("a"), last)
    assert scheduler.rungs == {1: {"a": (-0.5,)}, 3: {"a": (-0.8,)}, 9: {"a": (-0.8,)}}


def test_a_trial_that_ended_otherwise_stands_only_where_it_has_been():
    scheduler = single(max_epochs=27)
    for last in ({}, {"epoch": 2, CLEAN: 0.8}, {"epoch": 2, "ended": True}):
        scheduler.on_trial_complete(None, trial("a"), last)
    assert not any(scheduler.rungs.values())

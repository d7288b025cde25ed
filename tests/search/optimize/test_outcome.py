"""The outcome of a trial, for every way in which it can end."""

from __future__ import annotations

import math
from typing import Any

import pytest

from search.history.causes import LONGEST_REASON, cause_of
from search.optimize.outcome import Outcome, outcome_of

OBJECTIVES = ("left", "right")
ROBUST = "accuracy.pgd10_linf_0.1"
MASKED = {"accuracy.clean": 0.9, ROBUST: 0.95, "robustness.vanished": 0.99}


def outcome(result: dict[str, Any]) -> Outcome:
    return outcome_of(result, OBJECTIVES, epochs=3)


def test_a_trial_is_complete_at_its_full_budget_with_values_in_the_objectives_order() -> None:
    ended = outcome({"epoch": 3, "metrics": {"right": 0.25, "other": 9.0, "left": 1}})
    assert ended == Outcome("complete", 3, (1.0, 0.25))


def test_a_trial_that_ends_before_its_full_budget_was_stopped_and_has_no_values() -> None:
    ended = outcome({"epoch": 2, "metrics": {"left": 0.5, "right": 0.5}})
    assert ended == Outcome("stopped", 2, reason="stopped by the scheduler after epoch 2")


def test_a_trial_that_early_stopping_ended_is_complete_at_fewer_epochs() -> None:
    metrics = {"left": 0.5, "right": 0.25}
    ended = outcome({"epoch": 2, "metrics": metrics, "ended": True})
    assert ended == Outcome("complete", 2, (0.5, 0.25))


def test_early_stopping_makes_no_trial_complete_that_failed_or_lacks_an_objective() -> None:
    diverged = {"left": math.nan, "right": 0.5}
    assert outcome({"epoch": 2, "metrics": diverged, "ended": True}).state == "failed"
    assert outcome({"epoch": 2, "metrics": {"left": 0.5}, "ended": True}).state == "failed"
    assert outcome({"epoch": 0, "metrics": {}, "ended": True}).state == "stopped"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("epoch", [1, 3])
def test_an_objective_that_is_not_finite_fails_the_trial_at_any_epoch(
    value: float, epoch: int
) -> None:
    ended = outcome({"epoch": epoch, "metrics": {"left": 0.5, "right": value}})
    assert ended == Outcome("failed", epoch, reason="not finite: right")


def test_every_objective_that_is_not_finite_is_named() -> None:
    ended = outcome({"epoch": 1, "metrics": {"left": math.nan, "right": math.inf}})
    assert ended.reason == "not finite: left, right"


def test_a_metric_that_is_no_objective_may_be_nan() -> None:
    metrics = {"left": 0.5, "right": 0.5, "ratio": math.nan}
    assert outcome({"epoch": 3, "metrics": metrics}).state == "complete"


def test_a_missing_objective_fails_the_trial_and_says_what_there_was_instead() -> None:
    ended = outcome({"epoch": 3, "metrics": {"left": 0.5, "rigth": 0.5}})
    assert ended == Outcome(
        "failed", 3, reason="reported no right; it reported left, rigth"
    )  # fmt: skip


def test_a_failure_outweighs_everything_that_was_reported() -> None:
    metrics = {"left": 0.5, "right": 0.5}
    ended = outcome({"epoch": 3, "metrics": metrics, "failure": "Traceback\nValueError: no"})
    assert ended == Outcome("failed", 3, reason="Traceback\nValueError: no")


def test_the_empty_failure_of_a_healthy_trial_is_no_failure() -> None:
    metrics = {"left": 0.5, "right": 0.5}
    assert outcome({"epoch": 3, "metrics": metrics, "failure": ""}).state == "complete"


def test_a_trial_that_never_reported_was_stopped_at_epoch_0() -> None:
    ended = outcome({})
    assert (ended.state, ended.epoch, ended.values) == ("stopped", 0, ())


def test_a_last_epoch_without_any_metric_names_all_that_is_missing() -> None:
    assert outcome_of({"epoch": 3, "metrics": {}}, OBJECTIVES, 3) == Outcome(
        "failed", 3, reason="reported no left, right; it reported nothing"
    )


def test_a_value_whose_square_is_no_number_fails_the_trial_like_one_that_is_not_finite() -> None:
    for value in (1e151, -1e308):
        ended = outcome({"epoch": 3, "metrics": {"left": 0.5, "right": value}})
        assert ended.state == "failed"
        assert ended.reason == "not finite where it is squared: right beyond 1e+150"
    assert outcome({"epoch": 3, "metrics": {"left": 0.5, "right": 1e150}}).state == "complete"


def robust(metrics: dict[str, float], **rule: bool) -> Outcome:
    return outcome_of({"epoch": 3, "metrics": metrics}, ("accuracy.clean", ROBUST), 3, **rule)


def test_a_robust_accuracy_in_doubt_is_no_value_and_the_reason_has_both() -> None:
    ended = robust(MASKED, excludes_doubtful=True)
    assert ended.state == "failed" and ended.values == () and ended.epoch == 3
    assert cause_of(ended.state, ended.reason) == "masked gradients"
    for part in (f"{ROBUST} 0.9500 does not count", "gradients vanish (99% of the images)",
                 "robustness: {doubtful: keep}"):  # fmt: skip
        assert part in ended.reason
    assert len(ended.reason) < LONGEST_REASON and "\n" not in ended.reason


def test_a_robust_accuracy_in_doubt_counts_if_the_spec_says_so() -> None:
    assert robust(MASKED) == Outcome("complete", 3, (0.9, 0.95))


def test_an_accuracy_that_stronger_gradients_replaced_counts() -> None:
    metrics = MASKED | {"robustness.vanished": 0.0, "robustness.replaced": 1.0}
    assert robust(metrics, excludes_doubtful=True).values == (0.9, 0.95)

"""What the reason of a trial's end says about its configuration."""

from __future__ import annotations

import pytest

from search.history.causes import LONGEST_REASON, cause_of, last_line


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ("Traceback\nMemoryError\nout of memory", "out of memory"),
        ("Traceback\nMemoryError\nout of memory, also alone", "out of memory"),
        ("not finite: accuracy.clean", "diverged"),
        ("the robust accuracy is in doubt, and accuracy.pgd10_linf_0.1 0.9 does not count: "
         "gradients vanish (99% of the images)", "masked gradients"),
        ("not finite where it is squared: loss beyond 1e+100", "diverged"),
        ("its worker died 3 times in epoch 2; the last one was killed from outside (SIGKILL): "
         "often memory, or the node; the cause is in Ray's log", "killed"),
        ("its worker died in epoch 1; the last one hung for more than 10 min "
         "(budget.epoch_minutes) in train (mine/loop.py, line 3)", "hung"),
        ("Traceback\n  File ...\nValueError: width 3 is not a multiple of 2", "error"),
        ("", "unknown"),
    ],
)  # fmt: skip
def test_a_failure_of_a_configuration_has_its_cause(reason: str, cause: str) -> None:
    assert cause_of("failed", reason) == cause


@pytest.mark.parametrize(
    "reason",
    [
        "Failure # 1\nit lost more than 100 workers; the last one: the node died",
        "it lost more than 100 workers; the last one: its node ran out of memory",
        "OSError: the storage has failed for 600 s: full; fix: make room there or mount it again",
        "OSError: [Errno 28] No space left on device",
        "reported no accuracy.clean; it reported loss",
        "KeyboardInterrupt",
        "ConnectionRefusedError: [Errno 111] Connection refused",
    ],
)
def test_a_failure_of_the_machine_or_of_the_task_says_nothing(reason: str) -> None:
    assert cause_of("failed", reason) == ""


def test_a_stopped_trial_has_failed_only_if_it_had_collapsed() -> None:
    because = "stopped by the scheduler after epoch 2"
    assert cause_of("stopped", because) == ""
    assert cause_of("stopped", f"{because} for catastrophic overfitting") == "collapsed"
    assert cause_of("stopped", "not finite: a metric that was stopped all the same") == ""


@pytest.mark.parametrize("state", ["complete", "interrupted", "running"])
def test_a_trial_in_another_state_has_not_failed(state: str) -> None:
    assert cause_of(state, "out of memory") == ""  # type: ignore[arg-type]


def test_the_last_line_of_a_reason_is_short_and_may_be_missing() -> None:
    assert last_line("Traceback\n\nValueError: no\n\n") == "ValueError: no"
    assert last_line(" \n") == ""
    assert len(last_line("x" * 10_000)) == LONGEST_REASON

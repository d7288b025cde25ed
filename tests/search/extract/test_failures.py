"""Which failures say something about a configuration, and which trials are kept."""

from __future__ import annotations

from typing import Any

import numpy as np

from search.extract.failures import TRIALS_KEPT, counting, outcomes_of, representative
from search.history import Trial
from tests.support.earlier_tasks import LINE

MEMORY, ERROR = "out of memory", "ValueError: no"


def trial(state: Any, reason: str = "", **changes: Any) -> Trial:
    return Trial(state=state, reason=reason, **{"configuration": {"x": 0.25}} | changes)


def test_failed_complete_and_stopped_trials_count() -> None:
    trials = [trial("complete", run_id="a"), trial("failed", MEMORY, run_id="b", task="t"),
              trial("stopped", "stopped by the scheduler after epoch 1", run_id="c")]  # fmt: skip
    found = outcomes_of(trials, LINE)
    assert found.causes == ("", "out of memory", "")
    assert found.has_failed.tolist() == [False, True, False]
    assert (found.runs, found.tasks) == (("a", "b", "c"), ("", "t", ""))
    assert found.points.tolist() == [[0.25]] * 3


def test_what_says_nothing_is_neither_a_failure_nor_a_success() -> None:
    lost = "it lost more than 100 workers"
    trials = [trial("complete"), trial("interrupted"), trial("running"), trial("failed", lost),
              trial("complete", configuration={})]  # fmt: skip
    assert len(counting(trials)) == 1


def test_a_search_in_which_nothing_succeeded_does_not_count() -> None:
    broken = [trial("failed", MEMORY, search="a"), trial("failed", ERROR, search="a")]
    fine = [trial("failed", MEMORY, search="b"), trial("complete", search="b")]
    assert counting([*broken, *fine]) == fine
    assert len(outcomes_of(broken, LINE)) == 0
    assert outcomes_of(broken, LINE).points.shape == (0, 1)


def test_in_a_running_search_only_an_exception_waits_for_a_success() -> None:
    own = [trial("failed", reason) for reason in (MEMORY, "not finite: loss", ERROR, "")]
    assert counting(own, is_running=True) == own[:2]
    assert counting([*own, trial("complete")], is_running=True) == [*own, trial("complete")]


def test_outcomes_add_up_in_order_and_are_said_in_words() -> None:
    first = outcomes_of([trial("complete"), trial("failed", MEMORY)], LINE)
    second = outcomes_of([trial("complete"), trial("failed", "not finite: loss")], LINE)
    assert (first + second).causes == ("", "out of memory", "", "diverged")
    assert (first + first + second).in_words() == (
        "3 of 6 trials failed (out of memory 2, diverged 1)"
    )


def test_of_a_long_task_as_many_trials_are_kept_evenly() -> None:
    many = [trial("complete", number=number, task="a") for number in range(1000)]
    few = [trial("complete", number=number, task="b") for number in range(3)]
    kept = representative([*many, *few])
    assert len(kept) == TRIALS_KEPT + 3
    numbers = [each.number for each in kept[:TRIALS_KEPT]]
    assert (numbers[0], numbers[-1]) == (0, 999)
    assert set(np.diff(numbers)) <= {10, 11}

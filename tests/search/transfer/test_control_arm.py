"""The control arm is compared at equal numbers of trials, and claims no more than it shows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from search.objectives import Objective
from search.transfer.control_arm import ArmsComparison, arms_sentence, compare_arms
from search.transfer.costs import Cost
from search.transfer.progress import trials_of
from tests.support.synthetic_history import CLEAN, history, row, search

GOAL: dict[str, Any] = {"objectives": (Objective(CLEAN, "maximize"),)}


def arms_of(
    main: list[float | None], control: list[float | None], **changes: Any
) -> ArmsComparison | None:
    """Trials in turns, one with history first; None is a stopped one."""
    rows, values = [], {0: main, 1: control}
    for number in range(len(main) + len(control)):
        arm = number % 2 if number < 2 * len(control) else 0
        value = values[arm][number // 2 if number < 2 * len(control) else number - len(control)]
        rows.append(
            row(number, [] if value is None else [value], state="stopped" if value is None
                else "complete", origin={"step": "control" if arm else "history-model"}, **changes)
        )  # fmt: skip
    this = search(**GOAL)
    return compare_arms(trials_of(history(rows, [this]), this.id), this, Cost(1, "GPU"))


def test_trials_are_counted_to_the_level_that_both_arms_reached_by_hand() -> None:
    found = arms_of([0.8, 0.5, 0.9, 0.99, 0.99], [0.5, 0.6, 0.7], seconds=3600.0)
    assert found is not None
    # Three trials each: worst 0.5, best 0.9, so the reference is 0.46 and control ends at 0.24.
    assert found.trials == 3
    assert found.control_levels == pytest.approx((0.04, 0.14, 0.24))
    assert found.main_levels == pytest.approx((0.34, 0.34, 0.44))
    assert found.level == pytest.approx(0.24)
    assert (found.control_reached, found.main_reached, found.trials_saved) == (3, 1, 2)
    assert found.hours_saved == pytest.approx(2.0)
    assert found.interval is None
    assert arms_sentence(found, Cost(1, "GPU")) == (
        "Compared with the control arm of this search (3 trials without history, as many with it), "
        "history saved 2 trials and 2.0 GPU-hours: the level that both arms reached took 1 trial "
        "with history and 3 trials without. The arms are too short for an interval."
    )


def test_history_that_slowed_the_search_down_has_lost_trials() -> None:
    found = arms_of([0.5, 0.6, 0.7], [0.8, 0.5, 0.9])
    assert found is not None and found.trials_saved == -2
    assert "history lost 2 trials" in arms_sentence(found, None)


@pytest.mark.slow
def test_exchanging_the_arms_changes_the_sign_and_nothing_else() -> None:
    generator = np.random.default_rng(1)
    for _ in range(5):
        one, other = generator.random((2, 8)).tolist()
        first, second = arms_of(one, other), arms_of(other, one)
        assert first is not None and second is not None
        assert first.trials_saved == -second.trials_saved
        assert first.level == second.level and first.main_levels == second.control_levels
        assert first.higher is not None and first.higher == pytest.approx(1 - second.higher)


def test_arms_without_a_difference_may_differ_by_chance() -> None:
    found = arms_of([0.5, 0.7, 0.6, 0.8, 0.75, 0.9], [0.6, 0.5, 0.7, 0.75, 0.8, 0.9])
    assert found is not None and found.interval is not None
    assert found.interval[0] <= 0 <= found.interval[1]
    assert "the difference may be due to chance" in arms_sentence(found, None)


def test_a_clear_difference_is_an_interval_above_zero() -> None:
    control = [0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45]
    found = arms_of([0.9] * 8, control)
    assert found is not None and found.interval is not None and found.higher == 1.0
    assert found.interval[0] > 0
    text = arms_sentence(found, None)
    assert "ended higher in 100% of resamples" in text and "chance" not in text


@pytest.mark.parametrize("control", [[], [None, None], [None] * 6])
def test_an_arm_without_a_complete_trial_is_not_compared(control: list[float | None]) -> None:
    assert arms_of([0.5] * 6, control) is None


def test_trials_that_were_stopped_are_trials_and_are_counted() -> None:
    found = arms_of([None, 0.9], [0.5, None])
    assert found is not None and found.stopped == 2
    assert (found.control_reached, found.main_reached) == (1, 2)

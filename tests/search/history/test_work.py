"""Work is written so that people can read it, and is unknown where nothing says what it was."""

from __future__ import annotations

import math

import pytest

from search.history.table import trial_row, trials_from_table
from search.history.work import work_of, work_text
from tests.support.synthetic_history import history, row


@pytest.mark.parametrize(
    ("flop", "text"),
    [(0.0, ""), (7.0, "7 FLOP"), (694_784.0, "695 kFLOP"), (3.21e12, "3.2 TFLOP"),
     (9.97e9, "10 GFLOP"), (9.996e11, "1.0 TFLOP"), (4e24, "4000 ZFLOP")],
)  # fmt: skip
def test_work_has_two_or_three_digits_and_a_unit(flop: float, text: str) -> None:
    assert work_text(flop) == text


def test_the_work_of_a_trial_is_the_sum_over_its_epochs() -> None:
    assert work_of({"work.epoch": {1: 2.0, 2: 3.0}, "work.train": {1: 1.0}}) == 5.0
    assert work_of({"left": {1: 2.0}}) == 0.0


def test_what_cannot_be_work_is_left_out() -> None:
    impossible = {1: math.nan, 2: -4.0, 3: math.inf, 4: None, 5: 2.0}
    assert work_of({"work.epoch": impossible}) == 2.0


def test_a_row_keeps_work_and_device_and_0_is_unknown() -> None:
    known, unknown = trials_from_table(
        history([row(0, [0.5, 0.5], work=3e12, device="GPU"), row(1, [0.5, 0.5])]).trials
    )
    assert (known.work, known.device) == (3e12, "GPU")
    assert (unknown.work, unknown.device) == (0.0, "")
    assert (trial_row(known)["work"], trial_row(unknown)["work"]) == (3e12, None)

"""The warnings of a confirmation, read from what a trial has measured."""

from __future__ import annotations

import dataclasses
import math
import subprocess
import sys

import pytest

from models.adversarial.checks.search_warnings import (
    BLACK_BOX,
    GAP,
    GRADIENT_ERROR,
    GRADIENT_ERROR_MOST,
    JUMPS,
    JUMPS_MOST,
    NO_GRADIENT,
    REPLACED,
    REPLACED_NAME,
    VANISHED,
    VANISHED_MOST,
    doubts,
    search_warnings,
)

SOUND = {GAP: 0.01, REPLACED: 0.0, BLACK_BOX: 0.0, JUMPS: JUMPS_MOST,
         GRADIENT_ERROR: GRADIENT_ERROR_MOST, VANISHED: VANISHED_MOST}  # fmt: skip


def names(**changes: float) -> list[str]:
    keys = {"replaced": REPLACED, "black_box": BLACK_BOX, "jumps": JUMPS, "error": GRADIENT_ERROR,
            "vanished": VANISHED}  # fmt: skip
    found = search_warnings(SOUND | {keys[name]: value for name, value in changes.items()})
    assert all(len(text) > 5 for each in found for text in dataclasses.astuple(each))
    return [each.name for each in found]


def test_what_is_sound_or_was_not_confirmed_is_not_warned_of() -> None:
    assert search_warnings({}) == [] and names() == []


def test_each_measurement_has_its_warning() -> None:
    assert names(replaced=1.0) == [REPLACED_NAME]
    assert names(black_box=0.04) == ["an attack without gradients beats those with"]
    assert names(jumps=JUMPS_MOST + 0.01) == ["the outputs jump"]
    assert names(vanished=VANISHED_MOST + 0.01) == ["gradients vanish"]
    for error in (GRADIENT_ERROR_MOST + 0.01, NO_GRADIENT):
        assert names(error=error) == ["the gradient is not that of the outputs"]


def test_an_accuracy_is_in_doubt_unless_stronger_gradients_alone_replaced_it() -> None:
    assert doubts({}) == [] and doubts(SOUND) == [] and doubts(SOUND | {REPLACED: 1.0}) == []
    for change in ({BLACK_BOX: 0.04}, {JUMPS: 1.0}, {GRADIENT_ERROR: 1.0}, {VANISHED: 1.0}):
        for replaced in (0.0, 1.0):
            (doubt,) = doubts(SOUND | {REPLACED: replaced} | change)
            assert doubt.name != REPLACED_NAME


@pytest.mark.parametrize("name", ["replaced", "black_box", "jumps", "error", "vanished"])
def test_a_value_of_a_store_that_is_no_number_is_not_warned_of(name: str) -> None:
    assert names(**{name: math.nan}) == []


def test_a_replaced_accuracy_is_told_with_both_values() -> None:
    metrics = {"accuracy.pgd10_linf_0.1": 0.4, "unconfirmed.accuracy.pgd10_linf_0.1": 0.7,
               REPLACED: 1.0, GAP: 0.3}  # fmt: skip
    (warning,) = search_warnings(metrics)
    assert "accuracy.pgd10_linf_0.1 was 0.7000 and is now 0.4000" in warning.measured
    assert "a gap of 0.3000" in warning.measured


def test_a_search_reads_warnings_without_torch() -> None:
    code = (
        "import sys, models.adversarial.checks.search_warnings; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

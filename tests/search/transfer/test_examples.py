"""The examples behind the objectives follow from the fingerprint, whoever wrote it."""

from __future__ import annotations

from typing import Any

import pytest

from search.transfer.examples import ValidationExamples, validation_examples
from tests.support.synthetic_history import CLEAN, ROBUST, search

IMAGES = {"norm": "linf", "examples": 120, "confirm_examples": 128}
TEXTS = {"attack": "characters", "share": 0.15, "examples": 100}


@pytest.mark.parametrize(
    ("fingerprint", "expected"),
    [
        # Of 297 images 74 pick the epoch and 74 confirm.
        ({"data": {"validation": 297}, "robustness": IMAGES}, (149, 120, 120)),
        ({"data": {"validation": 297}, "robustness": IMAGES | {"examples": 297}}, (149, 149, 128)),
        ({"data": {"validation": 300}, "robustness": TEXTS}, (300, 100, None)),
        ({"data": {"validation": 300}}, (300, None, None)),
        ({"data": {"validation": "300"}, "robustness": IMAGES}, (None, None, None)),
        ({"data": None, "robustness": "<b>"}, (None, None, None)),
        ({}, (None, None, None)),
    ],
)
def test_the_objectives_are_of_so_many_examples(
    fingerprint: dict[str, Any], expected: tuple[int | None, ...]
) -> None:
    assert validation_examples(search(fingerprint=fingerprint)) == ValidationExamples(*expected)


def test_a_metric_under_attack_is_of_the_attacked_examples() -> None:
    known = ValidationExamples(clean=149, attacked=120)
    assert (known.behind(CLEAN), known.behind(ROBUST)) == (149, 120)

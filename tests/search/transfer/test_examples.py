"""The examples behind the objectives follow from the fingerprint, whoever wrote it."""

from __future__ import annotations

import math
from typing import Any

import pytest

from models.scores.metric_names import MetricName
from search.transfer.examples import (
    Examples,
    ValidationExamples,
    reported_examples,
    validation_examples,
)
from tests.support.synthetic_history import CLEAN, ROBUST, history, points, row, search

IMAGES = {"norm": "linf", "examples": 120, "confirm_examples": 128}
TEXTS = {"attack": "characters", "share": 0.15, "examples": 100}


@pytest.mark.parametrize(
    ("fingerprint", "expected"),
    [
        # Of 297 images 74 pick the epoch and 74 confirm.
        ({"data": {"validation": 297}, "robustness": IMAGES}, (149, 120, 120)),
        ({"data": {"validation": 297}, "robustness": IMAGES | {"examples": 297}}, (149, 149, 128)),
        # Texts of a search from before their validation was cut.
        ({"data": {"validation": 300}, "robustness": TEXTS}, (300, 100, None)),
        (
            {"data": {"validation": 300}, "robustness": TEXTS, "measured_on": "objective part"},
            (150, 100, None),
        ),
        ({"data": {"validation": 300}}, (300, None, None)),
        ({"data": {"validation": "300"}, "robustness": IMAGES}, (None, None, None)),
        ({"data": {"validation": 10**400}, "robustness": IMAGES}, (None, None, None)),
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
    assert (known.behind(CLEAN), known.behind(ROBUST)) == (Examples(149), Examples(120))
    assert ValidationExamples().behind(CLEAN) is None


def test_what_a_trial_reports_counts_more_than_the_fingerprint() -> None:
    values = {"examples": 140, "attacked_examples": 32, "entities": 467, "attacked_entities": 30}
    curves = [point for name, value in values.items() for point in points(name, {5: value})]
    trials = history([row(0, [0.9, 0.5], curves=curves)], [search()]).prior_trials()
    fingerprint = {"data": {"validation": 300}, "robustness": TEXTS}
    found = validation_examples(search(fingerprint=fingerprint), trials)
    assert str(found.behind("f1.clean")) == "140 sentences, 467 entities"
    assert str(found.behind("f1.characters_0.15")) == "32 sentences, 30 entities"
    assert str(found.behind("accuracy.tokens")) == "140"


@pytest.mark.parametrize("count", [math.nan, math.inf, -1.0, 0.0, 1e300])
def test_a_number_that_counts_nothing_is_not_known(count: float) -> None:
    name = MetricName.parse("test.f1.macro")
    assert reported_examples({"test.f1.macro": 0.5, "test.examples": count}, name) is None

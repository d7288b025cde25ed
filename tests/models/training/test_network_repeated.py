"""A training with the same seed, or resumed from its state, equals the first one bit for bit."""

from __future__ import annotations

import io

import pytest
import torch

from models.adversarial.checks.search_warnings import (
    BLACK_BOX,
    GAP,
    GRADIENT_ERROR,
    JUMPS,
    REPLACED,
    VANISHED,
)
from models.catalog import Value
from models.data.loading import ImageSplits
from tests.support.image_trainings import (
    BUSY,
    EACH_METHOD,
    QUICK,
    SMALL,
    are_equal,
    train,
    without_seconds,
)

RESUMED: list[dict[str, Value]] = [
    *EACH_METHOD,
    {"optimizer": "sgd", "weight_averaging": "none"},
    {"weight_averaging": "swa", "swa.start": 0.2},
    {"weight_averaging": "swa", "swa.start": 0.7},
    {"crafting_mode": "train"},
    {"schedule": "step", "step.start": 0.3, "adversarial_weight_decay": 0.5},
]


@pytest.mark.slow
@pytest.mark.parametrize("changes", RESUMED, ids=str)
def test_a_resumed_training_equals_an_uninterrupted_one(
    few_digits: ImageSplits, changes: dict[str, Value]
) -> None:
    configuration = {**BUSY, **changes}
    whole = train(configuration, few_digits, epochs=4)
    expected = [without_seconds(report) for report in whole.run()]
    begun = train(configuration, few_digits, epochs=4)
    running = begun.run()
    next(running), next(running)
    buffer = io.BytesIO()
    torch.save(begun.state_dict(), buffer)
    next(running)  # goes on after saving; the copy must not follow
    buffer.seek(0)
    resumed = train(configuration, few_digits, epochs=4)
    resumed.load_state_dict(torch.load(buffer, weights_only=True))
    assert resumed.epoch == 2
    assert [without_seconds(report) for report in resumed.run()] == expected[2:]
    assert are_equal(whole, resumed)


def test_confirming_repeats_and_survives_a_checkpoint(few_digits: ImageSplits) -> None:
    training = train(SMALL, few_digits, epochs=4)
    assert training.confirm() == {}
    *_, last = training.run()
    found = training.confirm()
    names = {
        QUICK.apgd_metric(), QUICK.worst_metric(), GAP, REPLACED, BLACK_BOX, JUMPS, GRADIENT_ERROR,
        VANISHED, "work.confirmation",
    }  # fmt: skip
    replaced = {QUICK.metric(), f"unconfirmed.{QUICK.metric()}"}
    assert set(found) == names | (replaced if found["robustness.replaced"] else set())
    assert found[QUICK.worst_metric()] <= found[QUICK.apgd_metric()] <= last[QUICK.metric()]
    again = train(SMALL, few_digits, epochs=4)
    again.load_state_dict(training.state_dict())
    assert again.confirm() == found

"""Residual networks train like plain ones: they learn, under attack and averaged."""

from __future__ import annotations

import pytest

from models.catalog import Value
from models.data.loading import ImageSplits
from tests.support.image_trainings import train

NARROW: dict[str, Value] = {
    "block": "residual", "width": 8, "normalisation": "batch", "batch_size": 16,
    "adamw.learning_rate": 0.005,
}  # fmt: skip
RESNET18: dict[str, Value] = {**NARROW, "stages": "2-2-2-2"}
RESNET9: dict[str, Value] = {**NARROW, "downsampling": "pool", "stages": "1-0-1"}
EACH = pytest.mark.parametrize("network", [RESNET18, RESNET9], ids=["resnet18", "resnet9"])


@pytest.mark.slow
@EACH
@pytest.mark.parametrize("method", ["none", "fgsm"])
def test_an_epoch_on_digits_is_enough_to_learn(
    network: dict[str, Value], method: str, digits: ImageSplits
) -> None:
    training = train({**network, "adversarial_training": method}, digits, epochs=1)
    (last,) = training.run()
    # Chance is 0.1; both networks reach 0.9.
    assert last["accuracy.clean"] > 0.7


@pytest.mark.slow
@EACH
def test_the_average_of_the_weights_learns_too(
    network: dict[str, Value], digits: ImageSplits
) -> None:
    # 60 steps: a decay of 0.99 would still remember the first ones.
    averaged: dict[str, Value] = {**network, "weight_averaging": "ema", "ema.decay": 0.9}
    (last,) = train(averaged, digits, epochs=1).run()
    assert last["accuracy.clean"] > 0.7

"""A user's own network trains as the built-in one does, and its head is recognised."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.catalog import Threat, complete
from models.data.loading import ImageSplits
from models.training.network import network_training
from tests.support.image_trainings import taken, without_seconds
from tests.support.networks import builtin_cnn, linear, resnet

THREAT = Threat(steps=2, cheap_steps=1, examples=20, cheap_examples=20)
ARCHITECTURE = {"width": 4, "fully_connected_width": 8, "normalisation": "batch"}
TRAINING = {"adversarial_training": "fgsm", "augmentation": "shift", "weight_averaging": "ema"}


def without_time(metrics: dict[str, float]) -> dict[str, str]:
    return {name: value.hex() for name, value in without_seconds(metrics).items()}


@pytest.mark.slow
def test_the_built_in_cnn_as_a_users_builder_gives_the_same_metrics_bit_for_bit(
    few_digits: ImageSplits,
) -> None:
    whole = complete("cnn", ARCHITECTURE | TRAINING)
    own = complete("network", TRAINING)
    own |= {f"model.{name}": value for name, value in whole.items() if name not in own}
    entries = []
    for configuration, options in ((whole, {}), (own, {"builder": builtin_cnn})):
        training = network_training(
            configuration, few_digits, epochs=3, seed=4, threat=THREAT, **options
        )
        entries.append([without_time(each) for each in training.run()])
        entries[-1].append(without_time(training.confirm() | training.evaluate_test()))
    assert entries[0] == entries[1]


def test_the_head_and_the_normalisation_of_an_unknown_network_are_recognised(
    few_digits: ImageSplits, tmp_path: Path
) -> None:
    configuration = complete("network", {"model.depth": 2, "model.width": 4})
    found = taken(resnet, configuration, few_digits, tmp_path)
    assert set(found.head) == {"fc.weight", "fc.bias"}
    assert not {"mean", "std"} & found.tensors.keys()
    assert "blocks.0.bn1.running_mean" in found.tensors
    assert set(taken(linear, complete("network", {}), few_digits, tmp_path / "b").head) == {
        "1.weight", "1.bias",
    }  # fmt: skip

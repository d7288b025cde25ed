"""Small trainings of the CNN, quick enough to repeat in a test, and how two of them compare."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from models.catalog import Threat, Value, complete
from models.data.loading import ImageSplits
from models.networks.builder import Builder, network_data
from models.training.image_training import ImageTraining
from models.training.network import network_training
from models.weights.checkpoints import newest_checkpoint, save_checkpoint
from models.weights.from_checkpoint import from_network, trained_network
from models.weights.initial import InitialWeights, load_initial, save_initial

QUICK = Threat(steps=2, cheap_steps=1, examples=20, cheap_examples=10)
SMALL: dict[str, Value] = {"width": 4, "fully_connected_width": 16, "batch_size": 16}
# Learns enough of 60 images in 8 epochs to be attacked; with seed 2 the last is not the best.
LEARNS: dict[str, Value] = {
    **SMALL, "width": 8, "adamw.learning_rate": 0.02, "schedule": "constant",
}  # fmt: skip
# Everything with a state or randomness of its own, for the tests of resuming.
BUSY: dict[str, Value] = {
    **SMALL,
    "normalisation": "batch",
    "dropout": 0.3,
    "augmentation": "shift_flip",
    "schedule": "one_cycle",
    "adversarial_training": "fgsm",
    "weight_averaging": "ema",
}
# Metrics of every trial that no training reports: the trial measures them.
OF_THE_TRIAL = {"seconds.setup", "seconds.total", "seconds.cpu", "seconds.gpu"}
MEASURED_BY_CLOCK = ("seconds", "latency", "throughput")
EACH_METHOD: list[dict[str, Value]] = [
    {"adversarial_training": method} for method in ("none", "fgsm", "pgd", "trades", "mart", "free")
]


def train(configuration: dict[str, Value], data: ImageSplits, **changes: Any) -> ImageTraining:
    arguments: dict[str, Any] = {"epochs": 2, "seed": 0, "threat": QUICK, **changes}
    return network_training(complete("cnn", configuration), data, **arguments)


def taken(
    builder: Builder, configuration: dict[str, Value], data: ImageSplits, folder: Path
) -> InitialWeights:
    """The weights of a network trained for an epoch, through a checkpoint and a file."""
    source = network_training(configuration, data, epochs=1, seed=0, threat=QUICK, builder=builder)
    save_checkpoint(folder, 1, 1, list(source.run()), source.state_dict())
    checkpoint, known = newest_checkpoint(folder), network_data(data)
    assert checkpoint is not None
    model = trained_network(checkpoint.load_state()["model"], builder, configuration, known)
    found = from_network(model, builder, configuration, known)
    return load_initial(save_initial(folder / "weights", found))


def without_seconds(report: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in report.items() if not name.startswith(MEASURED_BY_CLOCK)}


def weights(training: ImageTraining) -> dict[str, torch.Tensor]:
    return training.classifier().state_dict()


def are_equal(one: ImageTraining, other: ImageTraining) -> bool:
    left, right = weights(one), weights(other)
    return all(torch.equal(left[name], right[name]) for name in left)


def is_same(one: Any, other: Any) -> bool:
    """Whether two states agree bit for bit, all the way down."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(is_same(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(is_same, one, other))
    return bool(one == other)


def comparable(entries: list[dict[str, float]]) -> list[dict[str, float]]:
    """Metrics without what the clock and the machine decide."""
    return [
        {k: v for k, v in entry.items() if not k.startswith((*MEASURED_BY_CLOCK, "memory"))}
        for entry in entries
    ]

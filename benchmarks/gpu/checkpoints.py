"""A training that goes on with its checkpoint on the other device, and comes back.

Three trainings of three epochs from the same start: one on the device alone, one whose second epoch
is trained on the CPU, and the CPU's own. The checkpoint goes through files as in a search
(`models/weights/checkpoints.py`).
"""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu.made_up_data import CIFAR, image_splits
from benchmarks.gpu.part import Findings, Setting, Table
from benchmarks.gpu.training_under_attack import EPSILON
from models.adversarial.threat_model import Threat
from models.catalog import complete
from models.data.loading import ImageSplits
from models.training.image_training import ImageTraining
from models.training.network import network_training
from models.weights.checkpoints import newest_checkpoint, save_checkpoint

_EPOCHS = 3


def run(setting: Setting) -> Findings:
    """Train along each route of devices and compare what comes out."""
    data = image_splits(setting.sized(1024, 64), setting.sized(CIFAR, (3, 8, 8)))
    here = setting.device
    routes = {"stays": (here,) * 3, "to the CPU and back": (here, "cpu", here), "CPU": ("cpu",) * 3}
    rows, arrived, states = [], [], {}
    for name, devices in routes.items():
        training, is_same = _train_along(devices, data, setting)
        last = training.evaluate_test()
        states[name] = {key: each.cpu() for key, each in training.classifier().state_dict().items()}
        arrived.append(is_same)
        rows.append([name, " -> ".join(devices), f"{last['test.accuracy.clean']:.3f}",
                     f"{_apart(states[name], states['stays']):.1e}"])  # fmt: skip
    claims = [
        ("weights and optimizer arrive as they were saved, bit by bit", all(arrived)),
        ("no training diverges", all(math.isfinite(_size(state)) for state in states.values())),
    ]
    if here == "cpu":
        same = _apart(states["to the CPU and back"], states["stays"]) == 0
        claims.append(("a continued training is bit-equal to an uninterrupted one", same))
    header = ["route", "devices by epoch", "test accuracy", "largest difference to the first"]
    note = "Between devices the order of sums differs, so the weights do, too."
    return Findings([Table("Trainings", header, rows, note)], (), claims)


def _train_along(
    devices: tuple[str, ...], data: ImageSplits, setting: Setting
) -> tuple[ImageTraining, bool]:
    """Train an epoch on each device; return the training and whether each state arrived whole."""
    is_same = True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        training = _training(devices[0], data, setting)
        for epoch, device in enumerate(devices, start=1):
            if epoch > 1:
                checkpoint = newest_checkpoint(folder)
                assert checkpoint is not None, "it was just saved"
                saved = checkpoint.load_state()
                training = _training(device, data, setting)
                training.load_state_dict(saved)
                is_same &= _equal(training.state_dict(), saved)
            metrics = next(training.run())
            save_checkpoint(folder, 0, epoch, [metrics] * epoch, training.state_dict())
    return training, is_same


def _training(device: str, data: ImageSplits, setting: Setting) -> ImageTraining:
    configuration = complete(
        "cnn",
        {"width": setting.sized(32, 4), "normalisation": "batch", "batch_size": 32,
         "weight_averaging": "ema", "adversarial_training": "free", "free.epsilon": EPSILON,
         "free.replays": 2},
    )  # fmt: skip
    threat = Threat(epsilon=EPSILON, steps=2, cheap_steps=1, examples=16, cheap_examples=8)
    return network_training(
        configuration, data, epochs=_EPOCHS, seed=0, threat=threat, device=device
    )


def _equal(one: Any, other: Any) -> bool:
    """Return whether two states hold the same values, wherever their tensors are."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one.cpu(), other.cpu())
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_equal, one, other))
    return bool(one == other)


def _apart(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    return max(float((one[name].double() - other[name].double()).abs().max()) for name in one)


def _size(state: dict[str, torch.Tensor]) -> float:
    return sum(float(each.double().abs().sum()) for each in state.values())

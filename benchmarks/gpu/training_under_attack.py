"""Adversarial training as a trial does it: `models/training/network.py`, method by method.

Forward passes of training are in mixed precision on a GPU, attacks are crafted in float32.
"""

from __future__ import annotations

import math

import torch

from benchmarks.gpu.made_up_data import CIFAR, image_splits
from benchmarks.gpu.part import NO_TIME, Findings, Setting, Table, peak_mb
from models.adversarial.threat_model import Threat
from models.catalog import complete
from models.hyperparameters.hyperparameter import Value
from models.training.image_training import ImageTraining
from models.training.network import network_training

EPSILON = 8 / 255
METHODS = ("none", "fgsm", "pgd", "trades")
_STEPS = 3  # of PGD and TRADES: the ratio of costs to a training without attack is then known


def run(setting: Setting) -> Findings:
    """Train each method for some epochs; the last one's seconds count."""
    data = image_splits(setting.sized(10_240, 96), setting.sized(CIFAR, (3, 8, 8)))
    threat = Threat(
        epsilon=EPSILON, steps=setting.sized(10, 2), cheap_steps=1,
        examples=setting.sized(256, 16), cheap_examples=setting.sized(64, 8),
    )  # fmt: skip
    rows: list[list[str]] = []
    left_out, finite, plain = [], [], 0.0
    for method in METHODS:
        if rows and setting.left < 1.5 * float(rows[-1][2]):
            left_out.append((method, NO_TIME))
            continue
        training = network_training(
            configuration(method, setting), data, epochs=2, seed=0, threat=threat,
            device=setting.device,
        )  # fmt: skip
        row, loss = _measured(training, threat, len(data.train_labels), setting.device)
        plain = plain or float(row[1])
        rows.append([method, *row[:2], f"{float(row[1]) / plain:.1f}", *row[2:]])
        finite.append(math.isfinite(loss) and not training.diverged)
    header = [
        "method", "images a second", "seconds an epoch", "over none", "passes a step", "loss",
        "clean accuracy", f"PGD-{threat.steps} accuracy", "peak MiB",
    ]  # fmt: skip
    note = (
        f"{len(data.train_labels)} made-up images, {_STEPS} steps of PGD and TRADES, epsilon "
        "8/255; the second of two epochs. A pass is a forward and a backward pass of an example; "
        "with mixed precision those of attacks, in float32, cost more."
    )
    return Findings(
        [Table("Adversarial training", header, rows, note)],
        left_out,
        [("every loss is finite", all(finite))],
    )


def _measured(
    training: ImageTraining, threat: Threat, examples: int, device: str
) -> tuple[list[str], float]:
    """Train, and return what the table says of the last of two epochs, and its loss."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    *_, last = training.run()
    seconds = last["seconds.train"]
    return [
        f"{examples / seconds:.0f}", f"{seconds:.3f}", f"{last['gradients.train'] / 2:.0f}",
        f"{last['loss.train']:.3f}", f"{last['accuracy.clean']:.3f}",
        f"{last[threat.metric()]:.3f}", peak_mb(device),
    ], last["loss.train"]  # fmt: skip


def configuration(method: str, setting: Setting) -> dict[str, Value]:
    """Return the network that is trained, with a method of adversarial training."""
    values: dict[str, Value] = {
        "block": "residual", "stages": setting.sized("1-1-1-1", "1-1"),
        "width": setting.sized(64, 4), "normalisation": "batch",
        "batch_size": setting.sized(256, 32), "adversarial_training": method,
    }  # fmt: skip
    if method != "none":
        values[f"{method}.epsilon"] = EPSILON
    if method in ("pgd", "trades"):
        values[f"{method}.steps"] = _STEPS
    return complete("cnn", values)

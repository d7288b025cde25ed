"""Each attack on images: what it costs, and that it runs in exact float32 on the device.

The network is trained first, since attacks leave out what is misclassified anyway. That evaluation
uses no reduced precision is seen at its layers: dtype of the outputs, and cuDNN's permission to
round to TF32.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.gpu.made_up_data import CIFAR, image_splits
from benchmarks.gpu.part import NO_TIME, Findings, Setting, Table
from benchmarks.gpu.training_under_attack import EPSILON, configuration
from models.adversarial.pixels.attacks import Ball, fgsm
from models.adversarial.pixels.autoattack import is_installed
from models.adversarial.pixels.metrics import ATTACKS, attack_metric
from models.adversarial.threat_model import Threat
from models.training.network import network_training

_NEEDS_LIBRARY = ("square", "autoattack")
# Seconds an attack needs at least when sizes are full; Square's 5,000 queries are the slowest.
_LEAST = {"fgsm": 1.0, "pgd": 2.0, "apgdt": 3.0, "square": 12.0, "autoattack": 20.0}


def run(setting: Setting) -> Findings:
    """Train a network, attack it by every attack, and compare FGSM with the CPU's."""
    data = image_splits(setting.sized(4096, 96), setting.sized(CIFAR, (3, 8, 8)))
    threat = Threat(epsilon=EPSILON, steps=10, examples=64, cheap_examples=16)
    training = network_training(
        configuration("none", setting), data, epochs=setting.sized(3, 2), seed=0, threat=threat,
        device=setting.device,
    )  # fmt: skip
    for _ in training.run():
        pass
    model = training.classifier()
    images, labels = training.examples("test")
    count = setting.sized(512, 24)
    images, labels = images[:count], labels[:count]
    rows, left_out, exact = [], [], []
    for attack in ATTACKS:
        reason = _why_not(attack, setting)
        if reason:
            left_out.append((attack, reason))
            continue
        with _watched(model) as seen:
            found = attack_metric(attack, model, images, labels, threat, seed=0)
        exact.append(seen == {(torch.float32, False)})
        milliseconds = 1000 * found.seconds / found.examples
        rows.append([attack, found.examples, f"{found.seconds:.2f}", f"{milliseconds:.2f}",
                     f"{found.accuracy:.3f}"])  # fmt: skip
    header = ["attack", "images", "seconds", "ms an image", "accuracy under it"]
    same, apart = _as_on_the_cpu(model, images, labels)
    return Findings(
        [Table("Attacks on images of the test split", header, rows, "L-infinity, 8/255.")],
        left_out,
        [
            ("every layer computes in float32 without TF32 under every attack", all(exact)),
            (f"FGSM classifies as on the CPU ({same:.4f} of the images)", same > 0.99),
            (f"the model's logits differ from the CPU's by at most 1e-3 ({apart:.1e})",
             apart <= 1e-3),
        ],
    )  # fmt: skip


def _why_not(attack: str, setting: Setting) -> str:
    if attack in _NEEDS_LIBRARY and not is_installed():
        return "pyautoattack is not installed"
    if attack in _NEEDS_LIBRARY and not setting.is_full:
        return f"{NO_TIME}: 5,000 queries, in small sizes too"
    return NO_TIME if setting.is_full and setting.left < _LEAST[attack] else ""


@contextmanager
def _watched(model: nn.Module) -> Iterator[set[tuple[torch.dtype, bool]]]:
    """Collect dtype and permission of TF32 at the outputs of convolutions and linear layers."""
    seen: set[tuple[torch.dtype, bool]] = set()

    def look(_: Any, __: Any, output: Tensor) -> None:
        is_rounded = torch.backends.cudnn.allow_tf32 and output.is_cuda
        seen.add((output.dtype, is_rounded))

    layers = [part for part in model.modules() if isinstance(part, nn.Conv2d | nn.Linear)]
    handles = [layer.register_forward_hook(look) for layer in layers]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def _as_on_the_cpu(model: nn.Module, images: Tensor, labels: Tensor) -> tuple[float, float]:
    """Return the share of images that FGSM classifies as on the CPU, and how far logits differ."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    results = []
    try:
        for device in (images.device, torch.device("cpu")):
            model.to(device)
            pixels, truth = images.to(device), labels.to(device)
            shown = fgsm(model, truth, Ball(pixels, "linf", EPSILON))
            with torch.no_grad():
                logits, attacked = model(pixels).cpu(), model(shown).argmax(1).cpu()
            results.append((logits, attacked.numpy()))
    finally:
        model.to(images.device)
        torch.backends.cudnn.allow_tf32 = before
    (logits, attacked), (reference, expected) = results
    return float(np.mean(attacked == expected)), float((logits - reference).abs().max())

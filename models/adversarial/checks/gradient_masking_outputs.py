"""What a model's outputs alone say about false security: scale, probabilities, randomness.

Forward passes only. The thresholds were calibrated on digits models that the committed count
(results/reference/false_security.md) does not hold.

Sources: Carlini & Wagner 2017 (scaled logits), Athalye et al. 2018 (randomness), Croce et al. 2021
(AutoAttack's warnings of probabilities and randomised defences).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.adversarial.checks.warning import SecurityWarning

# Gap between the two largest logits, median over the images. Above 16.6 the float32 cross-entropy
# loses the true class's gradient (1 - p rounds to 0), above 103 every class's. In calibration 24
# honest networks lay between 0.4 and 14, their logits times 30 above 95 and times 1e-3 below 0.02.
_LARGE_GAP = 40.0
_TINY_GAP = 0.05
# Sums of float32 probabilities are off by about 1e-7 a class.
_SUM_TOLERANCE = 1e-4
# Of the logits' spread. Passes of one program are equal but for the order of sums (about 1e-6).
_PASS_TOLERANCE = 1e-4
# Other batch sizes choose other kernels, on a GPU of reduced precision (TF32: about 1e-3).
_BATCH_TOLERANCE = 1e-2


def output_warnings(model: nn.Module, images: Tensor) -> list[SecurityWarning]:
    """Warnings from three forward passes of `images` (n, channels, height, width)."""
    buffers = {name: buffer.detach().clone() for name, buffer in model.named_buffers()}
    with torch.no_grad():
        logits, again = model(images).float(), model(images).float()
        halves = torch.cat([model(part).float() for part in _halves(images)])
    # NaN logits have no spread; that they are NaN again is no randomness.
    spread = float((logits - logits.mean(1, keepdim=True)).std().nan_to_num(1.0).clamp(min=1e-12))
    passes = _difference(logits, again) / spread
    batches = _difference(logits, halves) / spread
    changed = [
        name
        for name, buffer in model.named_buffers()
        if name not in buffers or not torch.equal(buffer, buffers[name])
    ]
    found = [
        _scale(logits),
        _probabilities(logits),
        _randomness(passes),
        # Randomness moves these too and would be named twice.
        _batch_statistics(batches) if passes <= _PASS_TOLERANCE else None,
        _buffers(changed),
    ]
    return [warning for warning in found if warning is not None]


def top_gap(logits: Tensor) -> float:
    """Median over images of the largest logit minus the second, of logits (n, classes)."""
    top = logits.topk(2, dim=1).values
    return float((top[:, 0] - top[:, 1]).median())


def _scale(logits: Tensor) -> SecurityWarning | None:
    gap = top_gap(logits)
    if _TINY_GAP <= gap <= _LARGE_GAP:
        return None
    return SecurityWarning(
        "logits of extreme scale",
        f"the median gap between the two largest logits is outside [{_TINY_GAP:g}, {_LARGE_GAP:g}]",
        "cross-entropy saturates or goes flat, so its gradients vanish in float32 and attacks that "
        "ascend it (FGSM, PGD, APGD-CE) fail without the model being robust",
        "trust figures by the margin alone; divide the logits by a constant, which changes no "
        "prediction, and attack again",
        f"median gap {gap:.3g}",
    )


def _probabilities(logits: Tensor) -> SecurityWarning | None:
    off = float((logits.sum(1) - 1).abs().max())
    if not (bool((logits >= 0).all()) and off <= _SUM_TOLERANCE):
        return None
    return SecurityWarning(
        "outputs are probabilities",
        f"on every image the outputs are non-negative and sum to 1 within {_SUM_TOLERANCE:g}",
        "the softmax is applied twice in training and attack: gradients shrink wherever the model "
        "is sure, and attacks on cross-entropy look weaker than they are",
        "return the logits before the softmax, train and attack again",
        f"smallest output {float(logits.min()):.2g}, sums off 1 by at most {off:.1g}",
    )


def _randomness(difference: float) -> SecurityWarning | None:
    if difference <= _PASS_TOLERANCE:
        return None
    return SecurityWarning(
        "two evaluation passes disagree",
        f"two passes of the same images in eval mode differ by over {_PASS_TOLERANCE:g} of the "
        "logits' spread",
        "the model is random: each gradient is of another model than the one that judges, so "
        "attacks that take one gradient a step are too weak, and the figure itself is noise",
        "switch the randomness off in evaluation (dropout, noise), or average gradients over many "
        "draws (Athalye et al. 2018)",
        f"largest difference {difference:.2g} of the logits' spread",
    )


def _batch_statistics(difference: float) -> SecurityWarning | None:
    if difference <= _BATCH_TOLERANCE:
        return None
    return SecurityWarning(
        "an output depends on the other images",
        f"logits in half batches differ from those in one batch by over {_BATCH_TOLERANCE:g} of "
        "their spread",
        "statistics of the batch enter in eval mode: an image's verdict depends on which others "
        "stand beside it, and an attack that changes them all changes the model",
        "use running statistics in eval mode",
        f"largest difference {difference:.2g} of the logits' spread",
    )


def _buffers(changed: list[str]) -> SecurityWarning | None:
    if not changed:
        return None
    named = ", ".join(changed[:3]) + (f" and {len(changed) - 3} more" if len(changed) > 3 else "")
    return SecurityWarning(
        "evaluation changes the model",
        "a buffer is not after a pass in eval mode what it was before",
        "the model that is attacked is not the one that was measured, and attacking it makes it "
        "another still",
        "update statistics in training mode alone",
        f"changed: {named}",
    )


def _halves(images: Tensor) -> tuple[Tensor, ...]:
    return torch.split(images, max(1, len(images) // 2))


def _difference(one: Tensor, other: Tensor) -> float:
    """Largest absolute difference; NaN against NaN counts as none, against a number as infinite."""
    equal = (one == other) | (one.isnan() & other.isnan())
    difference = (one - other).abs().nan_to_num(nan=torch.inf)
    return float(torch.where(equal, 0.0, difference).max())

"""Checks for gradient masking by a model's outputs: scale, probabilities, randomness, one class.

They take forward passes only. The thresholds were calibrated on digits models that are not among
those of results/reference/gradient_masking.md.

Sources: Carlini & Wagner 2017 (scaled logits), Athalye et al. 2018 (randomness), Croce et al. 2021
(AutoAttack's warnings of probabilities and randomised defences).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.adversarial.checks.warning import GradientMaskingWarning

ONE_CLASS = "one class is answered"  # the name of a warning
# Gap between the two largest logits, median over the images. Above 16.6 the float32 cross-entropy
# loses the true class's gradient (1 - p rounds to 0), above 103 every class's. In calibration 24
# unmasked networks lay between 0.4 and 14, their logits times 30 above 95 and times 1e-3 below
# 0.02.
_LARGE_GAP = 40.0
_TINY_GAP = 0.05
# Sums of float32 probabilities are off by about 1e-7 for each class.
_SUM_TOLERANCE = 1e-4
# As a share of the logits' spread. Repeated passes differ by the order of sums (about 1e-6).
_PASS_TOLERANCE = 1e-4
# Another batch size may choose another kernel, on a GPU of reduced precision (TF32: about 1e-3).
_BATCH_TOLERANCE = 1e-2


def output_warnings(model: nn.Module, images: Tensor) -> list[GradientMaskingWarning]:
    """Return the warnings from three forward passes of `images` (n, channels, height, width).

    Images whose logits are not finite are left out (`not_finite.py`), unless a second pass differs.
    """
    buffers = {name: buffer.detach().clone() for name, buffer in model.named_buffers()}
    with torch.no_grad():
        logits, again = model(images).float(), model(images).float()
        halves = torch.cat(
            [model(part).float() for part in torch.split(images, max(1, len(images) // 2))]
        )
    finite = logits[torch.isfinite(logits).all(1)].detach()
    # Without finite logits there is no spread; NaN in both passes is no randomness.
    centred = finite - finite.mean(1, keepdim=True)
    spread = max(float(centred.std()), 1e-12) if len(finite) else 1.0
    passes = _difference(logits, again) / spread
    batches = _difference(logits, halves) / spread
    changed = [
        name
        for name, buffer in model.named_buffers()
        if name not in buffers or not torch.equal(buffer, buffers[name])
    ]
    found = [
        _scale(finite) if len(finite) else None,
        _probabilities(finite) if len(finite) else None,
        _randomness(passes),
        # Randomness changes these too and would be reported twice.
        _batch_statistics(batches) if passes <= _PASS_TOLERANCE else None,
        _buffers(changed),
    ]
    return [warning for warning in found if warning is not None]


def one_class(
    model: nn.Module, images: Tensor, labels: Tensor, seed: int
) -> GradientMaskingWarning | None:
    """Return a warning if one class is answered to all images of several classes and to noise.

    Args:
        model: maps images to logits; answers that are not finite are left out.
        images: (n, channels, height, width) in [0, 1].
        labels: int64 (n,).
        seed: seed of as many images of uniform noise.
    """
    generator = torch.Generator(device=images.device).manual_seed(seed)
    noise = torch.rand(images.shape, generator=generator, device=images.device)
    with torch.no_grad():
        shown, of_noise = model(images), model(noise)
    logits = torch.cat([shown, of_noise])
    answers = set(logits[torch.isfinite(logits).all(1)].argmax(1).tolist())
    is_answered = bool(torch.isfinite(shown).all(1).any())
    if len(answers) != 1 or len(set(labels.tolist())) < 2 or not is_answered:
        return None
    (answer,) = answers
    share = float((labels == answer).float().mean())
    return GradientMaskingWarning(
        ONE_CLASS,
        "every image, of whatever class, and every image of uniform noise gets the same class",
        "the model has learned nothing, or has collapsed: its accuracy is the share of that class "
        "and no attack lowers it, which is neither robustness nor masking, so that no check for "
        "masking was made",
        "look at its training (learning rate, frozen weights, labels); do not use the model",
        f"class {answer}, of which are {share:.0%} of the images",
    )


def top_gap(logits: Tensor) -> float:
    """Return the median over images of the largest logit minus the second; logits (n, classes)."""
    top = logits.topk(2, dim=1).values
    return float((top[:, 0] - top[:, 1]).median())


def _scale(logits: Tensor) -> GradientMaskingWarning | None:
    gap = top_gap(logits)
    if _TINY_GAP <= gap <= _LARGE_GAP:
        return None
    return GradientMaskingWarning(
        "logits of extreme scale",
        f"the median gap between the two largest logits is outside [{_TINY_GAP:g}, {_LARGE_GAP:g}]",
        "cross-entropy saturates or becomes flat, so its gradients vanish in float32 and attacks "
        "that ascend it (FGSM, PGD, APGD-CE) fail though the model is not robust",
        "rely only on accuracies by the margin; divide the logits by a constant, which changes no "
        "prediction, and attack again",
        f"median gap {gap:.3g}",
    )


def _probabilities(logits: Tensor) -> GradientMaskingWarning | None:
    off = float((logits.sum(1) - 1).abs().max())
    if not (bool((logits >= 0).all()) and off <= _SUM_TOLERANCE):
        return None
    return GradientMaskingWarning(
        "outputs are probabilities",
        f"on every image the outputs are non-negative and sum to 1 within {_SUM_TOLERANCE:g}",
        "the softmax is applied twice in training and attack: gradients shrink where the model is "
        "confident, and attacks on cross-entropy become weaker",
        "return the logits before the softmax, train and attack again",
        f"smallest output {float(logits.min()):.2g}, sums off 1 by at most {off:.1g}",
    )


def _randomness(difference: float) -> GradientMaskingWarning | None:
    if difference <= _PASS_TOLERANCE:
        return None
    return GradientMaskingWarning(
        "two evaluation passes disagree",
        f"two passes of the same images in eval mode differ by over {_PASS_TOLERANCE:g} of the "
        "logits' spread",
        "the model is random: gradients and predictions come from different models, so attacks "
        "with one gradient per step are too weak, and the accuracy itself is noisy",
        "switch off randomness in evaluation (dropout, noise), or average gradients over many "
        "draws (Athalye et al. 2018)",
        f"largest difference {difference:.2g} of the logits' spread",
    )


def _batch_statistics(difference: float) -> GradientMaskingWarning | None:
    if difference <= _BATCH_TOLERANCE:
        return None
    return GradientMaskingWarning(
        "an output depends on the other images",
        f"logits in half batches differ from those in one batch by over {_BATCH_TOLERANCE:g} of "
        "their spread",
        "batch statistics are used in eval mode: the prediction for an image depends on the other "
        "images of its batch, and an attack that changes them changes the model",
        "use running statistics in eval mode",
        f"largest difference {difference:.2g} of the logits' spread",
    )


def _buffers(changed: list[str]) -> GradientMaskingWarning | None:
    if not changed:
        return None
    named = ", ".join(changed[:3]) + (f" and {len(changed) - 3} more" if len(changed) > 3 else "")
    return GradientMaskingWarning(
        "evaluation changes the model",
        "a buffer changes during a pass in eval mode",
        "the model that is attacked is not the one that was measured, and the attack changes it "
        "again",
        "update statistics in training mode only",
        f"changed: {named}",
    )


def _difference(one: Tensor, other: Tensor) -> float:
    """Return the largest absolute difference; NaN equals NaN and is infinitely far from numbers."""
    equal = (one == other) | (one.isnan() & other.isnan())
    difference = (one - other).abs().nan_to_num(nan=torch.inf)
    return float(torch.where(equal, 0.0, difference).max())

"""Checks of a model for outputs and gradients that are not finite, at the images and near them.

Neither masks anything on purpose. Both are faults of a model: a logarithm or a root of zero, a
division by zero, an overflow. Attacks treat them alike in every model: an output that is not finite
counts as misclassified, an entry of a gradient that is not finite as zero.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.adversarial.checks.warning import GradientMaskingWarning
from models.adversarial.pixels.attacks import Ball, margin_loss, slope


def not_finite_warnings(
    model: nn.Module, images: Tensor, labels: Tensor, ball: Ball, seed: int
) -> list[GradientMaskingWarning]:
    """Return the warnings from two passes, forward and backward, of the images.

    Args:
        model: maps images to logits; it need not be differentiable.
        images: (n, channels, height, width) in [0, 1].
        labels: int64 (n,).
        ball: the ball around `images`.
        seed: seed of the random points in the ball.
    """
    generator = torch.Generator(device=images.device).manual_seed(seed)
    points = (images, ball.project(images + ball.noise(generator)))
    slopes = [slope(model, shown, labels, margin_loss) for shown in points]
    are_outputs = [torch.isfinite(at.logits).all(1) for at in slopes]
    # Where an output is not finite its gradient is neither, which is one fault. No gradient at all
    # is another check's.
    are_gradients = [
        at.is_usable | ~is_output | bool(at.missing)
        for at, is_output in zip(slopes, are_outputs, strict=True)
    ]
    found = [_outputs(*map(_lacking, are_outputs)), _gradients(*map(_lacking, are_gradients))]
    return [warning for warning in found if warning is not None]


def _lacking(is_finite: Tensor) -> str:
    """Return how many flags (n,) are false, in words; empty if none is."""
    lacking = int((~is_finite).sum())
    return f"{lacking} of {len(is_finite)}" if lacking else ""


def _outputs(here: str, near: str) -> GradientMaskingWarning | None:
    if not here and not near:
        return None
    return GradientMaskingWarning(
        "outputs are not finite",
        "for at least one image, or a random point of its ball, a logit is NaN or infinite",
        "such an output is no answer and counts as misclassified, so that every accuracy is an "
        "upper bound; it says nothing about how robust the model would be without this fault",
        "find the logarithm of zero, the division by zero or the overflow, and measure again",
        f"images: {here or 'none'}, random points: {near or 'none'}",
    )


def _gradients(here: str, near: str) -> GradientMaskingWarning | None:
    if not here and not near:
        return None
    return GradientMaskingWarning(
        "gradients are not finite",
        "for at least one image, or a random point of its ball, the outputs are finite and an "
        "entry of the margin's gradient is NaN or infinite",
        "an attack cannot follow such a gradient: these pixels stay where they are, and the model "
        "looks more robust than it is, or is attacked without gradients (Square) alone",
        "find the operation whose derivative is not finite (a root or a norm at zero is the usual "
        "one: add a small constant inside), and measure again",
        f"images: {here or 'none'}, random points: {near or 'none'}",
    )

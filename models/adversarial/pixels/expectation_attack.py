"""PGD on an expectation over tiny jitters of the image, for outputs that jump or are random.

Where each evaluation may be by another function (chosen by the pixels' last bits, or drawn), the
gradient at one point is of one of them, and the next step meets another. Here gradients are
averaged over points that look the same, and each of these points is tried.

NOTE: The average is weighted towards the points of the highest loss. The plain one attacks the mean
of the functions, and one that errs is enough: on five networks chosen by a hash of the pixels it
left 0.36 of digits, the weighted one 0.29, attacks on each of the five 0.27.

Sources: Athalye et al. 2018, "Obfuscated gradients give a false sense of security", section 4.1.2
(expectation over transformation), with a jitter as the transformation; Tramer et al. 2020, "On
adaptive attacks to adversarial example defenses" (attack the weakest of several functions).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.adversarial.pixels.attacks import Ball, Loss, keep_worst, margin, slope

# Largest jitter of a pixel: some 17 spacings of float32 below 1, so that its bits change, and
# far below a byte's step, so that the image does not.
JITTER = 1e-6
# Steps, and points around each iterate. On the five networks 10 steps left 0.31, and 4 points 0.32.
_STEPS, _POINTS = 20, 8
# Weight of a loss that is one standard deviation higher: e^3, so that the highest of eight has most
# of the weight, and equal ones share it.
_SHARPNESS = 3.0


def expectation_attack(
    model: nn.Module,
    labels: Tensor,
    ball: Ball,
    *,
    start: Tensor,
    loss: Loss,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Return the worst of all points tried, per example, and its margin (n,).

    Costs 160 forward and backward passes for each image. Step sizes fall from epsilon to
    epsilon / 20. NaN counts as the smallest margin, and as no gradient.

    Args:
        model: maps images (n, channels, height, width) to logits (n, classes).
        labels: the true classes, int64 (n,), n > 0.
        ball: the allowed perturbations; its centre holds the clean images.
        start: perturbations to start from, projected into the ball.
        loss: the loss to ascend, per example.
        generator: draws the jitters, on the device of the images.
    """
    current = ball.project(ball.centre + start)
    worst, smallest = current, torch.full(labels.shape, torch.inf, device=labels.device)
    for number in range(_STEPS):
        gradients, values = [], []
        for _ in range(_POINTS):
            shown = jittered(current, ball, generator)
            at = slope(model, shown, labels, loss)
            worst, smallest = keep_worst(worst, smallest, shown, margin(at.logits, labels))
            gradients.append(at.gradient.nan_to_num(0.0))
            values.append(at.values.nan_to_num(0.0))
        uphill = _weighted(torch.stack(gradients), torch.stack(values))
        size = ball.epsilon * (1 - number / _STEPS)
        current = ball.project(current + size * ball.steepest(uphill))
    return worst, smallest


def jittered(images: Tensor, ball: Ball, generator: torch.Generator) -> Tensor:
    """Return images moved by up to `JITTER` in each pixel, within the ball."""
    noise = torch.rand(images.shape, generator=generator, device=images.device) * 2 - 1
    return ball.project(images + JITTER * noise)


def _weighted(gradients: Tensor, values: Tensor) -> Tensor:
    """Return the weighted mean of gradients (points, n, ...) by their losses (points, n)."""
    spread = values.std(0, keepdim=True).clamp(min=torch.finfo(values.dtype).tiny)
    weights = (_SHARPNESS * (values - values.mean(0, keepdim=True)) / spread).softmax(0)
    mean: Tensor = torch.einsum("pn,pn...->n...", weights, gradients)
    return mean

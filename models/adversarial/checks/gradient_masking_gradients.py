"""Checks for gradient masking by a model's gradients: whether attacks can follow them.

Sources: Athalye et al. 2018, "Obfuscated gradients give a false sense of security" (shattered and
vanishing gradients, non-differentiable parts); Carlini et al. 2019, "On evaluating adversarial
robustness", section 4 (sanity checks). The thresholds were calibrated on digits models that are not
among those of results/reference/gradient_masking.md.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.adversarial.checks.warning import GradientMaskingWarning
from models.adversarial.pixels.attacks import (
    Ball,
    Loss,
    cross_entropy,
    margin_loss,
    slope,
    targeted_margin_loss,
)
from models.adversarial.pixels.evaluation import wrong_classes

# Share of the images with a vanished gradient or with flat outputs: unmasked models have none.
_SHARE = 0.05
# A float32 below this is denormal: it has lost precision, and some hardware rounds it to zero.
_VANISHED = torch.finfo(torch.float32).tiny
# Mean cosine. Calibrated on digits with noise of L-infinity 0.1: unmasked networks have 0.69 or
# more (the least smooth: narrow tanh networks with normalisation after 30 epochs), steep tanh
# networks 0.49 or less. With noise of 0.03 they nearly overlap: 0.87 and 0.85.
_AGREEMENT = 0.58
# Largest distance of the random point, as calibrated: the cosine falls with distance in every
# network.
_NEARBY_MOST = 0.1
# Steps of the finite differences in pixels: 3e-4 changes a float32 logit of order 1 visibly.
_SMALL = 3e-4

_REMEDY = (
    "attack a differentiable stand-in (straight-through, BPDA; Athalye et al. 2018) or "
    "without gradients (Square), and report that accuracy"
)


def differentiability(
    model: nn.Module, images: Tensor, labels: Tensor
) -> GradientMaskingWarning | None:
    """Return a warning with torch's reason if no gradient reaches `images`."""
    missing = slope(model, images, labels, margin_loss).missing
    if not missing:
        return None
    return GradientMaskingWarning(
        "not differentiable",
        "no gradient of the outputs with respect to the images can be computed",
        "gradient attacks find nothing: an accuracy under one of them alone is about the clean "
        "one; the full attack and AutoAttack use Square, which is weaker than gradients are",
        _REMEDY,
        missing,
    )


def gradient_warnings(
    model: nn.Module, images: Tensor, labels: Tensor, ball: Ball, seed: int
) -> list[GradientMaskingWarning]:
    """Return the warnings from nine forward passes, five of them with a backward pass.

    Args:
        model: maps images to logits, differentiable.
        images: (n, channels, height, width) in [0, 1].
        labels: int64 (n,).
        ball: the ball around `images`.
        seed: seed of the nearby points.
    """
    shares = {
        "cross-entropy": vanished(model, images, labels, cross_entropy),
        "margin": vanished(model, images, labels, margin_loss),
    }
    flat, steps = stepwise(model, images, labels, ball, seed)
    found = [
        _vanishing(shares),
        _steps(flat, steps),
        _disagreement(agreement(model, images, labels, ball, seed)),
    ]
    return [warning for warning in found if warning is not None]


def vanished(model: nn.Module, images: Tensor, labels: Tensor, loss: Loss) -> float:
    """Return the share of the images whose whole gradient is zero or denormal.

    A gradient that is not finite has not vanished: `not_finite.py`.
    """
    at = slope(model, images, labels, loss)
    has_vanished = at.is_usable & (at.gradient.flatten(1).abs().amax(1) < _VANISHED)
    return float(has_vanished.float().mean())


def stepwise(
    model: nn.Module, images: Tensor, labels: Tensor, ball: Ball, seed: int
) -> tuple[float, float]:
    """Return the shares of images with flat outputs, and with a zero gradient but moving outputs.

    Outputs are flat if the logits are bit-equal at two points a little apart. Both points lie on
    the same side of the image, because pixels stored as bytes lie on the border of many quantisers.
    """
    generator = torch.Generator(device=images.device).manual_seed(seed)
    noise = ball.noise(generator)
    direction = _SMALL * (torch.rand(images.shape, generator=generator, device=images.device) + 0.5)
    at = slope(model, images, labels, margin_loss)
    with torch.no_grad():
        near, next_to_it = model(images + direction), model(images + 1.5 * direction)
        away = model(ball.project(images + noise))
    flat = (near == next_to_it).all(1)
    is_blind = at.is_usable & (at.gradient.flatten(1) == 0).all(1) & (away != at.logits).any(1)
    return float(flat.float().mean()), float(is_blind.float().mean())


def agreement(
    model: nn.Module, images: Tensor, labels: Tensor, ball: Ball, seed: int
) -> float | None:
    """Return the mean cosine between the gradients at an image and at a random point nearby.

    The loss is the margin towards the most likely wrong class, whose gradient has a direction that
    does not depend on the scale of the logits. Images with a gradient that has vanished, or is not
    finite, are left out; None if none is left.
    """
    generator = torch.Generator(device=images.device).manual_seed(seed)
    nearby = Ball(images, ball.norm, min(ball.epsilon, _furthest(ball)))
    loss = targeted_margin_loss(wrong_classes(model, images, labels)[0])
    here, there = (
        slope(model, at, labels, loss).gradient.flatten(1)
        for at in (images, images + nearby.noise(generator))
    )
    sizes = torch.minimum(here.abs().amax(1), there.abs().amax(1))
    largest = torch.maximum(here.abs().amax(1), there.abs().amax(1))
    seen = (sizes >= _VANISHED) & torch.isfinite(largest)
    if not seen.any():
        return None
    # Lengths first: the squares of small gradients underflow.
    here, there = (side / side.abs().amax(1, keepdim=True) for side in (here[seen], there[seen]))
    return float(functional.cosine_similarity(here, there).mean())


def _furthest(ball: Ball) -> float:
    """Return the largest distance; in L2 the root mean square of that L-infinity noise."""
    if ball.norm == "linf":
        return _NEARBY_MOST
    return _NEARBY_MOST * math.sqrt(ball.centre[0].numel() / 3)


def _vanishing(shares: dict[str, float]) -> GradientMaskingWarning | None:
    if max(shares.values()) <= _SHARE:
        return None
    return GradientMaskingWarning(
        "gradients vanish",
        f"for over {_SHARE:.0%} of the images the gradient of cross-entropy or of the margin is "
        "zero or denormal in float32",
        "attacks that ascend this loss make no progress there; the model looks robust because its "
        "gradient is lost to saturation, extreme logits or rounding",
        "rely on accuracies by the other loss and by Square; remove the scale, rounding or "
        "saturating unit",
        ", ".join(f"{name}: {share:.0%}" for name, share in shares.items()),
    )


def _steps(flat: float, blind: float) -> GradientMaskingWarning | None:
    if max(flat, blind) <= _SHARE:
        return None
    return GradientMaskingWarning(
        "parts are not differentiable",
        f"for over {_SHARE:.0%} of the images the outputs stay the same to the last bit under a "
        f"tiny change of every pixel ({_SMALL:g}), or move within the ball though their gradient "
        "is exactly zero",
        "the outputs are piecewise constant (quantised, rounded, thresholded), so gradients do not "
        "say how to change them",
        _REMEDY,
        f"flat: {flat:.0%}, zero gradient but moving: {blind:.0%}",
    )


def _disagreement(cosine: float | None) -> GradientMaskingWarning | None:
    if cosine is None or cosine >= _AGREEMENT:
        return None
    return GradientMaskingWarning(
        "nearby gradients disagree",
        f"the mean cosine between gradients at an image and at a random point of the ball is below "
        f"{_AGREEMENT:g}",
        "the loss is rough on the scale of the ball, so single gradient steps mislead and PGD of "
        "few steps overstates robustness",
        "attack with many more steps and restarts, targeted APGD or AutoAttack; remove steep or "
        "saturating units",
        f"mean cosine {cosine:.3f}",
    )

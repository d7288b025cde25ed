"""What a model's gradients say about false security: whether attacks can follow them.

Sources: Athalye et al. 2018, "Obfuscated gradients give a false sense of security" (shattered and
vanishing gradients, non-differentiable parts); Carlini et al. 2019, "On evaluating adversarial
robustness", section 4 (sanity checks). The thresholds were calibrated on digits models that the
committed count (results/reference/false_security.md) does not hold.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.adversarial.checks.warning import SecurityWarning
from models.adversarial.pixels.attacks import (
    Ball,
    Loss,
    cross_entropy,
    margin_loss,
    slope,
    targeted_margin_loss,
)
from models.adversarial.pixels.evaluation import wrong_classes

# Share of the images with a vanished gradient, or with flat outputs: honest models have none.
_SHARE = 0.05
# A float32 below this is denormal: it lost its digits, and some hardware rounds it to zero.
_VANISHED = torch.finfo(torch.float32).tiny
# Calibrated on digits with noise of L-infinity 0.1: honest networks agree by 0.69 or more (the
# least smooth: narrow tanh networks with normalisation after 30 epochs), steep tanh networks by
# 0.49 or less. Closer by they nearly overlap: 0.87 and 0.85 at 0.03.
_AGREEMENT = 0.58
# A random point of the ball, but no further than what was calibrated: agreement falls with distance
# in every network.
_NEARBY_MOST = 0.1
# Steps of the finite differences in pixels: 3e-4 changes a float32 logit of order 1 visibly.
_SMALL = 3e-4

_REMEDY = (
    "attack a differentiable stand-in (straight-through, BPDA; Athalye et al. 2018) or "
    "without gradients (Square), and report that figure"
)


def differentiability(model: nn.Module, images: Tensor, labels: Tensor) -> SecurityWarning | None:
    """A warning if no gradient comes back to `images` at all, with torch's reason."""
    try:
        slope(model, images, labels, margin_loss)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        return SecurityWarning(
            "not differentiable",
            "no gradient of the outputs with respect to the images can be computed",
            "gradient attacks cannot run; a robust accuracy by them would be the clean one",
            _REMEDY,
            reason,
        )
    return None


def gradient_warnings(
    model: nn.Module, images: Tensor, labels: Tensor, ball: Ball, seed: int
) -> list[SecurityWarning]:
    """Warnings from nine passes forward, five of them with their way back.

    Args:
        model: maps images to logits, differentiable.
        images: (n, channels, height, width) in [0, 1].
        labels: int64 (n,).
        ball: the threat around `images`.
        seed: of the nearby points.
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
    """Share of the images whose whole gradient is zero or denormal."""
    gradient = slope(model, images, labels, loss).gradient
    return float((gradient.flatten(1).abs().amax(1) < _VANISHED).float().mean())


def stepwise(
    model: nn.Module, images: Tensor, labels: Tensor, ball: Ball, seed: int
) -> tuple[float, float]:
    """Two shares of the images: flat outputs, and a zero gradient where the outputs do move.

    Flat are logits that are the same to the last bit at two points a little apart; both lie on one
    side of the image, for pixels of bytes stand on the very border of many a quantiser.
    """
    generator = torch.Generator(device=images.device).manual_seed(seed)
    noise = ball.noise(generator)
    direction = _SMALL * (torch.rand(images.shape, generator=generator, device=images.device) + 0.5)
    at = slope(model, images, labels, margin_loss)
    with torch.no_grad():
        near, next_to_it = model(images + direction), model(images + 1.5 * direction)
        away = model(ball.project(images + noise))
    flat = (near == next_to_it).all(1)
    is_blind = (at.gradient.flatten(1) == 0).all(1) & (away != at.logits).any(1)
    return float(flat.float().mean()), float(is_blind.float().mean())


def agreement(
    model: nn.Module, images: Tensor, labels: Tensor, ball: Ball, seed: int
) -> float | None:
    """Mean cosine between the gradient at an image and at a random point of the ball nearby.

    Of the margin towards the most likely wrong class, which no scale of the logits changes. Images
    with a vanished gradient say nothing and are left out; None if there is no other.
    """
    generator = torch.Generator(device=images.device).manual_seed(seed)
    nearby = Ball(images, ball.norm, min(ball.epsilon, _furthest(ball)))
    loss = targeted_margin_loss(wrong_classes(model, images, labels)[0])
    here, there = (
        slope(model, at, labels, loss).gradient.flatten(1)
        for at in (images, images + nearby.noise(generator))
    )
    sizes = torch.minimum(here.abs().amax(1), there.abs().amax(1))
    seen = sizes >= _VANISHED
    if not seen.any():
        return None
    # Lengths first: the squares of small gradients underflow.
    here, there = (side / side.abs().amax(1, keepdim=True) for side in (here[seen], there[seen]))
    return float(functional.cosine_similarity(here, there).mean())


def _furthest(ball: Ball) -> float:
    """How far "nearby" reaches at most: in L2, the root mean square of that L-infinity noise."""
    if ball.norm == "linf":
        return _NEARBY_MOST
    return _NEARBY_MOST * math.sqrt(ball.centre[0].numel() / 3)


def _vanishing(shares: dict[str, float]) -> SecurityWarning | None:
    if max(shares.values()) <= _SHARE:
        return None
    return SecurityWarning(
        "gradients vanish",
        f"for over {_SHARE:.0%} of the images the gradient of cross-entropy or of the margin is "
        "zero or denormal in float32",
        "attacks that ascend this loss stand still there; the model looks robust because its "
        "gradient is lost, by saturation, extreme logits or rounding",
        "trust figures by the loss whose gradient lives, and by Square; remove the scale, rounding "
        "or saturating unit",
        ", ".join(f"{name}: {share:.0%}" for name, share in shares.items()),
    )


def _steps(flat: float, blind: float) -> SecurityWarning | None:
    if max(flat, blind) <= _SHARE:
        return None
    return SecurityWarning(
        "parts are not differentiable",
        f"for over {_SHARE:.0%} of the images the outputs stay the same to the last bit under a "
        f"tiny change of every pixel ({_SMALL:g}), or move within the ball though their gradient "
        "is exactly zero",
        "the outputs are piecewise constant (quantised, rounded, thresholded), so gradients say "
        "nothing of how to change them",
        _REMEDY,
        f"flat: {flat:.0%}, zero gradient but moving: {blind:.0%}",
    )


def _disagreement(cosine: float | None) -> SecurityWarning | None:
    if cosine is None or cosine >= _AGREEMENT:
        return None
    return SecurityWarning(
        "nearby gradients disagree",
        f"the mean cosine between gradients at an image and at a random point of the ball is below "
        f"{_AGREEMENT:g}",
        "the loss is rough on the scale of the ball, so a gradient step leads elsewhere than it "
        "promises and PGD of few steps overstates robustness",
        "attack with many more steps and restarts, targeted APGD or AutoAttack; remove steep or "
        "saturating units",
        f"mean cosine {cosine:.3f}",
    )

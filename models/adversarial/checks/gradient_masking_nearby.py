"""Checks for gradient masking by moving a little: outputs must change little, as gradients say.

An attack by gradients follows the outputs from point to point, so it fails where they jump, and
where the gradient is not theirs. Both are seen by finite differences, without an attack.

Sources: Athalye et al. 2018 (shattered and randomised gradients); Hein & Andriushchenko 2017 (local
Lipschitz constants). What warnings say, and the thresholds, are in search_warnings.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.adversarial.checks.gradient_masking_gradients import vanished
from models.adversarial.checks.search_warnings import (
    JUMP,
    NO_GRADIENT,
    gradient_warning,
    jumps_warning,
)
from models.adversarial.checks.warning import GradientMaskingWarning
from models.adversarial.pixels.attacks import Ball, margin_loss, slope, targeted_margin_loss
from models.adversarial.pixels.evaluation import wrong_classes
from models.adversarial.pixels.expectation_attack import JITTER, jittered

# Halvings of the way between two images: 2^-20 of a pixel's range is about `JITTER`.
_HALVINGS = 20
# Half the distances of finite differences. The first changes a float32 logit visibly and crosses
# few kinks of rectifiers. Inputs rounded to bytes stand still over it, but not over the second,
# which is two of their levels.
_STEPS = (1e-3, 2 / 255)
# How far the points of finite differences lie inside of [0, 1], and at most off the images.
_INSIDE = 0.02
# A change that is smaller than this share of the logits' spread is rounding (about 1e-6).
_ROUNDING = 1e-5


@dataclass(frozen=True)
class Nearby:
    """What happens to the outputs very near to images.

    Attributes:
        jumps: Share of the images near which, or near the boundary to another class, the outputs
            jump; in [0, 1].
        gradient_error: Length of "change as the gradient says, less the true change" relative to
            that of the true change, as vectors over the images, at the distance at which it is
            smaller; 0 if the gradient is right, `NO_GRADIENT` if it cannot be computed or is not
            finite.
        vanished: Share of the images whose gradient of the margin is zero or denormal; 0 for a
            model that answers one class, whose outputs may be constant.
    """

    jumps: float
    gradient_error: float
    vanished: float


def nearby(model: nn.Module, images: Tensor, labels: Tensor, seed: int) -> Nearby:
    """Measure them, by 32 forward passes, two with a backward one; the model is in eval mode.

    Args:
        model: maps images to logits (n, classes).
        images: float32 (n, channels, height, width) in [0, 1], n > 0.
        labels: int64 (n,).
        seed: seed of the directions.
    """
    generator = torch.Generator(device=images.device).manual_seed(seed)
    return Nearby(
        _jumps(model, images, generator),
        _error(model, images, labels, generator),
        _vanished(model, images, labels),
    )


def nearby_warnings(
    model: nn.Module, images: Tensor, labels: Tensor, seed: int
) -> list[GradientMaskingWarning]:
    """Return the warnings of `nearby`, with its arguments; `gradient_warnings` has the last one."""
    found = nearby(model, images, labels, seed)
    warnings = [jumps_warning(found.jumps), gradient_warning(found.gradient_error)]
    return [warning for warning in warnings if warning is not None]


def _jumps(model: nn.Module, images: Tensor, generator: torch.Generator) -> float:
    """Return the share of the images with a jump next to them or at the boundary."""
    with torch.no_grad():
        logits = model(images)
        spread = (logits - logits.mean(1, keepdim=True)).std().clamp(min=1e-30)
        moved = model(jittered(images, Ball(images, "linf", JITTER), generator))
        jumped = _changed(logits, moved) > JUMP * spread
        predicted = logits.argmax(1)
        other = _partners(predicted)
        here, there = images, images[other]
        for _ in range(_HALVINGS):
            middle = (here + there) / 2
            same = (model(middle).argmax(1) == predicted)[:, None, None, None]
            here, there = torch.where(same, middle, here), torch.where(same, there, middle)
        at_boundary = _changed(model(here), model(there)) > JUMP * spread
    return float((jumped | (at_boundary & (predicted != predicted[other]))).float().mean())


def _vanished(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Return the share of the images without a gradient left; 0 if one class is answered."""
    with torch.no_grad():
        is_one_class = len(model(images).argmax(1).unique()) == 1
    return 0.0 if is_one_class else vanished(model, images, labels, margin_loss)


def _partners(predicted: Tensor) -> Tensor:
    """Return for each image (n,) the index of the next one predicted otherwise; its own if none."""
    n = len(predicted)
    steps = torch.arange(n, device=predicted.device)
    following = (steps[:, None] + steps[None, :]) % n  # (image, distance)
    differs = predicted[following] != predicted[:, None]
    distance: Tensor = differs.int().argmax(1)  # the first; 0 if there is none
    return (steps + distance) % n


def _changed(one: Tensor, other: Tensor) -> Tensor:
    """Return the largest change of a logit (n,); NaN is infinitely far from numbers."""
    both = one.isnan() & other.isnan()
    return torch.where(both, 0.0, (one - other).abs()).nan_to_num(nan=torch.inf).amax(1)


def _error(model: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator) -> float:
    """Return the gradient's relative error along a random direction of every image.

    The margin towards the likeliest wrong class is compared, at points a little inside of [0, 1]
    and off the images: many pixels are exactly 0, and maxima over equal pixels have no gradient.
    An attack by gradients needs them to be right at one of its step sizes, not at all of them.
    """
    loss = targeted_margin_loss(wrong_classes(model, images, labels)[0])
    noise = torch.rand(images.shape, generator=generator, device=images.device)
    images = (1 - 2 * _INSIDE) * images + 2 * _INSIDE * noise
    direction = torch.randint(2, images.shape, generator=generator, device=images.device) * 2.0 - 1
    at = slope(model, images, labels, loss)
    said = (at.gradient * direction).flatten(1).sum(1)
    if at.missing or not bool(torch.isfinite(said).all()):
        return NO_GRADIENT
    spread = (at.logits - at.logits.mean(1, keepdim=True)).std()
    errors = []
    for step in _STEPS:
        with torch.no_grad():
            up, down = (loss(model(images + side * step * direction), labels) for side in (1, -1))
        # Rounding alone says nothing: an image whose outputs are constant has no wrong gradient.
        errors.append(_relative(said, (up - down) / (2 * step), _ROUNDING * spread / step))
    return min((error for error in errors if error is not None), default=0.0)


def _relative(said: Tensor, true: Tensor, rounding: Tensor) -> float | None:
    """Return the length of `said` less `true`, (n,), relative to that of `true`.

    Entries of which neither exceeds `rounding` are left out; None if none is left: a distance at
    which nothing moves is no evidence that the gradient is right at another one.
    """
    kept = torch.maximum(true.abs(), said.abs()) > rounding
    if not bool(kept.any()):
        return None
    off = torch.linalg.vector_norm((said - true)[kept])
    whole = torch.linalg.vector_norm(true[kept]).clamp(min=torch.finfo(true.dtype).tiny)
    error = (off / whole).nan_to_num(nan=NO_GRADIENT)
    return min(float(error), NO_GRADIENT)

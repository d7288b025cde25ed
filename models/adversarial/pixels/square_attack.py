"""The Square attack: random search over squares of pixels, from the outputs alone.

It needs no gradients, so it also attacks models that mask them. A few hundred queries are a check
for gradient masking, not a final evaluation: AutoAttack uses 5,000.

NOTE: As in AutoAttack's version the position of a square is drawn once for all images, its signs
for each image. So all images are attacked together, and shown to the model in batches.

Source: Andriushchenko et al. 2020, "Square Attack", Algorithms 1 to 3, with the margin as loss.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from models.adversarial.pixels.attacks import Ball, keep_worst, margin

# Share of an image's pixels in the first square, Andriushchenko et al. 2020, section 5.
_FIRST_SHARE = {"linf": 0.8, "l2": 0.1}
# The share is halved after these shares of the queries (section 3.4: steps of 10,000).
_HALVED_AT = (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
# Below 3 pixels the pattern of the L2 attack has no interior.
_SMALLEST_L2 = 3
# Images shown to the model at once.
_BATCH = 512


@torch.no_grad()
def square_attack(
    model: nn.Module, labels: Tensor, ball: Ball, *, queries: int, seed: int
) -> tuple[Tensor, Tensor]:
    """Return the worst images found with `queries` queries for each, and their margins (n,).

    Args:
        model: maps images (n, channels, height, width) to logits (n, classes); no gradients.
        labels: the true classes, int64 (n,).
        ball: the allowed perturbations.
        queries: forward passes for each image, at least 1.
        seed: seed of the random search.

    Raises:
        ValueError: `queries` is below 1.
    """
    if queries < 1:
        raise ValueError(f"queries is {queries!r}; fix: give at least 1")
    if not len(labels):
        return ball.centre, torch.zeros(0, device=labels.device)
    generator = torch.Generator(device=labels.device).manual_seed(seed)
    start, proposal = (_stripes, _square) if ball.norm == "linf" else (_tiles, _moved_mass)
    best = ball.project(ball.centre + start(ball, generator))
    margins = _margins(model, best, labels)
    for query in range(1, queries):
        share = _FIRST_SHARE[ball.norm] / 2 ** sum(query / queries > at for at in _HALVED_AT)
        delta = proposal(best - ball.centre, share, ball.epsilon, generator)
        shown = ball.project(ball.centre + delta)
        best, margins = keep_worst(best, margins, shown, _margins(model, shown, labels))
    return best, margins


def _margins(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Return the model's margins (n,), batch by batch."""
    pairs = zip(torch.split(images, _BATCH), torch.split(labels, _BATCH), strict=True)
    return torch.cat([margin(model(part), truth) for part, truth in pairs])


def _stripes(ball: Ball, generator: torch.Generator) -> Tensor:
    """Return vertical stripes one pixel wide of plus or minus epsilon, for each channel."""
    n, channels, height, width = ball.centre.shape
    signs = _signs((n, channels, 1, width), generator)
    return (ball.epsilon * signs).expand(n, channels, height, width)


def _square(delta: Tensor, share: float, epsilon: float, generator: torch.Generator) -> Tensor:
    """Return `delta` with one square at +-epsilon, a sign for each image and channel."""
    n, channels, height, width = delta.shape
    side = max(1, min(round(math.sqrt(share * height * width)), height, width))
    top, left = _corner(delta, side, generator)
    changed = delta.clone()
    signs = _signs((n, channels, 1, 1), generator)
    changed[:, :, top : top + side, left : left + side] = epsilon * signs
    return changed


def _tiles(ball: Ball, generator: torch.Generator) -> Tensor:
    """Return the L2 pattern on a grid of about five by five squares, of total norm epsilon."""
    n, channels, height, width = ball.centre.shape
    side = max(1, min(max(height // 5, _SMALLEST_L2), height, width))
    delta = torch.zeros_like(ball.centre)
    for top in range(0, height - side + 1, side):
        for left in range(0, width - side + 1, side):
            pattern = _pattern(side, generator) * _signs((n, channels, 1, 1), generator)
            delta[:, :, top : top + side, left : left + side] = pattern
    return delta * (ball.epsilon / _norm(delta))


def _moved_mass(delta: Tensor, share: float, epsilon: float, generator: torch.Generator) -> Tensor:
    """Return `delta` with the mass of one square moved to another one, in the L2 pattern.

    The budget that clipping to [0, 1] left unused is spent there too (Algorithm 3).
    """
    n, channels, height, width = delta.shape
    side = round(math.sqrt(share * height * width)) // 2 * 2 + 1
    side = max(1, min(max(side, _SMALLEST_L2), height, width))
    (top, left), (other_top, other_left) = (_corner(delta, side, generator) for _ in range(2))
    here = (slice(None), slice(None), slice(top, top + side), slice(left, left + side))
    there = (..., slice(other_top, other_top + side), slice(other_left, other_left + side))
    outside = delta.clone()
    outside[here] = 0.0
    outside[there] = 0.0
    # Channels share equally the budget of the two squares and the unused rest.
    free = (epsilon**2 - _norm(outside) ** 2).clamp(min=0.0) / channels
    old = delta[here]
    lengths = torch.linalg.vector_norm(old, dim=(2, 3), keepdim=True).clamp(min=1e-12)
    pattern = _pattern(side, generator) * _signs((n, channels, 1, 1), generator) + old / lengths
    lengths = torch.linalg.vector_norm(pattern, dim=(2, 3), keepdim=True).clamp(min=1e-12)
    outside[here] = pattern / lengths * free.sqrt()
    return outside


def _pattern(side: int, generator: torch.Generator) -> Tensor:
    """Return two halves of opposite sign, largest in the middle, (side, side), of norm 1."""
    half = side // 2
    upper, lower = _bump(half, side), _bump(side - half, side)
    pattern = torch.cat([upper, -lower]).to(generator.device)
    pattern = pattern / torch.linalg.vector_norm(pattern)
    turned: Tensor = pattern.T
    flip = torch.rand((), generator=generator, device=generator.device) > 0.5
    return turned if flip else pattern


def _bump(height: int, width: int) -> Tensor:
    """Return sums of 1 / k^2 over the centred squares that contain a pixel (equation 2)."""
    rows = (torch.arange(height) - height // 2).abs()
    columns = (torch.arange(width) - width // 2).abs()
    distance = torch.maximum(rows[:, None], columns[None, :])  # (height, width)
    largest = max(height, width) // 2 + 1
    tails = torch.tensor(
        [sum(1 / (k + 1) ** 2 for k in range(at, largest)) for at in range(largest)]
    )
    bump: Tensor = tails[distance]
    return bump


def _corner(delta: Tensor, side: int, generator: torch.Generator) -> tuple[int, int]:
    height, width = delta.shape[2:]
    top, left = (
        int(torch.randint(room - side + 1, (), generator=generator, device=generator.device))
        for room in (height, width)
    )
    return top, left


def _signs(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    return torch.randint(2, shape, generator=generator, device=generator.device) * 2.0 - 1.0


def _norm(delta: Tensor) -> Tensor:
    """Return L2 norms (n, 1, 1, 1), at least 1e-12 to avoid division by zero."""
    norms: Tensor = torch.linalg.vector_norm(delta, dim=(1, 2, 3), keepdim=True)
    return norms.clamp(min=1e-12)

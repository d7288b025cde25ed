"""Auto-PGD: projected gradient ascent with momentum that chooses its own step size.

Stronger than PGD with as many steps and without a step size to tune, hence the attack that confirms
robust accuracies. `confirmation.py` chooses its target classes and examples.

Source: Croce & Hein 2020, "Reliable evaluation of adversarial robustness with an ensemble of
diverse parameter-free attacks", Algorithm 1 and section 3.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from models.adversarial.pixels.attacks import Ball, Loss, keep_worst, like, margin, slope

# Section 3.1: the first step is twice epsilon; the new direction has weight 0.75, the last move
# the rest.
_FIRST_STEP, _MOMENTUM = 2.0, 0.75
# Section 3.2: fewer ascending steps than this share between two checkpoints halve the step size.
_ASCENDING = 0.75


def checkpoints(steps: int) -> list[int]:
    """Return after how many steps the step size is reconsidered: the ceilings of p_j * `steps`.

    p_0 = 0, p_1 = 0.22 and each period is 0.03 shorter than the one before, at least 0.06.
    """
    # In hundredths, which are exact: 0.22 + 0.19 is not 0.41 in binary, which changes a ceiling.
    found, share, period = [], 22, 22
    while share <= 100:
        found.append(math.ceil(share * steps / 100))
        period = max(period - 3, 6)
        share += period
    return list(dict.fromkeys(found))


def apgd(
    model: nn.Module, labels: Tensor, ball: Ball, *, steps: int, start: Tensor, loss: Loss
) -> tuple[Tensor, Tensor]:
    """Return the best of the start and `steps` iterates, per example, and its margin (n,).

    Best is the smallest margin, whatever loss is ascended; NaN counts as smaller than any. Each
    example has its own step size, so its result does not depend on its batch.

    Args:
        model: maps images (n, channels, height, width) to logits (n, classes).
        labels: the true classes, int64 (n,).
        ball: the allowed perturbations; its centre holds the clean images.
        steps: gradient steps; one more gradient is taken at the start.
        start: perturbations to start from, projected into the ball.
        loss: the loss to ascend, per example.
    """
    ascent = _Ascent(model, labels, ball, loss, ball.project(ball.centre + start))
    last = 0
    reconsidered = checkpoints(steps)
    for done in range(1, steps + 1):
        ascent.move(is_first=done == 1)
        if done in reconsidered:
            ascent.reconsider(done - last)
            last = done
    return ascent.found, ascent.found_margin


class _Ascent:
    """The ascent of every example: its position, highest point so far and step size."""

    def __init__(
        self, model: nn.Module, labels: Tensor, ball: Ball, loss: Loss, start: Tensor
    ) -> None:
        self._model, self._labels, self._ball, self._loss = model, labels, ball, loss
        at = slope(model, start, labels, loss)
        self._current, self._previous = start, start
        self._gradient, self._value = at.gradient, at.values
        self._top, self._top_gradient, self._top_value = start, at.gradient, at.values
        self._step = like(torch.full_like(at.values, _FIRST_STEP * ball.epsilon), start)
        self._ascended = torch.zeros_like(at.values)
        self._was_halved = torch.ones_like(labels, dtype=torch.bool)
        self._top_value_before = at.values
        # The point with the smallest margin, which need not be the one with the highest loss.
        self.found, self.found_margin = start, margin(at.logits, labels)

    def move(self, *, is_first: bool) -> None:
        """Make one step with momentum and keep the worst point."""
        ball, weight = self._ball, 1.0 if is_first else _MOMENTUM
        direct = ball.project(self._current + self._step * ball.steepest(self._gradient))
        moved = weight * (direct - self._current) + (1 - weight) * (self._current - self._previous)
        self._previous, self._current = self._current, ball.project(self._current + moved)
        at = slope(self._model, self._current, self._labels, self._loss)
        self._ascended += at.values > self._value
        self._gradient, self._value = at.gradient, at.values
        is_higher = at.values > self._top_value
        self._top = torch.where(like(is_higher, self._top), self._current, self._top)
        self._top_gradient = torch.where(
            like(is_higher, self._top), at.gradient, self._top_gradient
        )
        self._top_value = torch.where(is_higher, at.values, self._top_value)
        self.found, self.found_margin = keep_worst(
            self.found, self.found_margin, self._current, margin(at.logits, self._labels)
        )

    def reconsider(self, period: int) -> None:
        """Halve the step size of examples that stopped ascending, and return them to their top.

        An example stopped if fewer than 75 % of the `period` steps since the last checkpoint
        increased its loss, or if neither its step size nor its top changed since then.
        """
        oscillates = self._ascended < _ASCENDING * period
        is_stuck = ~self._was_halved & (self._top_value_before >= self._top_value)
        halved = oscillates | is_stuck
        wide = like(halved, self._top)
        self._step = torch.where(wide, self._step / 2, self._step)
        self._current = torch.where(wide, self._top, self._current)
        self._gradient = torch.where(wide, self._top_gradient, self._gradient)
        self._value = torch.where(halved, self._top_value, self._value)
        self._was_halved, self._top_value_before = halved, self._top_value
        self._ascended = torch.zeros_like(self._value)

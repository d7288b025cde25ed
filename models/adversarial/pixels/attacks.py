"""Gradient attacks on classifiers of images in [0, 1]: FGSM and PGD, in L-infinity and L2.

An attack uses the model in the mode it is in; evaluation puts it in eval mode first. Gradients
are taken with respect to the images alone, so parameters accumulate none. What an example meets
depends on that example, its start and the model, not on the batch it stands in.

Not a final judge: a model may hide its gradients. AutoAttack (Croce & Hein 2020) is that judge.

Sources: Goodfellow et al. 2015 (FGSM), Madry et al. 2018 (PGD), Carlini & Wagner 2017 (margin).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

LossName = Literal["cross_entropy", "scaled_cross_entropy", "margin"]
Loss = Callable[[Tensor, Tensor], Tensor]  # logits (n, classes), labels (n,) -> (n,), to ascend

# Beside 1, float32 still sees the probability of the least likely class, e^-15 = 3e-7. It is about
# the range that digits networks have (17 to 22), so the attack is as strong: after ten steps
# up either loss 0.497 stood in the mean (plain 0.498; four networks, two norms, 200 images).
_RANGE = 15.0


@dataclass(frozen=True, eq=False)
class Ball:
    """What an attacker may show: images within `epsilon` of `centre`, pixels in [0, 1].

    `centre` are the clean images, float32 (n, channels, height, width) in [0, 1]. `epsilon` is on
    the pixel scale; in L2 it bounds the norm over a whole image.
    """

    centre: Tensor
    norm: Literal["linf", "l2"]
    epsilon: float

    def at(self, index: Tensor) -> Ball:
        """The balls around the images that `index` names."""
        return Ball(self.centre[index], self.norm, self.epsilon)

    def project(self, images: Tensor) -> Tensor:
        """Images brought back into the ball, then into the box [0, 1].

        The box contains the centre, so clipping to it brings every pixel closer to the centre and
        never out of the ball.
        """
        delta = images - self.centre
        if self.norm == "linf":
            delta = delta.clamp(-self.epsilon, self.epsilon)
        else:
            delta = delta * (self.epsilon / _norms(delta)).clamp(max=1.0)
        return (self.centre + delta).clamp(0.0, 1.0)

    def steepest(self, gradient: Tensor) -> Tensor:
        """The direction of norm 1 that ascends fastest; zero where the gradient is zero."""
        if self.norm == "linf":
            return gradient.sign()
        # The largest entry first: the squares of a gradient of 1e-30 would all be zero.
        largest = gradient.abs().amax(dim=tuple(range(1, gradient.dim())), keepdim=True)
        direction = gradient / largest.clamp(min=torch.finfo(gradient.dtype).tiny)
        return direction / _norms(direction)

    def noise(self, generator: torch.Generator) -> Tensor:
        """Perturbations like `centre`, uniform in the ball; `generator` is on their device.

        In L2 a normal direction times u^(1/dimensions) is uniform in the volume. Draw them once
        for a whole set of examples: then they do not depend on the size of a batch.
        """
        shape, device = self.centre.shape, self.centre.device
        if self.norm == "linf":
            return (torch.rand(shape, generator=generator, device=device) * 2 - 1) * self.epsilon
        normal = torch.randn(shape, generator=generator, device=device)
        radius = torch.rand(shape[0], generator=generator, device=device)
        radius = radius ** (1 / shape[1:].numel()) * self.epsilon
        return normal / _norms(normal) * like(radius, normal)


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy per example (n,). Its gradient vanishes where logits are large."""
    return functional.cross_entropy(logits, labels, reduction="none")


def scaled_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy per example (n,) of logits stretched to a range of 15.

    Multiplying the logits by a constant changes nothing, and no gradient is lost.
    """
    with torch.no_grad():
        largest = logits.amax(1, keepdim=True)
        spread = largest - logits.amin(1, keepdim=True)
    # Equal logits have no range to stretch.
    distances = (logits - largest) / spread.clamp(min=torch.finfo(logits.dtype).tiny)
    return cross_entropy(distances * _RANGE, labels)


def margin(logits: Tensor, labels: Tensor) -> Tensor:
    """True logit minus the best other logit (n,): positive if and only if correct.

    Multiplying the logits by a constant changes neither its sign nor the direction of its
    gradient, which is how scaled logits deceive an attack by cross-entropy.
    """
    true = logits.gather(1, labels[:, None])
    others = logits.scatter(1, labels[:, None], -torch.inf)
    return true[:, 0] - others.amax(1)


def margin_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """The margin negated (n,), so that ascending it leads to an error."""
    return -margin(logits, labels)


def targeted_margin_loss(targets: Tensor) -> Loss:
    """Target's logit minus the true one, per example; `targets` (n,) are wrong classes."""

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        pair = logits.gather(1, torch.stack([targets, labels], dim=1))  # (n, 2)
        return pair[:, 0] - pair[:, 1]

    return loss


LOSSES: dict[LossName, Loss] = {
    "cross_entropy": cross_entropy,
    "scaled_cross_entropy": scaled_cross_entropy,
    "margin": margin_loss,
}


def fgsm(model: nn.Module, labels: Tensor, ball: Ball) -> Tensor:
    """Images one step of length epsilon up the cross-entropy, without a random start."""
    return step(model, ball.centre, labels, ball, ball.epsilon, cross_entropy)[0]


def pgd(
    model: nn.Module,
    labels: Tensor,
    ball: Ball,
    *,
    steps: int,
    step_size: float,
    start: Tensor | None = None,
    loss: Loss = cross_entropy,
    is_falling: bool = False,
) -> tuple[Tensor, Tensor]:
    """The best of the start and `steps` iterates, per example, and its margin (n,).

    Best is the smallest margin, whatever loss is ascended: an error on the way is kept. A NaN
    margin counts as smaller than any, so a model that yields NaN is not called robust.

    Args:
        model: maps images (n, channels, height, width) to logits (n, classes).
        labels: the true classes, int64 (n,).
        ball: what the attacker may show; its centre are the images attacked.
        steps: gradient steps.
        step_size: length of a step on the pixel scale.
        start: perturbations like the images to start from, brought into the ball; None: zero.
        loss: what to ascend, per example.
        is_falling: whether steps shorten, in equal parts, down to `step_size` / `steps`.
    """
    current = ball.centre if start is None else ball.project(ball.centre + start)
    best, best_margin = current, torch.full(labels.shape, torch.inf, device=labels.device)
    for number in range(steps):
        size = step_size * (1 - number / steps) if is_falling else step_size
        following, logits = step(model, current, labels, ball, size, loss)
        best, best_margin = keep_worst(best, best_margin, current, margin(logits, labels))
        current = following
    with torch.no_grad():
        last = margin(model(current), labels)
    return keep_worst(best, best_margin, current, last)


def step(
    model: nn.Module, images: Tensor, labels: Tensor, ball: Ball, step_size: float, loss: Loss
) -> tuple[Tensor, Tensor]:
    """Images one projected step up the loss from `images`; also the logits at `images`."""
    at = slope(model, images, labels, loss)
    return ball.project(images + step_size * ball.steepest(at.gradient)), at.logits


@dataclass(frozen=True, eq=False)
class Slope:
    """A loss at some images: its gradient (like them), its values (n,), and the logits there."""

    gradient: Tensor
    values: Tensor
    logits: Tensor


def slope(model: nn.Module, images: Tensor, labels: Tensor, loss: Loss) -> Slope:
    """How the loss of each example rises at `images`; nothing of it carries a graph."""
    images = images.detach().requires_grad_()
    with torch.enable_grad():
        logits = model(images)
        values = loss(logits, labels)
        (gradient,) = torch.autograd.grad(values.sum(), images)
    return Slope(gradient, values.detach(), logits.detach())


def keep_worst(
    best: Tensor, best_margin: Tensor, current: Tensor, current_margin: Tensor
) -> tuple[Tensor, Tensor]:
    """Per example the images whose margin is smaller, and that margin; NaN is the smallest."""
    worse_for_model = ~(current_margin >= best_margin)  # true for NaN
    return (
        torch.where(like(worse_for_model, best), current, best).detach(),
        torch.where(worse_for_model, current_margin, best_margin),
    )


def like(values: Tensor, images: Tensor) -> Tensor:
    """`values` (n,) with as many axes as `images`."""
    return values.reshape(-1, *[1] * (images.dim() - 1))


def _norms(delta: Tensor) -> Tensor:
    """L2 norms per example, (n, 1, 1, 1); at least 1e-12, so that zero can be divided by."""
    return like(torch.linalg.vector_norm(delta.flatten(1), dim=1).clamp(min=1e-12), delta)

"""Gradient attacks on classifiers of images in [0, 1]: FGSM and PGD, in L-infinity and L2.

An attack does not change the model's mode; evaluation puts it in eval mode first. Gradients are
taken with respect to the images alone, so parameters accumulate none. The result for an example
depends on that example, its start and the model, not on its batch.

Every image shown to a model is an image of the ball, whatever the gradient: an entry that is not
finite moves no pixel. Logits that are not finite count as an error.

Not a final evaluation, because a model may mask its gradients: that is AutoAttack (Croce & Hein
2020).

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

# The probability of the least likely class, e^-15 = 3e-7, is still representable next to 1 in
# float32. Digits networks have about this range (17 to 22), so the attack is as strong: after ten
# steps the mean robust accuracy was 0.497 (plain 0.498; four networks, two norms, 200 images).
_RANGE = 15.0

# In messages of torch: its own allocator on the CPU, and libraries of GPUs.
_OF_A_DEVICE = ("out of memory", "can't allocate memory", "cuda error", "cublas", "cudnn error")


@dataclass(frozen=True, eq=False)
class Ball:
    """The images that an attacker may use: within `epsilon` of `centre`, pixels in [0, 1].

    `centre` are the clean images, float32 (n, channels, height, width) in [0, 1]. `epsilon` is on
    the pixel scale; in L2 it bounds the norm over a whole image.
    """

    centre: Tensor
    norm: Literal["linf", "l2"]
    epsilon: float

    def at(self, index: Tensor) -> Ball:
        """Return the balls around the images at `index`."""
        return Ball(self.centre[index], self.norm, self.epsilon)

    def project(self, images: Tensor) -> Tensor:
        """Return the images projected into the ball, then into the box [0, 1].

        The box contains the centre, so clipping to it moves pixels towards the centre and never out
        of the ball. A pixel that is not finite becomes the centre's.
        """
        delta = self.shrunk(finite_or_zero(images - self.centre))
        return (self.centre + delta).clamp(0.0, 1.0)

    def shrunk(self, delta: Tensor) -> Tensor:
        """Return perturbations shrunk to the ball's size, whatever box the pixels are in."""
        if self.norm == "linf":
            return delta.clamp(-self.epsilon, self.epsilon)
        return delta * (self.epsilon / _norms(delta)).clamp(max=1.0)

    def steepest(self, gradient: Tensor) -> Tensor:
        """Return the direction of steepest ascent, of norm 1; zero where the gradient is zero.

        Entries that are not finite count as zero: they say nothing about where to go.
        """
        gradient = finite_or_zero(gradient)
        if self.norm == "linf":
            return gradient.sign()
        # Divide by the largest entry first: the squares of a gradient of 1e-30 would be zero.
        largest = gradient.abs().amax(dim=tuple(range(1, gradient.dim())), keepdim=True)
        direction = gradient / largest.clamp(min=torch.finfo(gradient.dtype).tiny)
        return direction / _norms(direction)

    def noise(self, generator: torch.Generator) -> Tensor:
        """Draw perturbations like `centre`, uniform in the ball; `generator` is on their device.

        In L2 a normal direction times u^(1/dimensions) is uniform in the volume. Draw them once
        for a whole set of examples, so that they do not depend on the batch size.
        """
        shape, device = self.centre.shape, self.centre.device
        if self.norm == "linf":
            return (torch.rand(shape, generator=generator, device=device) * 2 - 1) * self.epsilon
        normal = torch.randn(shape, generator=generator, device=device)
        radius = torch.rand(shape[0], generator=generator, device=device)
        radius = radius ** (1 / shape[1:].numel()) * self.epsilon
        return normal / _norms(normal) * like(radius, normal)


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the cross-entropy per example (n,). Its gradient vanishes where logits are large."""
    return functional.cross_entropy(logits, labels, reduction="none")


def scaled_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the cross-entropy per example (n,) of logits scaled to a range of 15.

    The scale of the logits does not matter, and no gradient is lost.
    """
    with torch.no_grad():
        largest = logits.amax(1, keepdim=True)
        spread = largest - logits.amin(1, keepdim=True)
    # Equal logits have no range.
    distances = (logits - largest) / spread.clamp(min=torch.finfo(logits.dtype).tiny)
    return cross_entropy(distances * _RANGE, labels)


def margin(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the true logit minus the best other logit (n,): positive if and only if correct.

    NaN, which is not positive, where a logit is not finite: such an output is no answer.

    Multiplying the logits by a constant changes neither its sign nor the direction of its
    gradient; an attack by cross-entropy is deceived by scaled logits.
    """
    true = logits.gather(1, labels[:, None])
    others = logits.scatter(1, labels[:, None], -torch.inf)
    is_answer = torch.isfinite(logits).all(1)
    return torch.where(is_answer, true[:, 0] - others.amax(1), torch.nan)


def margin_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the negated margin (n,), so that ascending it leads to an error."""
    return -margin(logits, labels)


def targeted_margin_loss(targets: Tensor) -> Loss:
    """Return the loss "target's logit minus the true one"; `targets` (n,) are wrong classes."""

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
    """Return images after one step of length epsilon up the cross-entropy, without random start."""
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
    """Return the best of the start and `steps` iterates, per example, and its margin (n,).

    Best is the smallest margin, whatever loss is ascended: an error on the way is kept. NaN counts
    as smaller than any margin, so a model that returns NaN is not robust.

    Args:
        model: maps images (n, channels, height, width) to logits (n, classes).
        labels: the true classes, int64 (n,).
        ball: the allowed perturbations; its centre holds the clean images.
        steps: gradient steps.
        step_size: length of a step on the pixel scale.
        start: perturbations to start from, projected into the ball; None: zero.
        loss: the loss to ascend, per example.
        is_falling: whether step sizes fall linearly, down to `step_size` / `steps`.
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
    """Return the images after one projected step up the loss, and the logits before it."""
    at = slope(model, images, labels, loss)
    return ball.project(images + step_size * ball.steepest(at.gradient)), at.logits


@dataclass(frozen=True, eq=False)
class Slope:
    """A loss at some images.

    Attributes:
        gradient: Its gradient, like the images; zero if the model has none.
        values: Its values (n,).
        logits: The model's logits there (n, classes).
        missing: Why no gradient reaches the images, in torch's words; "" if one does.
    """

    gradient: Tensor
    values: Tensor
    logits: Tensor
    missing: str = ""

    @property
    def is_usable(self) -> Tensor:
        """Whether each image (n,) has a finite loss and a gradient, all of it finite."""
        is_finite = torch.isfinite(self.gradient).flatten(1).all(1) & torch.isfinite(self.values)
        return is_finite & (not self.missing)


def slope(model: nn.Module, images: Tensor, labels: Tensor, loss: Loss) -> Slope:
    """Return the gradient, loss and logits at `images`, detached; without a gradient, zeros.

    An error of the forward pass is raised; one of the backward pass is the reason why there is no
    gradient, as other attacks go without.
    """
    images = images.detach().requires_grad_()
    with torch.enable_grad():
        logits = model(images)
        values = loss(logits, labels)
        gradient, missing = gradient_or_zero(values, images)
    return Slope(gradient, values.detach(), logits.detach(), missing)


def gradient_or_zero(values: Tensor, inputs: Tensor) -> tuple[Tensor, str]:
    """Return the gradient of the sum of `values` by `inputs`, and why there is none, else "".

    Parameters accumulate none. Without a gradient it is zero.
    """
    missing = "the outputs do not depend on the inputs by differentiable operations"
    if values.requires_grad:
        try:
            (gradient,) = torch.autograd.grad(values.sum(), inputs, allow_unused=True)
        except RuntimeError as error:
            missing = why_no_gradient(error)
        else:
            if gradient is not None:
                return gradient, ""
    return torch.zeros_like(inputs).detach(), missing


def why_no_gradient(error: RuntimeError) -> str:
    """Return torch's reason, in one line, of an operation without a backward pass.

    Raises:
        RuntimeError: the error is of memory or of a device, and so says nothing about the model.
    """
    text = str(error)
    if isinstance(error, torch.OutOfMemoryError) or any(
        sign in text.lower() for sign in _OF_A_DEVICE
    ):
        raise error
    return text.strip().partition("\n")[0] or type(error).__name__


def keep_worst(
    best: Tensor, best_margin: Tensor, current: Tensor, current_margin: Tensor
) -> tuple[Tensor, Tensor]:
    """Return per example the images with the smaller margin, and that margin; NaN is smallest."""
    # True for NaN, unless the best is NaN already.
    worse_for_model = ~(current_margin >= best_margin) & ~best_margin.isnan()
    return (
        torch.where(like(worse_for_model, best), current, best).detach(),
        torch.where(worse_for_model, current_margin, best_margin),
    )


def like(values: Tensor, images: Tensor) -> Tensor:
    """Return `values` (n,) with as many axes as `images`."""
    return values.reshape(-1, *[1] * (images.dim() - 1))


def finite_or_zero(values: Tensor) -> Tensor:
    """Return `values` with zero where they are not finite."""
    return torch.where(torch.isfinite(values), values, 0.0)


def _norms(delta: Tensor) -> Tensor:
    """Return L2 norms per example, (n, 1, 1, 1), at least 1e-12 to avoid division by zero."""
    return like(torch.linalg.vector_norm(delta.flatten(1), dim=1).clamp(min=1e-12), delta)

"""Adversarial training of text models by perturbed token embeddings: FGM, PGD, FreeLB, SMART.

Each method is one function: it adds the gradients of one optimizer step and returns its loss. Sizes
are per token and in units of the pretrained embeddings (epsilon_unit.py), while the papers bound a
whole text. Crafting leaves no gradient in the model's parameters. The model stays in its mode, and
every pass draws its own dropout.

Sources: Miyato et al. 2017, "Adversarial training methods for semi-supervised text classification"
(FGM); Madry et al. 2018 (PGD); Zhu et al. 2020, "FreeLB", Algorithm 1; Jiang et al. 2020, "SMART",
section 2.1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from models.adversarial.embeddings.epsilon_unit import TokenBall
from models.hyperparameters.hyperparameter import Value

Forward = Callable[[Tensor | None], Tensor]  # perturbation (batch, tokens, width) -> logits
Loss = Callable[[Tensor], Tensor]  # logits -> scalar
Divergence = Callable[[Tensor, Tensor], Tensor]  # two logits -> scalar


@dataclass(frozen=True)
class _Step:
    """The common inputs of every method; sizes are absolute."""

    forward: Forward
    loss: Loss
    backward: Callable[[Tensor], None]
    like: Tensor
    ball: TokenBall
    step_size: float
    steps: int


def adversarial_step(
    forward: Forward,
    loss: Loss,
    divergence: Divergence,
    embeddings_like: Tensor,
    mask: Tensor,
    configuration: Mapping[str, Value],
    unit: float,
    generator: torch.Generator,
    backward: Callable[[Tensor], None],
) -> Tensor:
    """Add the gradients of one step by the configured method, and return its detached loss.

    Args:
        forward: logits with a perturbation added to the token embeddings; None: without.
        loss: a batch's loss from its logits; a sum or a mean, no method depends on its scale.
        divergence: divergence between two logits (SMART: symmetrised Kullback-Leibler), scaled
            like the loss.
        embeddings_like: any tensor of the embeddings' shape (batch, tokens, width), dtype, device.
        mask: (batch, tokens), nonzero where a token may be perturbed, so not at padding.
        configuration: `adversarial_training` and its hyperparameters.
        unit: `pretrained_unit`, of which epsilons and step sizes are multiples.
        generator: generator of random starts.
        backward: adds a scalar's gradients to those of the parameters, and to those of any leaf
            that it depends on.

    Raises:
        ValueError: an unknown method.
    """
    method = str(configuration["adversarial_training"])
    if method == "none":
        value = loss(forward(None))
        backward(value)
        return value.detach()
    if method not in ("fgm", "pgd", "freelb", "smart"):
        raise ValueError(f"unknown adversarial_training {method!r} of a text model")

    def size(name: str) -> float:
        return float(configuration[f"{method}.{name}"]) * unit

    ball = TokenBall(mask, size("epsilon"))
    like = embeddings_like.detach()
    if method == "fgm":
        return _pgd(_Step(forward, loss, backward, like, ball, ball.radius, 1))
    steps = int(configuration[f"{method}.steps"])
    step = _Step(forward, loss, backward, like, ball, size("step_size"), steps)
    if method == "pgd":
        return _pgd(step)
    if method == "freelb":
        return _freelb(step, ball.noise(like, size("initial"), generator))
    start = ball.noise(like, ball.radius, generator)
    return _smart(step, divergence, float(configuration["smart.weight"]), start)


def _pgd(step: _Step) -> Tensor:
    """Return half the clean loss plus half the adversarial loss; FGM is one step of epsilon.

    Miyato et al. add the two losses; halves keep the scale of the gradients, which clipping depends
    on. Madry et al. train on the adversarial loss alone and start at random: for texts we keep the
    clean half and start at zero, where the clean pass already gives the first gradient.
    """
    delta = torch.zeros_like(step.like).requires_grad_()
    clean = step.loss(step.forward(delta))
    step.backward(clean / 2)
    delta = _ascend(step, delta, delta.grad)
    for _ in range(step.steps - 1):
        delta.requires_grad_()
        delta = _ascend(step, delta, _gradient(step.loss(step.forward(delta)), delta))
    attacked = step.loss(step.forward(delta))
    step.backward(attacked / 2)
    return (clean.detach() + attacked.detach()) / 2


def _freelb(step: _Step, start: Tensor) -> Tensor:
    """Return the mean loss over `steps` perturbations, each made by the gradient of the last."""
    delta, total = start, torch.zeros((), device=start.device)
    for _ in range(step.steps):
        delta = delta.detach().requires_grad_()
        value = step.loss(step.forward(delta)) / step.steps
        step.backward(value)
        delta = _ascend(step, delta, delta.grad)
        total += value.detach()
    return total


def _smart(step: _Step, divergence: Divergence, weight: float, start: Tensor) -> Tensor:
    """Return the clean loss plus `weight` times the divergence under the worst noise found.

    The start must not be zero, where the divergence has no gradient. The paper's steps are in
    L-infinity; here they are in L2, as in Miyato et al. 2019 (VAT).
    """
    clean = step.forward(None)
    reference, delta = clean.detach(), start
    for _ in range(step.steps):
        delta = delta.detach().requires_grad_()
        value = divergence(step.forward(delta), reference)
        delta = _ascend(step, delta, _gradient(value, delta))
    total = step.loss(clean) + weight * divergence(step.forward(delta), clean)
    step.backward(total)
    return total.detach()


def _gradient(value: Tensor, delta: Tensor) -> Tensor | None:
    """Return the gradient of `value` by `delta`; parameters accumulate none."""
    if not value.requires_grad:
        return None
    return torch.autograd.grad(value, delta, allow_unused=True)[0]


def _ascend(step: _Step, delta: Tensor, gradient: Tensor | None) -> Tensor:
    """Return `delta` after one projected ascent step; unchanged without a gradient."""
    if gradient is None:
        return delta.detach()
    return step.ball.project(delta.detach() + step.step_size * step.ball.steepest(gradient))

"""Adversarial training on pixels: the images that the model is trained on, and their loss.

Four methods craft adversarial images before each step; the fifth, free, crafts them while training
(`free_training.py`). With x the images, x' the adversarial ones, y the labels, p the model's
probabilities:

- fgsm: CE(p(x'), y), x' one step from a random start (Wong et al. 2020, algorithm 3);
- pgd: CE(p(x'), y), x' several (Madry et al. 2018, equation 2.1);
- trades: CE(p(x), y) + beta KL(p(x) || p(x')), x' ascending that divergence (Zhang et al.
  2019, equation 5);
- mart: BCE(p(x'), y) + beta KL(p(x) || p(x')) (1 - p_y(x)), x' as for pgd, where BCE is
  -log p_y(x') - log(1 - max over k != y of p_k(x')) (Wang et al. 2020, equations 8 and 9).

Images are crafted in eval mode unless the configuration says "train": dropout adds no noise to the
gradient, and the running statistics of batch normalisation come from the final images alone. In
train mode the attack sees the statistics of its batch, and every pass of it updates the running
ones, so most of what these average is images halfway to the adversarial ones. Pang et al. 2021
(section 3.6) find the same robustness and a higher clean accuracy with eval mode; the code of Rice
et al. 2020 crafts in train mode. The free method has a single pass for attack and weights, which is
always in train mode. The norm is the threat's; epsilon is a hyperparameter, because training with a
slightly larger one can help.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.adversarial.checks.preserve_state import eval_mode
from models.adversarial.pixels.attacks import Ball, Loss, cross_entropy, slope
from models.hyperparameters.hyperparameter import Value

# Standard deviation of the start of TRADES and MART, as in both authors' code: at x itself the
# divergence has no gradient.
_START = 0.001


def craft(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    configuration: Mapping[str, Value],
    norm: Literal["linf", "l2"],
    generator: torch.Generator,
) -> Tensor:
    """Return the batch under attack, like `images`, float32 in [0, 1]; call it in float32.

    It takes the last iterate, not the best, which saves a pass. For fgsm and pgd the first
    `adversarial_share` of the batch is attacked, at least one image; batches are shuffled, so the
    choice is random. Returns `images` themselves for "none" and "free".

    Raises:
        FloatingPointError: an image has no gradient, or one that is not finite though the loss is:
            it would be trained on as it is.
    """
    method = str(configuration["adversarial_training"])
    if method in ("none", "free"):
        return images
    epsilon = float(configuration[f"{method}.epsilon"])
    step_size = float(configuration[f"{method}.step_size"]) * epsilon
    count = max(1, round(float(configuration.get("adversarial_share", 1.0)) * len(images)))
    clean, truth = images[:count], labels[:count]
    ball = Ball(clean, norm, epsilon)
    attacked = ball.project(clean + _start(method, ball, generator))
    lost = torch.zeros_like(truth, dtype=torch.bool)
    # With "train" every module keeps its mode: what a network holds in eval mode stays there.
    is_evaluated = configuration["crafting_mode"] == "eval"
    with eval_mode(model) if is_evaluated else nullcontext():
        loss = _divergence_from(model, clean) if method == "trades" else cross_entropy
        for _ in range(_steps(configuration)):
            at = slope(model, attacked, truth, loss)
            if at.missing:
                raise no_gradient(at.missing)
            lost |= is_lost(at.gradient, at.values)
            attacked = ball.project(attacked + step_size * ball.steepest(at.gradient))
    check_gradients(lost)  # once, as a GPU must wait for it
    return torch.cat([attacked, images[count:]])


def is_lost(gradient: Tensor, values: Tensor) -> Tensor:
    """Return whether the gradient of each image (n,) is not finite though its loss is.

    A loss that is not finite is a training that diverges, which is for the caller to say.

    Args:
        gradient: by the pixels, (n, channels, height, width).
        values: the loss of each image (n,), or of all ().
    """
    return ~torch.isfinite(gradient).flatten(1).all(1) & torch.isfinite(values)


def no_gradient(reason: str) -> FloatingPointError:
    """Return the error of a training that needs the gradient by the pixels and has none."""
    return FloatingPointError(
        f"adversarial training has failed: no gradient of the loss reaches the pixels ({reason}); "
        "fix: make the network differentiable in its images, or train with adversarial_training: "
        "none"
    )


def check_gradients(lost: Tensor) -> None:
    """Check that none of a batch's gradients (n,) is lost (`is_lost`).

    Raises:
        FloatingPointError: one is.
    """
    if lost.any():
        raise FloatingPointError(
            "adversarial training has failed: the gradient of the loss by the pixels is not finite "
            f"for {int(lost.sum())} of {len(lost)} images, though the loss is; fix: find the "
            "operation whose derivative is not finite (a root or a norm at zero is the usual one: "
            "add a small constant inside), or train with adversarial_training: none"
        )


def losses(
    model: nn.Module,
    images: Tensor,
    shown: Tensor,
    labels: Tensor,
    configuration: Mapping[str, Value],
) -> Tensor:
    """Return the loss of the method per example (n,), float32 whatever the model computes in.

    Args:
        model: maps images to logits; clean and adversarial images pass its batch normalisation as
            separate batches, as in the authors' code of TRADES and MART.
        images: the clean batch.
        shown: the result of `craft`.
        labels: int64 (n,).
        configuration: its label smoothing applies to every cross-entropy.
    """
    smoothing = float(configuration["label_smoothing"])
    method = configuration["adversarial_training"]
    if method not in ("trades", "mart"):
        return _cross_entropy(model(shown).float(), labels, smoothing)
    beta = float(configuration[f"{method}.beta"])
    clean, attacked = model(images).float(), model(shown).float()
    divergence = kl_divergence(clean, attacked)
    if method == "trades":
        return _cross_entropy(clean, labels, smoothing) + beta * divergence
    boosted = _cross_entropy(attacked, labels, smoothing) + _best_wrong(attacked, labels)
    true: Tensor = clean.softmax(dim=1).gather(1, labels[:, None])[:, 0]
    return boosted + beta * divergence * (1 - true)


def kl_divergence(clean: Tensor, attacked: Tensor) -> Tensor:
    """Return KL(softmax(clean) || softmax(attacked)) of logits (n, classes), per example (n,)."""
    terms: Tensor = functional.kl_div(
        attacked.log_softmax(dim=1), clean.log_softmax(dim=1), reduction="none", log_target=True
    )
    return terms.sum(dim=1)


def passes(configuration: Mapping[str, Value]) -> float:
    """Return forward and backward passes through the network for each example and epoch.

    TRADES and MART train on two images; single forward passes are not counted.
    """
    method = configuration["adversarial_training"]
    if method == "free":
        return float(configuration["free.replays"])
    if method == "none":
        return 1.0
    learned = 2 if method in ("trades", "mart") else 1
    return learned + _steps(configuration) * float(configuration.get("adversarial_share", 1.0))


def _steps(configuration: Mapping[str, Value]) -> int:
    method = configuration["adversarial_training"]
    return 1 if method == "fgsm" else int(configuration[f"{method}.steps"])


def _start(method: str, ball: Ball, generator: torch.Generator) -> Tensor:
    if method in ("fgsm", "pgd"):
        return ball.noise(generator)
    shape, device = ball.centre.shape, ball.centre.device
    return torch.randn(shape, generator=generator, device=device) * _START


def _divergence_from(model: nn.Module, images: Tensor) -> Loss:
    """Return the divergence from the clean images' present probabilities as a loss."""
    with torch.no_grad():
        clean = model(images)
    return lambda logits, labels: kl_divergence(clean, logits)


def _cross_entropy(logits: Tensor, labels: Tensor, smoothing: float) -> Tensor:
    return functional.cross_entropy(logits, labels, reduction="none", label_smoothing=smoothing)


def _best_wrong(logits: Tensor, labels: Tensor) -> Tensor:
    """Return -log(1 - p) of the most likely wrong class, (n,).

    The logarithm of the sum of the other probabilities is taken directly: near p = 1 the difference
    1 - p would be 0 in float32.
    """
    wrong = logits.scatter(1, labels[:, None], -torch.inf).argmax(dim=1, keepdim=True)
    others = logits.scatter(1, wrong, -torch.inf)
    return logits.logsumexp(dim=1) - others.logsumexp(dim=1)

"""Accuracy under attack on a fixed subset, worst case over several attacks.

The subset and the starts depend on the threat's seed alone, so two configurations meet the same
examples. The figures are upper bounds: PGD may miss the worst case. Evaluation runs in eval mode
and float32.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from models.adversarial.attacks import (
    LOSSES,
    Ball,
    Loss,
    LossName,
    fgsm,
    margin,
    pgd,
    targeted_margin_loss,
)
from models.catalog import Threat

AttackName = LossName | Literal["targeted_margin"]
Flags = npt.NDArray[np.bool_]  # (n,), one per example

# An attack's step as a multiple of epsilon / steps: 2.5 lets it reach the border of the ball from
# anywhere inside and move along it (Madry et al. 2018, section 5).
_REACH = 2.5
# Croce & Hein 2020 attack towards nine classes, which are all wrong ones of ten.
_TARGETS = 9
_BATCH = 512


def fixed_subset(n: int, count: int, seed: int) -> npt.NDArray[np.int64]:
    """Indices of `count` of `n` examples (all, if fewer), ascending; a smaller subset is nested."""
    return np.sort(np.random.default_rng(seed).permutation(n)[:count]).astype(np.int64)


def correct(model: nn.Module, images: Tensor, labels: Tensor) -> Flags:
    """Whether each image (n, channels, height, width) is classified correctly.

    Ties and NaN count as errors.
    """
    return _flags(model, images, labels, lambda batch, truth: batch)


def fgsm_correct(model: nn.Module, images: Tensor, labels: Tensor, threat: Threat) -> Flags:
    """Whether each image is classified correctly, clean and after FGSM."""
    clean = correct(model, images, labels)

    def attack(batch: Tensor, truth: Tensor) -> Tensor:
        return fgsm(model, truth, Ball(batch, threat.norm, threat.epsilon))

    return clean & _flags(model, images, labels, attack)


def robust_correct(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    threat: Threat,
    seed: int,
    *,
    losses: Sequence[AttackName] = ("cross_entropy", "margin"),
) -> Flags:
    """Whether each image withstands every attack: PGD up each loss from each random start.

    What one attack broke is not attacked again, which changes no result.

    Args:
        model: maps images to logits.
        images: float32 (n, channels, height, width) in [0, 1].
        labels: int64 (n,).
        threat: norm, epsilon, steps and restarts.
        seed: of the random starts; they are drawn for all `images` before the first attack.
        losses: what to ascend, one attack each, in this order; "targeted_margin" stands for up to
            nine, towards each of the most likely wrong classes.
    """
    generator = torch.Generator(device=images.device).manual_seed(seed)
    whole = Ball(images, threat.norm, threat.epsilon)
    starts = [whole.noise(generator) for _ in range(threat.restarts)]
    with evaluating(model):
        standing = torch.from_numpy(np.flatnonzero(correct(model, images, labels)))
        standing = standing.to(images.device)
        for start in starts:
            for loss in _attacks(model, images, labels, losses):
                if len(standing) == 0:
                    break
                parts = torch.split(standing, _BATCH)
                margins = [
                    _worst_margin(model, labels[i], whole.at(i), threat, start[i], loss(i))
                    for i in parts
                ]
                standing = standing[torch.cat(margins) > 0]
    robust = np.zeros(len(labels), dtype=np.bool_)
    robust[standing.cpu().numpy()] = True
    return robust


def _attacks(
    model: nn.Module, images: Tensor, labels: Tensor, losses: Sequence[AttackName]
) -> Iterator[Callable[[Tensor], Loss]]:
    """For each attack, the loss to ascend for the examples that an index names."""
    for name in losses:
        if name == "targeted_margin":
            yield from map(_towards, _wrong_classes(model, images, labels)[:_TARGETS])
        else:
            yield _everywhere(LOSSES[name])


def _worst_margin(
    model: nn.Module, labels: Tensor, ball: Ball, threat: Threat, start: Tensor, loss: Loss
) -> Tensor:
    """The smallest margin (n,) that one PGD of the threat finds."""
    step_size = _REACH * threat.epsilon / threat.steps
    _, margins = pgd(
        model, labels, ball, steps=threat.steps, step_size=step_size, start=start, loss=loss
    )
    return margins


def _everywhere(loss: Loss) -> Callable[[Tensor], Loss]:
    """The same loss for whichever examples `index` names."""
    return lambda index: loss


def _towards(target: Tensor) -> Callable[[Tensor], Loss]:
    """The margin towards each example's own target, for the examples that `index` names."""
    return lambda index: targeted_margin_loss(target[index])


def _wrong_classes(model: nn.Module, images: Tensor, labels: Tensor) -> list[Tensor]:
    """For each rank the class (n,) that is so likely among the wrong ones, most likely first."""
    with torch.no_grad():
        logits = torch.cat([model(batch) for batch in torch.split(images, _BATCH)])
    ranked = logits.scatter(1, labels[:, None], -torch.inf).argsort(1, descending=True)
    return list(ranked[:, :-1].unbind(1))


def _flags(
    model: nn.Module, images: Tensor, labels: Tensor, attack: Callable[[Tensor, Tensor], Tensor]
) -> Flags:
    flags = []
    with evaluating(model):
        for batch, truth in zip(
            torch.split(images, _BATCH), torch.split(labels, _BATCH), strict=True
        ):
            attacked = attack(batch, truth)
            with torch.no_grad():
                flags.append(margin(model(attacked), truth) > 0)
    return torch.cat(flags).cpu().numpy()


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Eval mode, and the mode before again afterwards."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)

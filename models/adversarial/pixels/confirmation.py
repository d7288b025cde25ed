"""Confirmation of a trial's robust accuracy by stronger attacks, on some of its examples.

The accuracy under PGD steers the search, so a search finds models that deceive PGD. The best trials
are attacked once more: by Auto-PGD towards each wrong class, and by random search, which needs no
gradients. If these misclassify clearly more, they replace the accuracy. Where something is found to
be masked, the attacks that do without are run at length; other trials do not pay for that. The
final evaluation is AutoAttack's, on the test split.

Sources: Croce & Hein 2020 (APGD-T), with the plain margin instead of DLR: both are blind to the
scale of the logits, and the margin exists for two classes as well. Andriushchenko et al. 2020
(Square); Athalye et al. 2018 (expectation over jitters).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from models.adversarial.checks.gradient_masking_nearby import Nearby, nearby
from models.adversarial.checks.search_warnings import gradient_warning, jumps_warning
from models.adversarial.pixels.apgd import apgd
from models.adversarial.pixels.attacks import Ball, like, margin_loss, targeted_margin_loss
from models.adversarial.pixels.evaluation import (
    Flags,
    batches,
    evaluating,
    fixed_subset,
    record_misclassified,
    wrong_classes,
)
from models.adversarial.pixels.expectation_attack import expectation_attack
from models.adversarial.pixels.square_attack import square_attack
from models.adversarial.threat_model import Threat

# Steps towards each class. 50 steps find the same on seven of eight digits networks and norms (128
# images), and a gap of 0.023 instead of 0.008 on the other, in 2.5 times the time. 20 cost about as
# much as the full attack of ten steps. AutoAttack takes 100.
_STEPS = 20
# Queries for each image that withstands targeted APGD: half of what that cost. In calibration
# (digits, 149 images) 15 honest networks lost none, seven that mask gradients 14 or more, and one
# that gives labels alone 4, which is significant; with 100 queries that one lost 2.
_QUERIES = 200
# Queries where something is masked: on blocked gradients they leave 0.01 to 0.03 more accuracy than
# an attack on the unmasked network; 400 leave up to 0.08 more than 1500.
_MANY_QUERIES = 1500
# Targets of the expectation over jitters, next to the margin itself: nine find no more.
_JITTERED_TARGETS = 3
# Images of the finite differences, which are shown to the model in one batch.
_NEARBY = 128
# By chance one trial in twenty without a gap exceeds two standard errors.
_SIGNIFICANT = 2.0


@dataclass(frozen=True, eq=False)
class Confirmation:
    """A robust accuracy compared with the one under stronger attacks.

    Attributes:
        examples: Number of examples attacked.
        white_box: Accuracy on them under the first attack and targeted APGD together, in [0, 1].
        accuracy: Accuracy on them under all attacks together, in [0, 1].
        gap: Share of them that only the stronger attacks misclassify.
        black_box: Share of them that the first Square misclassifies and no attack by gradients; 0
            unless that exceeds two standard errors.
        nearby: Whether the outputs jump near them, follow their gradient, and have one.
        is_replaced: Whether the gap exceeds two standard errors.
        corrected: The first attack's accuracy on all of its examples, less the gap; at least 0.
        index: Positions (k,) of the newly misclassified images, int64, ascending.
        adversarial_examples: Their adversarial examples, float32 (k, channels, height, width).
    """

    examples: int
    white_box: float
    accuracy: float
    gap: float
    black_box: float
    nearby: Nearby
    is_replaced: bool
    corrected: float
    index: npt.NDArray[np.int64]
    adversarial_examples: Tensor


def confirm(
    model: nn.Module, images: Tensor, labels: Tensor, threat: Threat, robust: Flags, seed: int
) -> Confirmation:
    """Attack some of the robust images by targeted APGD, then by Square, and more if need be.

    Args:
        model: maps images to logits.
        images: float32 (n, channels, height, width) in [0, 1], n > 0.
        labels: int64 (n,).
        threat: norm, epsilon, and the number of examples to attack (`confirm_examples`).
        robust: which images withstood the first attack (n,).
        seed: seed of the examples and of the random starts, one for each image and class; they do
            not depend on the batch size.

    Raises:
        ValueError: there are no images, or the number of flags differs.
    """
    if len(images) == 0 or len(robust) != len(images):
        problem = f"{len(robust)} flags for {len(images)} images"
        raise ValueError(f"{problem}; fix: give one for each, and at least one image")
    chosen = fixed_subset(len(images), threat.confirm_examples, seed)
    some = torch.from_numpy(chosen).to(images.device)
    before = torch.from_numpy(robust[chosen]).to(images.device)
    found = _attacked(model, images[some], labels[some], threat, before, seed)
    after, n = found.standing.cpu().numpy(), len(chosen)
    newly = robust[chosen] & ~after
    gap = float(newly.mean())
    return Confirmation(
        examples=n,
        white_box=float(found.white_box.float().mean()),
        accuracy=float(after.mean()),
        gap=gap,
        black_box=found.black_box,
        nearby=found.nearby,
        is_replaced=_is_significant(gap, n),
        corrected=max(0.0, float(robust.mean()) - gap),
        index=chosen[newly],
        adversarial_examples=found.adversarial[torch.from_numpy(newly).to(images.device)],
    )


def targeted_apgd(
    model: nn.Module, images: Tensor, labels: Tensor, threat: Threat, standing: Tensor, seed: int
) -> tuple[Tensor, Tensor]:
    """Return which of `standing` (n,) withstand APGD towards up to nine classes, and the images.

    Where one does not the image is its adversarial example.
    """
    generator = torch.Generator(device=images.device).manual_seed(seed)
    whole = Ball(images, threat.norm, threat.epsilon)
    standing, adversarial = standing.clone(), images.clone()
    with evaluating(model):
        for target in wrong_classes(model, images, labels):
            start = whole.noise(generator)
            for i in batches(standing):
                found, margins = apgd(
                    model, labels[i], whole.at(i), steps=_STEPS, start=start[i],
                    loss=targeted_margin_loss(target[i]),
                )  # fmt: skip
                record_misclassified(i, found, margins, standing, adversarial)
    return standing, adversarial


@dataclass(frozen=True, eq=False)
class _Attacked:
    """Which images (n,) withstand APGD, and all attacks, with adversarial examples of the others.

    `black_box` is that of `Confirmation`.
    """

    white_box: Tensor
    standing: Tensor
    adversarial: Tensor
    black_box: float
    nearby: Nearby


def _attacked(
    model: nn.Module, images: Tensor, labels: Tensor, threat: Threat, standing: Tensor, seed: int
) -> _Attacked:
    """Attack the images that are standing, at length only where something is found to be masked."""
    with evaluating(model):
        around = nearby(model, images[:_NEARBY], labels[:_NEARBY], seed)
    white_box, adversarial = targeted_apgd(model, images, labels, threat, standing, seed)
    is_jumping = jumps_warning(around.jumps) is not None
    is_masked = is_jumping or gradient_warning(around.gradient_error) is not None
    queries = _MANY_QUERIES if is_masked else _QUERIES
    standing, found = _square(model, images, labels, threat, white_box, seed, queries=queries)
    adversarial = torch.where(like(white_box & ~standing, found), found, adversarial)
    black_box = float((white_box & ~standing).float().mean())
    if not _is_significant(black_box, len(images)):
        black_box = 0.0
    after = standing
    if is_jumping:
        after, found = _expectation(model, images, labels, threat, standing, seed)
    elif black_box and not is_masked:
        # Another seed: the squares of the first search have been tried.
        after, found = _square(
            model, images, labels, threat, standing, seed + 1, queries=_MANY_QUERIES
        )
    adversarial = torch.where(like(standing & ~after, found), found, adversarial)
    return _Attacked(white_box, after, adversarial, black_box, around)


def _square(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    threat: Threat,
    standing: Tensor,
    seed: int,
    *,
    queries: int,
) -> tuple[Tensor, Tensor]:
    """Return which of `standing` (n,) withstand Square, and images with adversarial examples."""
    standing, adversarial = standing.clone(), images.clone()
    i = standing.nonzero()[:, 0]
    ball = Ball(images, threat.norm, threat.epsilon).at(i)
    with evaluating(model):
        found, margins = square_attack(model, labels[i], ball, queries=queries, seed=seed)
    record_misclassified(i, found, margins, standing, adversarial)
    return standing, adversarial


def _expectation(
    model: nn.Module, images: Tensor, labels: Tensor, threat: Threat, standing: Tensor, seed: int
) -> tuple[Tensor, Tensor]:
    """Return which of `standing` (n,) withstand the expectation over jitters, and the images."""
    generator = torch.Generator(device=images.device).manual_seed(seed)
    whole = Ball(images, threat.norm, threat.epsilon)
    standing, adversarial = standing.clone(), images.clone()
    with evaluating(model):
        targets = wrong_classes(model, images, labels)[:_JITTERED_TARGETS]
        for target in (None, *targets):
            start = whole.noise(generator)
            for i in batches(standing):
                loss = margin_loss if target is None else targeted_margin_loss(target[i])
                found, margins = expectation_attack(
                    model, labels[i], whole.at(i), start=start[i], loss=loss, generator=generator
                )
                record_misclassified(i, found, margins, standing, adversarial)
    return standing, adversarial


def _is_significant(share: float, n: int) -> bool:
    """Return whether a share of n exceeds two standard errors: at least four images."""
    return share > _SIGNIFICANT * math.sqrt(share * (1 - share) / n)

"""Confirmation of a trial's robust accuracy by a stronger attack, on some of its examples.

The accuracy under PGD steers the search, so a search finds models that deceive PGD. The best trials
are attacked once more, by Auto-PGD towards each wrong class; if it misclassifies clearly more, it
replaces the accuracy. The final evaluation is AutoAttack's, on the test split.

Source: Croce & Hein 2020 (APGD-T), with the plain margin instead of DLR: both are blind to the
scale of the logits, and the margin exists for two classes as well.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from models.adversarial.pixels.apgd import apgd
from models.adversarial.pixels.attacks import Ball, targeted_margin_loss
from models.adversarial.pixels.evaluation import (
    Flags,
    batches,
    evaluating,
    fixed_subset,
    record_misclassified,
    wrong_classes,
)
from models.adversarial.threat_model import Threat

# Steps towards each class. 50 steps find the same on seven of eight digits networks and norms (128
# images), and a gap of 0.023 instead of 0.008 on the other, in 2.5 times the time. 20 cost about as
# much as the full attack of ten steps. AutoAttack takes 100.
_STEPS = 20
# By chance one trial in twenty without a gap exceeds two standard errors.
_SIGNIFICANT = 2.0


@dataclass(frozen=True, eq=False)
class Confirmation:
    """A robust accuracy compared with the one under a stronger attack.

    Attributes:
        examples: Number of examples attacked.
        accuracy: Accuracy on them under both attacks together, in [0, 1].
        gap: Share of them that only the stronger attack misclassifies.
        standard_error: Standard error of the gap, as of a binomial share.
        is_replaced: Whether the gap exceeds two standard errors.
        corrected: The first attack's accuracy on all of its examples, less the gap; at least 0.
        index: Positions (k,) of the newly misclassified images, int64, ascending.
        adversarial_examples: Their adversarial examples, float32 (k, channels, height, width).
    """

    examples: int
    accuracy: float
    gap: float
    standard_error: float
    is_replaced: bool
    corrected: float
    index: npt.NDArray[np.int64]
    adversarial_examples: Tensor


def confirm(
    model: nn.Module, images: Tensor, labels: Tensor, threat: Threat, robust: Flags, seed: int
) -> Confirmation:
    """Attack some of the robust images by targeted APGD, towards up to nine classes.

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
    standing, adversarial = _attack(model, images[some], labels[some], threat, before, seed)
    after, n = standing.cpu().numpy(), len(chosen)
    newly = robust[chosen] & ~after
    gap = float(newly.mean())
    error = math.sqrt(gap * (1 - gap) / n)
    return Confirmation(
        examples=n,
        accuracy=float(after.mean()),
        gap=gap,
        standard_error=error,
        is_replaced=gap > _SIGNIFICANT * error,
        corrected=max(0.0, float(robust.mean()) - gap),
        index=chosen[newly],
        adversarial_examples=adversarial[torch.from_numpy(newly).to(images.device)],
    )


def _attack(
    model: nn.Module, images: Tensor, labels: Tensor, threat: Threat, standing: Tensor, seed: int
) -> tuple[Tensor, Tensor]:
    """Return which of `standing` (n,) withstand APGD, and images with adversarial examples."""
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

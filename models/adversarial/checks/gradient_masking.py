"""Checks of a model against false security: a robust accuracy that only looks high.

Each raises a warning of three parts. None is a proof: a model without warnings may still be less
robust than measured, and AutoAttack remains the judge.

Cost for each of at most 128 images, with PGD of 10 steps and ten classes, in passes forward and
back: 13 and 6 for outputs and gradients, 14 and 11 for FGSM and PGD on the clean ones, for each of
four sizes of the ball at most 112 and 100 (only while an image stands; usually half of it in all),
and 300 forward for an image that withstands the white-box attack.

Sources: Athalye et al. 2018; Carlini et al. 2019; Croce et al. 2021 (AutoAttack's own warnings).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.adversarial.checks.gradient_masking_attacks import attack_warnings
from models.adversarial.checks.gradient_masking_gradients import (
    differentiability,
    gradient_warnings,
)
from models.adversarial.checks.gradient_masking_outputs import output_warnings
from models.adversarial.checks.preserve_state import preserve_state
from models.adversarial.checks.warning import SecurityWarning
from models.adversarial.pixels.attacks import Ball
from models.adversarial.pixels.evaluation import fixed_subset
from models.adversarial.threat_model import Threat

__all__ = ["MOST_IMAGES", "SecurityWarning", "check"]

MOST_IMAGES = 128


def check(
    model: nn.Module, images: Tensor, labels: Tensor, threat: Threat, seed: int
) -> list[SecurityWarning]:
    """The warnings that `model` gives rise to under `threat`; an empty list is none.

    A model without gradients is a warning, not an error, and then no attack is tried. The model is
    looked at in eval mode and left as it was.

    Args:
        model: maps images to logits (n, classes), at least two.
        images: float32 (n, channels, height, width) in [0, 1]; of more than 128, a fixed subset.
        labels: int64 (n,).
        threat: what the figure in question was measured with.
        seed: of every random start, nearby point and search.

    Raises:
        ValueError: there are no images, or not as many labels.
    """
    if not len(images) or len(images) != len(labels):
        raise ValueError(f"{len(images)} images and {len(labels)} labels: give as many, at least 1")
    chosen = torch.from_numpy(fixed_subset(len(labels), MOST_IMAGES, seed)).to(images.device)
    images, labels = images[chosen], labels[chosen]
    with preserve_state(model):
        found = output_warnings(model, images)
        blocked = differentiability(model, images, labels)
        if blocked is not None:
            return [*found, blocked]
        ball = Ball(images, threat.norm, threat.epsilon)
        found += gradient_warnings(model, images, labels, ball, seed)
        return found + attack_warnings(model, images, labels, threat, seed)

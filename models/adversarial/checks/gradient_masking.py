"""Checks of a model for gradient masking, which makes a robust accuracy look too high.

Each check returns a warning of three parts. None is a proof: a model without warnings may still be
less robust than measured, and AutoAttack gives the final accuracy.

Cost for each of at most 128 images, with PGD of 10 steps and ten classes, in forward and backward
passes: 17 and 8 for outputs and gradients, 30 and 2 for points nearby, 14 and 11 for FGSM and PGD
on the clean images, at most 112 and 100 for each of four epsilons (only while an image is robust;
usually half of that in all), and 300 forward passes for an image that withstands the white-box
attack.

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
from models.adversarial.checks.gradient_masking_nearby import nearby_warnings
from models.adversarial.checks.gradient_masking_outputs import one_class, output_warnings
from models.adversarial.checks.not_finite import not_finite_warnings
from models.adversarial.checks.preserve_state import preserve_state
from models.adversarial.checks.warning import GradientMaskingWarning
from models.adversarial.pixels.attacks import Ball
from models.adversarial.pixels.evaluation import fixed_subset
from models.adversarial.threat_model import Threat

MOST_IMAGES = 128


def check(
    model: nn.Module, images: Tensor, labels: Tensor, threat: Threat, seed: int
) -> list[GradientMaskingWarning]:
    """Return the warnings for `model` under `threat`; the list is empty if every check passes.

    A model without gradients gives a warning, not an error, and is not attacked; one that answers
    one class is called that, and not masked. The model is checked in eval mode and left unchanged.

    Args:
        model: maps images to logits (n, classes), at least two.
        images: float32 (n, channels, height, width) in [0, 1]; a fixed subset if there are over
            128.
        labels: int64 (n,).
        threat: the threat that the robust accuracy was measured under.
        seed: seed of random starts, nearby points and random search.

    Raises:
        ValueError: there are no images, or the number of labels differs.
    """
    if not len(images) or len(images) != len(labels):
        raise ValueError(f"{len(images)} images and {len(labels)} labels; "
                         "fix: give one label for each image, at least one image")  # fmt: skip
    chosen = torch.from_numpy(fixed_subset(len(labels), MOST_IMAGES, seed)).to(images.device)
    images, labels = images[chosen], labels[chosen]
    with preserve_state(model):
        ball = Ball(images, threat.norm, threat.epsilon)
        found = not_finite_warnings(model, images, labels, ball, seed)
        constant = one_class(model, images, labels, seed)
        if constant is not None:
            return [*found, constant]
        found += output_warnings(model, images)
        blocked = differentiability(model, images, labels)
        if blocked is not None:
            return [*found, blocked]
        found += gradient_warnings(model, images, labels, ball, seed)
        found += nearby_warnings(model, images, labels, seed)
        return found + attack_warnings(model, images, labels, threat, seed)

"""Adversarial examples for training: FGSM with a random start, and PGD.

They are made in eval mode: dropout does not blur the gradient, and the running statistics of
batch normalisation are learned from the examples trained on, not from half-made ones. Pang et al.
2021 (section 3.6) find the same robustness and a higher clean accuracy with eval mode. The norm
is the threat's; the size is a hyperparameter of its own, for training a little beyond the threat
can help.

Sources: Wong et al. 2020, "Fast is better than free" (FGSM); Madry et al. 2018 (PGD).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from models.adversarial.attacks import Ball, cross_entropy, step
from models.catalog import Value


def craft(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    configuration: Mapping[str, Value],
    norm: Literal["linf", "l2"],
    generator: torch.Generator,
) -> Tensor:
    """Images to train on: the first `adversarial_share` of the batch attacked, the rest as it is.

    The last iterate is taken, not the best: it needs no pass more, and training wants hard
    examples, not a verdict. At least one image is attacked; batches are shuffled, so which one is
    random. Returns `images` themselves without adversarial training.
    """
    method = configuration["adversarial_training"]
    if method == "none":
        return images
    epsilon = float(configuration[f"{method}.epsilon"])
    step_size = float(configuration[f"{method}.step_size"]) * epsilon
    steps = int(configuration["pgd.steps"]) if method == "pgd" else 1
    count = max(1, round(float(configuration["adversarial_share"]) * len(images)))
    clean, truth = images[:count], labels[:count]
    ball = Ball(clean, norm, epsilon)
    attacked = ball.project(clean + ball.noise(generator))
    training = model.training
    model.eval()
    for _ in range(steps):
        attacked, _ = step(model, attacked, truth, ball, step_size, cross_entropy)
    model.train(training)
    return torch.cat([attacked, images[count:]])

"""Free adversarial training: one backward pass moves the weights and the perturbation at once.

Every batch is replayed m times. Each replay perturbs the images, and its gradient makes an
optimizer step and a step of the perturbation, which is kept for the next batch, by position in the
batch. So an epoch costs m passes instead of the 1 + steps of PGD.

NOTE: The paper divides the number of epochs by m; here an epoch is one pass over the data with
m steps for each batch, so equal compute means an m-th of the epochs.

Source: Shafahi et al. 2019, algorithm 1; as in the authors' code, the perturbation starts at zero,
moves by epsilon in each step and is kept without clipping to the box of pixels.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from models.adversarial.pixels.attacks import Ball


def shown(images: Tensor, perturbation: Tensor) -> Tensor:
    """Return images (n, channels, height, width) under the first n perturbations, in [0, 1].

    The result is a leaf whose gradient is the input of `moved`.
    """
    return (images + perturbation[: len(images)]).clamp(0.0, 1.0).requires_grad_()


def moved(
    perturbation: Tensor, gradient: Tensor, norm: Literal["linf", "l2"], epsilon: float
) -> Tensor:
    """Return the perturbation after one step of length epsilon, projected into the ball around 0.

    Args:
        perturbation: (batch, channels, height, width).
        gradient: gradient of the loss at the n <= batch images; other perturbations stay. Its
            scale does not matter. What is not finite counts as 0.
        norm: norm of the ball.
        epsilon: size of the ball.
    """
    n = len(gradient)
    ball = Ball(torch.zeros_like(gradient), norm, epsilon)
    stepped = ball.shrunk(perturbation[:n] + epsilon * ball.steepest(gradient))
    return torch.cat([stepped, perturbation[n:]])

"""Free adversarial training: one backward pass moves the weights and the perturbation at once.

Every batch is replayed m times. Each replay shows the images under the perturbation, and its
gradient makes an optimizer step and a step of the perturbation, which is then kept for the next
batch, by position in the batch. So an epoch costs m passes instead of the 1 + steps of PGD.

NOTE: The paper divides the number of epochs by m; here an epoch stays one pass over the data with
m steps a batch, so at equal compute give a m-th of the epochs.

Source: Shafahi et al. 2019, algorithm 1; as in the authors' code, the perturbation starts at zero,
moves by epsilon at a step and is carried on unclipped by the box of pixels.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from models.adversarial.pixels.attacks import Ball


def shown(images: Tensor, perturbation: Tensor) -> Tensor:
    """Images (n, channels, height, width) under the first n perturbations, in [0, 1].

    A leaf that collects a gradient: the one for `moved`.
    """
    return (images + perturbation[: len(images)]).clamp(0.0, 1.0).requires_grad_()


def moved(
    perturbation: Tensor, gradient: Tensor, norm: Literal["linf", "l2"], epsilon: float
) -> Tensor:
    """The perturbation one step of length epsilon up the loss, back in the ball around zero.

    Args:
        perturbation: (batch, channels, height, width).
        gradient: of the loss at the n <= batch images shown; the others stay. Its scale is of no
            account. Where it is NaN, as an overflow in mixed precision leaves it, nothing moves.
        norm: of the ball.
        epsilon: its size.
    """
    n = len(gradient)
    direction = Ball(gradient, norm, epsilon).steepest(torch.nan_to_num(gradient))
    stepped = perturbation[:n] + epsilon * direction
    if norm == "linf":
        stepped = stepped.clamp(-epsilon, epsilon)
    else:
        size = torch.linalg.vector_norm(stepped.flatten(1), dim=1).clamp(min=1e-12)
        stepped = stepped * (epsilon / size).clamp(max=1.0)[:, None, None, None]
    return torch.cat([stepped, perturbation[n:]])

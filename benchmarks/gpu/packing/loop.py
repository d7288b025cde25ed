"""The loop that packing is compared with: a member trains as a trial does today, alone.

Modules, `autograd` and PyTorch's AdamW, in the memory format and precision of
`models/training/network_optimization.py`; the attack is that of `models/adversarial/pixels/`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.gpu.packing.members import (
    EPSILON,
    PGD_STEP,
    PGD_STEPS,
    Draws,
    Key,
    Member,
    mask_name,
    member_network,
    reduced,
)
from models.adversarial.pixels.attacks import Ball, cross_entropy, slope
from models.training.optimizer import build_optimizer


class LoopMember:
    """One member in training.

    Args:
        key: what all members have in common.
        member: what this one has of its own.
        images: (examples, channels, height, width) in [0, 1], on the device.
        labels: int64 (examples,).
        precision: dtype of the forward passes in training; None: that of the images, in which
            attacks are crafted in any case.
    """

    def __init__(
        self,
        key: Key,
        member: Member,
        images: Tensor,
        labels: Tensor,
        precision: torch.dtype | None = None,
    ) -> None:
        self._images, self._labels, self._precision = images, labels, precision
        self.network = member_network(key, member, int(labels.max()) + 1, images)
        configuration = key.configuration() | {"weight_decay": member.weight_decay}
        self._optimizer = build_optimizer(self.network, configuration)
        for group in self._optimizer.param_groups:
            group["lr"] = member.learning_rate
        holder, _, _ = mask_name(self.network).rpartition(".")
        self._masked = self.network.get_submodule(holder)

    def step(self, draws: Draws, number: int) -> Tensor:
        """Make one step, and return the mean loss before it."""
        index = draws.order[number]
        images, labels = self._images[index], self._labels[index]
        if draws.start is not None:
            images = self.craft(images, labels, draws.start[number])
        loss = self.backward(images, labels, draws.mask[number])
        self._optimizer.step()
        return loss

    def craft(self, images: Tensor, labels: Tensor, start: Tensor) -> Tensor:
        """Return the images after PGD-3 in eval mode, from a given start."""
        self.network.eval()
        ball = Ball(images, "linf", EPSILON)
        shown = ball.project(images + start)
        for _ in range(PGD_STEPS):
            gradient = slope(self.network, shown, labels, cross_entropy).gradient
            shown = ball.project(shown + PGD_STEP * ball.steepest(gradient))
        return shown

    def backward(self, images: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
        """Set the gradients of the mean loss, and return it."""
        self.network.train()
        self._masked.mask = mask
        self._optimizer.zero_grad(set_to_none=True)
        with reduced(self._precision, images.device):
            logits = self.network(images)
        loss = functional.cross_entropy(logits.to(images.dtype), labels)
        torch.autograd.backward(loss)
        return loss.detach()

    def gradient(self) -> Tensor:
        """Return the gradients of all weights as one vector."""
        return flat(self.network, gradients=True)


def flat(network: nn.Module, *, gradients: bool = False) -> Tensor:
    """Return a network's weights, or their gradients, as one vector in the order of parameters."""
    tensors = [each.grad if gradients else each.detach() for each in network.parameters()]
    return torch.cat([each.reshape(-1) for each in tensors if each is not None])

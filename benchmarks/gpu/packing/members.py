"""Members of a packed training: what each has of its own, and the random numbers it draws.

All members of a key have one architecture, batch size, data set, schedule and method. Each has its
own weights, learning rate, weight decay and dropout, and a generator of its own that draws the
order of its examples, its dropout masks and the starts of its attacks. They are drawn before the
epoch and go into the training as data, so a member's numbers are the same whether it trains alone,
in a loop or packed, and whatever is packed with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from models.catalog import complete
from models.hyperparameters.hyperparameter import Value
from models.networks import cnn
from models.networks.builder import NetworkData, build

# Of the attack in training; a fixed one, as the images are made up.
EPSILON = 8 / 255
PGD_STEPS = 3
PGD_STEP = EPSILON / 2
# Of the residual network: a block in each of three stages.
_STAGES = "1-1-1"


@dataclass(frozen=True)
class Key:
    """What packed members have in common.

    Attributes:
        network: "plain" or "residual".
        width: Filters of the first convolution.
        batch: Examples a step.
        shape: (channels, height, width) of an image.
        method: "none" or "pgd", three steps in the L-infinity ball.
    """

    network: Literal["plain", "residual"]
    width: int
    batch: int
    shape: tuple[int, int, int]
    method: Literal["none", "pgd"]

    def __str__(self) -> str:
        size = "x".join(map(str, self.shape))
        attack = "PGD-3" if self.method == "pgd" else "no attack"
        network = f"residual {_STAGES}" if self.network == "residual" else self.network
        return f"{network}, width {self.width}, batch {self.batch}, {size}, {attack}"

    def configuration(self) -> dict[str, Value]:
        """Return the complete hyperparameters of the architecture, with batch normalisation."""
        values: dict[str, Value] = {
            "width": self.width, "batch_size": self.batch, "normalisation": "batch",
            "block": self.network, "schedule": "constant",
        }  # fmt: skip
        if self.network == "residual":
            values["stages"] = _STAGES
        else:
            values["fully_connected_width"] = 4 * self.width
        return complete("cnn", values)


@dataclass(frozen=True)
class Member:
    """What a member has of its own; its weights and all it draws follow from `seed`."""

    seed: int
    learning_rate: float
    weight_decay: float
    dropout: float


def draw_members(count: int) -> list[Member]:
    """Return `count` members with hyperparameters as a search would propose them."""
    generator = np.random.default_rng(0)
    return [
        Member(
            seed=number,
            learning_rate=float(10 ** generator.uniform(-3.5, -2)),
            weight_decay=float(10 ** generator.uniform(-5, -1)),
            dropout=float(generator.uniform(0, 0.5)),
        )
        for number in range(count)
    ]


class Masked(nn.Module):
    """Dropout whose mask is given: (batch, features) times `mask`, which holds 0 or 1 / (1 - p).

    The mask is a buffer, so that a functional call can replace it by each member's own.
    """

    mask: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mask", torch.ones(()), persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """Return the features, in training times the mask."""
        return features * self.mask if self.training else features


def member_network(key: Key, member: Member, classes: int, like: Tensor) -> nn.Module:
    """Build a member's network with its initial weights, on the device and in the dtype of `like`.

    Dropout is `Masked`.
    """
    channels = key.shape[0]
    half = torch.full((channels, 1, 1), 0.5)
    names = tuple(map(str, range(classes)))
    data = NetworkData(key.shape, classes, names, mean=half, std=half)
    network = build(cnn.build, key.configuration(), data, member.seed)
    for parent in list(network.modules()):
        for name, part in list(parent.named_children()):
            if isinstance(part, nn.Dropout):
                setattr(parent, name, Masked())
    return network.to(like.device, like.dtype)


def mask_name(network: nn.Module) -> str:
    """Return the name of the buffer that holds a network's dropout mask."""
    (name,) = (name for name, _ in network.named_buffers() if name.endswith("mask"))
    return name


def mask_width(network: nn.Module) -> int:
    """Return how many features the dropout mask of an example has."""
    linear = [part for part in network.modules() if isinstance(part, nn.Linear)]
    return linear[-1].in_features


@dataclass(frozen=True, eq=False)
class Draws:
    """What one member, or several stacked along a first axis, draws for some steps.

    `order` (steps, batch) holds positions of examples, `mask` (steps, batch, features) of dropout,
    and `start` (steps, batch, channels, height, width) where attacks begin; None without attack.
    """

    order: Tensor
    mask: Tensor
    start: Tensor | None


def draw(key: Key, member: Member, steps: int, examples: int, features: int, device: str) -> Draws:
    """Draw a member's numbers for `steps` steps over a data set of `examples`."""
    generator = torch.Generator(device=device).manual_seed(member.seed)
    rounds = -(-steps * key.batch // examples)
    orders = [torch.randperm(examples, generator=generator, device=device) for _ in range(rounds)]
    order = torch.cat(orders)[: steps * key.batch].reshape(steps, key.batch)
    shape = (steps, key.batch, features)
    kept = torch.rand(shape, generator=generator, device=device) >= member.dropout
    mask = kept / (1 - member.dropout)
    if key.method == "none":
        return Draws(order, mask, None)
    noise = torch.rand((steps, key.batch, *key.shape), generator=generator, device=device)
    return Draws(order, mask, (noise * 2 - 1) * EPSILON)


def stack(draws: Iterable[Draws]) -> Draws:
    """Return the draws of several members, stacked along a new first axis."""
    each = list(draws)
    starts = [one.start for one in each if one.start is not None]
    return Draws(
        torch.stack([one.order for one in each]),
        torch.stack([one.mask for one in each]),
        torch.stack(starts) if starts else None,
    )


def reduced(precision: torch.dtype | None, device: torch.device) -> AbstractContextManager[object]:
    """Return the context of forward passes in a lower precision; of none, for None."""
    return torch.autocast(
        device.type, dtype=precision or torch.bfloat16, enabled=precision is not None
    )

"""Classifiers that hide from attacks what would change their answers, each with its open twin.

A search selects networks that deceive its attack. Each one here wraps networks that are really
trained; `twins` have the same weights without what masks them, so that an attack on those, replayed
on the masked one, shows how robust it is (an adaptive attack, Tramer et al. 2020).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

Wrap = Callable[[Sequence[nn.Module]], "Masked"]


class Masked(nn.Module):
    """A classifier with masked gradients, and the networks that an adaptive attack uses.

    Attributes:
        twins: classifiers that can be attacked by gradients; what misclassifies one of them is
            tried on this classifier.
    """

    def __init__(self, *networks: nn.Module) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    @property
    def twins(self) -> Sequence[nn.Module]:
        return list(self.networks)


class _Backward(torch.autograd.Function):
    """The identity, with a backward pass of its own."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
        ctx.change = change
        return values.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return ctx.change(gradient), None


def with_gradient(change: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """Return the identity of images, whose gradient with respect to them is replaced."""
    return lambda images: _Backward.apply(images, change)  # type: ignore[no-untyped-call]


class Around(Masked):
    """A function of the images, the network, and a function of its logits.

    The gradient of one of the functions is of no use.
    """

    def __init__(
        self,
        network: nn.Module,
        before: Callable[[Tensor], Tensor] = lambda images: images,
        after: Callable[[Tensor], Tensor] = lambda logits: logits,
    ) -> None:
        super().__init__(network)
        self.before, self.after = before, after

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.networks[0](self.before(images))
        return self.after(logits)


class Detached(Masked):
    """The network without a gradient, plus a weak linear one with one, and noise if wanted."""

    def __init__(self, network: nn.Module, spread: float = 0.0) -> None:
        super().__init__(network)
        self.spread = spread

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.networks[0](images.detach()) + 0.1 * decoy(images)
        noise: Tensor = self.spread * torch.randn_like(logits)
        return logits + noise


class Labels(Masked):
    """The predicted label alone, one-hot, and a small differentiable term that says nothing."""

    def forward(self, images: Tensor) -> Tensor:
        logits = self.networks[0](images.detach())
        labels: Tensor = functional.one_hot(logits.argmax(1), logits.shape[1]).float()
        return labels + 0.01 * decoy(images)


class Hashed(Masked):
    """Several networks, of which the pixels' bits choose one for each image."""

    def forward(self, images: Tensor) -> Tensor:
        bits = images.detach().flatten(1).contiguous().view(torch.int32).long()
        weights = torch.arange(1, bits.shape[1] + 1) * 2_654_435_761 % 1_000_003
        return self.by(((bits * weights).sum(1) >> 3) % len(self.networks), images)

    def by(self, chosen: Tensor, images: Tensor) -> Tensor:
        """Return the logits of the chosen network (n,) for each image."""
        logits = torch.stack([network(images) for network in self.networks], 1)
        return logits[torch.arange(len(images)), chosen]


class Drawn(Hashed):
    """Several networks, of which one is drawn for each image in each pass."""

    def forward(self, images: Tensor) -> Tensor:
        return self.by(torch.randint(len(self.networks), (len(images),)), images)


def decoy(images: Tensor) -> Tensor:
    """Return ten logits of order 1 that are linear in the images and know nothing of classes."""
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn((images[0].numel(), 10), generator=generator)
    logits: Tensor = images.flatten(1) @ weights.to(images)
    return logits / float(images[0].numel() ** 0.5)


def straight_through(images: Tensor, levels: int = 4) -> Tensor:
    """Return images rounded to a few levels, with the gradient of doing nothing."""
    return images + (torch.round(images * (levels - 1)) / (levels - 1) - images).detach()


def quantised(images: Tensor, levels: int = 4) -> Tensor:
    """Return images rounded to a few levels; the gradient is zero."""
    return torch.round(images * (levels - 1)) / (levels - 1)


def median(images: Tensor) -> Tensor:
    """Return medians of 3 by 3 pixels, whose gradient reaches one pixel of nine."""
    padded = functional.pad(images, (1, 1, 1, 1), mode="replicate")
    windows = padded.unfold(2, 3, 1).unfold(3, 3, 1).flatten(4)
    return windows.median(-1).values


# What a search was deceived by, and other ways to the same end.
MASKED: Mapping[str, Wrap] = {
    "detached main branch": lambda few: Detached(few[0]),
    "NaN gradient": lambda few: Around(
        few[0], with_gradient(lambda g: torch.full_like(g, torch.nan))
    ),
    "labels and a decoy": lambda few: Labels(few[0]),
    "hash of the pixels": lambda few: Hashed(*few),
    "detached, with noise": lambda few: Detached(few[0], 0.5),
    "network drawn at random": lambda few: Drawn(*few),
    "gradient of the wrong sign": lambda few: Around(few[0], with_gradient(torch.neg)),
    "random gradient": lambda few: Around(few[0], with_gradient(torch.randn_like)),
    "zero gradient": lambda few: Around(few[0], with_gradient(lambda g: 0 * g)),
    "quantised inputs": lambda few: Around(few[0], quantised),
    "quantised, straight-through": lambda few: Around(few[0], straight_through),
    "rounded to bytes, straight-through": lambda few: Around(
        few[0], lambda images: straight_through(images, 256)
    ),
    "softmax of logits x 100": lambda few: Around(few[0], after=lambda z: (100 * z).softmax(1)),
    "median filter": lambda few: Around(few[0], median),
}

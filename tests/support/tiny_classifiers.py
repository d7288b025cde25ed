"""Hand-made classifiers of small images, some with masked gradients, with errors known by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from models.adversarial.threat_model import Threat

# In L2 the size that moves a linear classifier as far as L-infinity 0.1: 0.1 times sqrt(16).
THREATS = {"linf": Threat(epsilon=0.1), "l2": Threat(norm="l2", epsilon=0.4)}


class Linear(nn.Module):
    """Logits are 20 times each class's share of the brightness above grey.

    Class k owns the pixels k, k + classes, ...: a linear model without masking.
    """

    def __init__(self, classes: int = 3) -> None:
        super().__init__()
        owner = torch.arange(16) % classes
        weights = torch.nn.functional.one_hot(owner, classes).float().T
        self.weights = nn.Parameter(20.0 * weights / weights.sum(1, keepdim=True))

    def forward(self, images: Tensor) -> Tensor:
        return (images.flatten(1) - 0.5) @ self.weights.T


class Bright(nn.Module):
    """Class 1 from a mean brightness of 0.5 on."""

    border: Tensor

    def __init__(self, border: float = 0.5) -> None:
        super().__init__()
        self.register_buffer("border", torch.tensor(border))

    def forward(self, images: Tensor) -> Tensor:
        above = images.mean(dim=(1, 2, 3)) - self.border
        return torch.stack([-above, above], dim=1)


class Nearest(nn.Module):
    """Logits fall with the distance of an image's mean to that of each class: k / (classes - 1)."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.means = nn.Parameter(torch.linspace(0, 1, classes))

    def forward(self, images: Tensor) -> Tensor:
        return -10 * (images.mean(dim=(1, 2, 3))[:, None] - self.means).abs()


class Through(nn.Module):
    """A function of the images, then another model."""

    def __init__(self, function: Callable[[Tensor], Tensor], model: nn.Module) -> None:
        super().__init__()
        self.function, self.model = function, model

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.model(self.function(images))
        return logits


class Then(nn.Module):
    """A model, then a function of its logits."""

    def __init__(self, model: nn.Module, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.model, self.function = model, function

    def forward(self, images: Tensor) -> Tensor:
        return self.function(self.model(images))


def examples(classes: int = 3, n: int = 40, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Noisy images (n, 1, 4, 4) whose class's own pixels are brighter by 0.05 to 0.4."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % classes
    owned = (torch.arange(16) % classes)[None, :] == labels[:, None]
    brighter = torch.linspace(0.05, 0.4, n)[:, None]
    images = 0.3 + 0.04 * torch.rand((n, 16), generator=generator) + brighter * owned
    return images.reshape(n, 1, 4, 4), labels


def flat(*values: float) -> Tensor:
    """Images (n, 1, 6, 6) of one brightness each."""
    return torch.tensor(values)[:, None, None, None].expand(-1, 1, 6, 6).clone()


def straight_through(images: Tensor) -> Tensor:
    """Rounded to five levels, with the gradient of doing nothing."""
    return images + (torch.round(4 * images) / 4 - images).detach()


class NoWayBack(torch.autograd.Function):
    """The identity, whose backward pass raises."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        return values.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        raise RuntimeError("no way back")

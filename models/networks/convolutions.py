"""The layers that plain and residual networks are made of: convolution, activation, pooling."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from torch import nn

from models.hyperparameters.hyperparameter import Value

_ACTIVATIONS: Mapping[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
}


def convolution(
    configuration: Mapping[str, Value],
    channels: int,
    filters: int,
    *,
    kernel: int | None = None,
    stride: int = 1,
) -> list[nn.Module]:
    """Return a convolution and the normalisation after it, if there is one.

    Args:
        configuration: complete hyperparameters of "cnn".
        channels: those of the input.
        filters: channels of the output.
        kernel: side of the filters; None: the configuration's.
        stride: 2 halves the sides, rounding up.
    """
    side = int(configuration["kernel_size"]) if kernel is None else kernel
    normalisation = configuration["normalisation"]
    # A normalisation has a shift of its own, which makes the convolution's bias redundant.
    bias = normalisation == "none"
    layers: list[nn.Module] = [
        nn.Conv2d(channels, filters, side, stride=stride, padding=side // 2, bias=bias)
    ]
    if normalisation == "batch":
        layers.append(nn.BatchNorm2d(filters))
    elif normalisation == "group":
        # Wu & He 2018 fix the number of groups; 8 suits narrow nets, gcd fits any width.
        layers.append(nn.GroupNorm(math.gcd(filters, 8), filters))
    return layers


def activation(configuration: Mapping[str, Value]) -> nn.Module:
    """Return the configuration's non-linearity."""
    return _ACTIVATIONS[str(configuration["activation"])]()


def halving(sides: Sequence[int]) -> tuple[list[nn.Module], list[int]]:
    """Return a pooling layer and the sides after it; none if a side would fall below 1."""
    if min(sides) < 2:
        return [], list(sides)
    return [nn.MaxPool2d(2)], [side // 2 for side in sides]

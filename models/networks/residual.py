"""Residual networks for small images: ResNet-18 and its relatives, ResNet-9 and its relatives.

After a first convolution of `width` filters, with normalisation and activation but no pooling,
`stages` gives the number of residual blocks of each stage, and `downsampling` their form:

- "stride": blocks are act(shortcut(x) + norm(conv(act(norm(conv x))))). The first stage keeps sides
  and filters. The first block of every other stage halves the sides by a stride of 2 and doubles
  the filters, with a 1x1 convolution and normalisation as its shortcut; other shortcuts are the
  identity. A stage of 0 blocks has no layers, so that the next one quadruples the filters. The head
  is the mean over the pixels and a linear layer.
- "pool": every stage, the first too, begins with act(norm(conv x)), which doubles the filters, and
  a maximum over 2x2 pixels; blocks are x + act(norm(conv(act(norm(conv x))))). The head is the
  maximum over the pixels and a linear layer without a bias.

Sources: He et al. 2016, section 3.3 and Table 1 (stride, the blocks with projections, in the usual
form for 32x32 pixels); Page 2018, "How to train your ResNet" (pool, without his factor of 0.125 on
the logits).

A sum is a layer (`Residual`) and all others are PyTorch's, so that an export can list them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import Tensor, nn

from models.hyperparameters.hyperparameter import Value
from models.networks.convolutions import activation, convolution, halving


class Residual(nn.Module):
    """The sum of a body and a shortcut; a shortcut without layers is the identity."""

    def __init__(self, body: Iterable[nn.Module], shortcut: Iterable[nn.Module] = ()) -> None:
        super().__init__()
        self.body = nn.Sequential(*body)
        self.shortcut = nn.Sequential(*shortcut)

    def forward(self, features: Tensor) -> Tensor:
        """Return (batch, filters, height, width) of (batch, channels, height, width)."""
        total: Tensor = self.shortcut(features) + self.body(features)
        return total


def residual_features(
    configuration: Mapping[str, Value], shape: tuple[int, int, int]
) -> tuple[list[nn.Module], int]:
    """Return the layers up to the global pool, and the number of values that it gives.

    Args:
        configuration: complete hyperparameters of "cnn", with `block` "residual".
        shape: (channels, height, width) of an image.
    """
    width = int(configuration["width"])
    stem = [*convolution(configuration, shape[0], width), activation(configuration)]
    stages = [int(blocks) for blocks in str(configuration["stages"]).split("-")]
    if configuration["downsampling"] == "stride":
        strided = _strided(configuration, stages)
        return [*stem, *strided, nn.AdaptiveAvgPool2d(1)], width * 2 ** (len(stages) - 1)
    pooled = _pooled(configuration, stages, shape[1:])
    return [*stem, *pooled, nn.AdaptiveMaxPool2d(1)], width * 2 ** len(stages)


def residual_classifier(
    configuration: Mapping[str, Value], filters: int, classes: int
) -> list[nn.Module]:
    """Return the layers from the global pool to the logits."""
    bias = configuration["downsampling"] == "stride"
    return [
        nn.Dropout(float(configuration["dropout"])),
        nn.Linear(filters, classes, bias=bias),
    ]


def _strided(configuration: Mapping[str, Value], stages: list[int]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    channels = int(configuration["width"])
    for stage, blocks in enumerate(stages):
        filters = int(configuration["width"]) * 2**stage
        for block in range(blocks):
            stride = 2 if stage > 0 and block == 0 else 1
            body = [
                *convolution(configuration, channels, filters, stride=stride),
                activation(configuration),
                *convolution(configuration, filters, filters),
            ]
            shortcut = []
            if stride > 1:
                shortcut = convolution(configuration, channels, filters, kernel=1, stride=stride)
            layers += [Residual(body, shortcut), activation(configuration)]
            channels = filters
    return layers


def _pooled(
    configuration: Mapping[str, Value], stages: list[int], sides: Iterable[int]
) -> list[nn.Module]:
    def convolved(channels: int, filters: int) -> list[nn.Module]:
        return [*convolution(configuration, channels, filters), activation(configuration)]

    layers: list[nn.Module] = []
    filters, left = int(configuration["width"]), list(sides)
    for blocks in stages:
        pool, left = halving(left)
        layers += [*convolved(filters, 2 * filters), *pool]
        filters *= 2
        for _ in range(blocks):
            layers.append(Residual([*convolved(filters, filters), *convolved(filters, filters)]))
    return layers

"""Residual networks for small images: ResNet-18 and its relatives, ResNet-9 and its relatives.

`downsampling` names the family, `stages` the number of residual blocks of each stage; each stage
after the first convolution of `width` filters halves the sides and doubles the filters.

- "stride" (He et al. 2016, section 4.2 and Table 1; the form for 32x32 images has a first
  convolution of 3x3 without pooling): basic blocks, act(shortcut(x) + norm(conv(act(norm(conv
  x))))). The first stage keeps sides and filters; the first block of every other one has stride 2,
  and a shortcut of a 1x1 convolution with stride 2. A stage of 0 blocks has no layers: the next one
  then quadruples the filters. Then the mean over the pixels, and a linear layer.
- "pool" (David Page 2018, "How to train your ResNet", part 4, from DAWNBench): every stage, the
  first too, begins with act(norm(conv x)) that doubles the filters, and a maximum over 2x2 pixels,
  followed by blocks x + act(norm(conv(act(norm(conv x))))). Then the maximum over the pixels, and a
  linear layer without a bias. Page's factor of 0.125 on the logits is left out: it is a temperature
  of his learning rates.

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
        return [*stem, *_strided(configuration, stages), nn.AdaptiveAvgPool2d(1)], width * 2 ** (
            len(stages) - 1
        )
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

"""A configurable convolutional network for images from 8x8 up, and its weights on disk.

It returns logits, never probabilities: a softmax before the cross-entropy applies it twice and
weakens training and attacks alike. Normalisation of the input is a part of the model, so attacks
work on pixels in [0, 1].
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from models.hyperparameters.hyperparameter import Value

_ACTIVATIONS: Mapping[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
}


class CNN(nn.Module):
    """Blocks of convolution, normalisation, activation and pooling; one hidden layer; logits.

    Maps float images (batch, channels, height, width) in [0, 1] to logits (batch, classes). A
    block pools by 2 unless a side would fall below 1, so any number of blocks fits any image.

    Args:
        configuration: complete, of "cnn" (see `models.catalog.complete`).
        shape: (channels, height, width) of an image.
        classes: number of logits.
        mean: of the training pixels in [0, 1], per channel; None: 0.
        std: likewise; None: 1.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        configuration: Mapping[str, Value],
        shape: tuple[int, int, int],
        classes: int,
        mean: Tensor | None = None,
        std: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.configuration = dict(configuration)
        self.shape = shape
        self.classes = classes
        channels, height, width = shape
        self.register_buffer("mean", _per_channel(mean, channels, 0.0))
        self.register_buffer("std", _per_channel(std, channels, 1.0))
        filters = int(self.configuration["width"])
        layers: list[nn.Module] = []
        for _ in range(int(self.configuration["blocks"])):
            layers += _block(self.configuration, channels, filters)
            if min(height, width) >= 2:
                layers.append(nn.MaxPool2d(2))
                height, width = height // 2, width // 2
            channels, filters = filters, filters * 2
        self.features = nn.Sequential(*layers)
        hidden = int(self.configuration["fully_connected_width"])
        self.classifier = nn.Sequential(
            nn.Linear(channels * height * width, hidden),
            _activation(self.configuration),
            nn.Dropout(float(self.configuration["dropout"])),
            nn.Linear(hidden, classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Logits (batch, classes) of images (batch, channels, height, width) in [0, 1]."""
        features = self.features((images - self.mean) / self.std)
        logits: Tensor = self.classifier(features.flatten(1))
        return logits


def save_weights(model: CNN, path: Path) -> None:
    """Write the weights as safetensors, with what is needed to build the model again."""
    description = {
        "configuration": model.configuration,
        "shape": model.shape,
        "classes": model.classes,
    }
    tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(tensors, path, metadata={"model": "cnn", "description": json.dumps(description)})


def load_weights(path: Path) -> CNN:
    """The model that `save_weights` wrote to `path`, on the CPU and in evaluation mode.

    Raises:
        ValueError: the file holds the weights of something else.
        FileNotFoundError: there is no such file.
    """
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
    if metadata.get("model") != "cnn":
        raise ValueError(f"{path}: not written by save_weights; give the weights of a CNN")
    description = json.loads(metadata["description"])
    shape = tuple(description["shape"])
    model = CNN(description["configuration"], shape, description["classes"])
    model.load_state_dict(load_file(path))
    return model.eval()


def _block(configuration: Mapping[str, Value], channels: int, filters: int) -> list[nn.Module]:
    kernel = int(configuration["kernel_size"])
    normalisation = configuration["normalisation"]
    # A normalisation has its own shift, which makes the convolution's bias redundant.
    bias = normalisation == "none"
    block: list[nn.Module] = [nn.Conv2d(channels, filters, kernel, padding=kernel // 2, bias=bias)]
    if normalisation == "batch":
        block.append(nn.BatchNorm2d(filters))
    elif normalisation == "group":
        # Wu & He 2018 fix the number of groups; 8 suits narrow nets, gcd fits any width.
        block.append(nn.GroupNorm(math.gcd(filters, 8), filters))
    block.append(_activation(configuration))
    return block


def _activation(configuration: Mapping[str, Value]) -> nn.Module:
    return _ACTIVATIONS[str(configuration["activation"])]()


def _per_channel(values: Tensor | None, channels: int, default: float) -> Tensor:
    if values is None:
        return torch.full((1, channels, 1, 1), default)
    return values.to(torch.float32).reshape(1, channels, 1, 1)

"""Load the network in this folder; it needs torch and safetensors, and no other file of ours.

    from load_model import load
    model, label_names = load("THIS FOLDER")
    logits = model(images)  # float images (batch, channels, height, width), pixels in [0, 1]

`twentieth export` copies this file next to the weights.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

# Other layers are refused, whatever config.json names.
LAYERS = (
    "AdaptiveAvgPool2d", "AdaptiveMaxPool2d", "BatchNorm2d", "Conv2d", "Dropout", "GELU",
    "GroupNorm", "Linear", "MaxPool2d", "ReLU", "Residual", "SiLU", "Tanh",
)  # fmt: skip


class Network(nn.Module):
    """Input normalisation, features and a classifier."""

    mean: Tensor
    std: Tensor

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        channels = int(config["shape"][0])
        self.register_buffer("mean", torch.zeros(1, channels, 1, 1))
        self.register_buffer("std", torch.ones(1, channels, 1, 1))
        self.features = _layers(config["features"])
        self.classifier = _layers(config["classifier"])

    def forward(self, images: Tensor) -> Tensor:
        """Logits (batch, classes) of images (batch, channels, height, width) in [0, 1]."""
        features = self.features((images - self.mean) / self.std)
        logits: Tensor = self.classifier(features.flatten(1))
        return logits


class Residual(nn.Module):
    """The sum of a body and a shortcut; a shortcut without layers is the identity."""

    def __init__(self, body: nn.Sequential, shortcut: nn.Sequential) -> None:
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, features: Tensor) -> Tensor:
        """Return (batch, filters, height, width) of (batch, channels, height, width)."""
        total: Tensor = self.shortcut(features) + self.body(features)
        return total


def load(folder: str | Path) -> tuple[Network, list[str]]:
    """Return the network in eval mode, and the names of its classes by their number."""
    root = Path(folder)
    config = json.loads((root / "config.json").read_text(encoding="utf-8"))
    model = Network(config)
    model.load_state_dict(load_file(root / "model.safetensors"))
    return model.eval(), list(config["label_names"])


def _layers(records: list[dict[str, Any]]) -> nn.Sequential:
    return nn.Sequential(*[_layer(each) for each in records])


def _layer(record: dict[str, Any]) -> nn.Module:
    if record["type"] not in LAYERS:
        raise ValueError(f"config.json names a layer {record['type']!r}; known are {LAYERS}")
    if record["type"] == "Residual":
        return Residual(_layers(record["body"]), _layers(record["shortcut"]))
    layer: nn.Module = getattr(nn, record["type"])(**record["arguments"])
    return layer

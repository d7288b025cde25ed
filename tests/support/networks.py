"""Networks that a user would bring, each built by a function of configuration and data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModel

from models.networks import cnn


class Residual(nn.Module):
    """A block as torchvision writes it: in-place activations, batch normalisation."""

    def __init__(self, inplanes: int, planes: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inplanes, planes, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.downsample = nn.Sequential(
            nn.Conv2d(inplanes, planes, 1, stride, bias=False), nn.BatchNorm2d(planes)
        )

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += self.downsample(x)
        result: Tensor = self.relu(out)
        return result


class ResNet(nn.Module):
    """A small residual network with the normalisation of its input inside."""

    mean: Tensor
    std: Tensor

    def __init__(self, depth: int, width: int, data: Any) -> None:
        super().__init__()
        self.register_buffer("mean", data.mean)
        self.register_buffer("std", data.std)
        blocks = [Residual(data.shape[0], width, 1)]
        blocks += [Residual(width, width, 2) for _ in range(depth - 1)]
        self.blocks = nn.Sequential(*blocks)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(width, data.classes)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.avgpool(self.blocks((x - self.mean) / self.std)).flatten(1))
        return logits


def resnet(configuration: Mapping[str, Any], data: Any) -> nn.Module:
    return ResNet(int(configuration["model.depth"]), int(configuration["model.width"]), data)


def builtin_cnn(configuration: Mapping[str, Any], data: Any) -> nn.Module:
    """The CNN of the catalog, its architecture under the names of a network of one's own."""
    own = {name.removeprefix("model."): value for name, value in configuration.items()}
    return cnn.build(own, data)


class TextHead(nn.Module):
    """A head of one's own over a pretrained encoder: the mean of the words, two layers."""

    def __init__(self, folder: Any, hidden: int, classes: int) -> None:
        super().__init__()
        self.body = AutoModel.from_pretrained(folder)
        self.head = nn.Sequential(
            nn.Linear(self.body.config.hidden_size, hidden),
            nn.BatchNorm1d(hidden),
            nn.GELU(),
            nn.Dropout(0.1),
            nn.Linear(hidden, classes),
        )

    def forward(self, attention_mask: Tensor, **inputs: Tensor) -> Tensor:
        states = self.body(attention_mask=attention_mask, **inputs).last_hidden_state
        mask = attention_mask[..., None]
        logits: Tensor = self.head((states * mask).sum(1) / mask.sum(1))
        return logits


def text_head(configuration: Mapping[str, Any], data: Any) -> nn.Module:
    return TextHead(data.base, int(configuration["model.hidden"]), data.classes)


def linear(configuration: Mapping[str, Any], data: Any) -> nn.Module:
    """The smallest network; its head is the whole of it."""
    inputs = torch.tensor(data.shape).prod().item()
    return nn.Sequential(nn.Flatten(), nn.Linear(int(inputs), data.classes))


class TinyTransformer(nn.Module):
    """A vision transformer of patches of 2 by 2 pixels, two layers and the mean of the patches."""

    def __init__(self, width: int, data: Any) -> None:
        super().__init__()
        channels, height, size = data.shape
        self.patches = nn.Conv2d(channels, width, 2, 2)
        self.places = nn.Parameter(0.02 * torch.randn(1, (height // 2) * (size // 2), width))
        layer = nn.TransformerEncoderLayer(
            width, 4, 2 * width, dropout=0.0, batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(width, data.classes)

    def forward(self, x: Tensor) -> Tensor:
        patches = self.patches(2 * x - 1).flatten(2).transpose(1, 2)
        logits: Tensor = self.head(self.layers(patches + self.places).mean(1))
        return logits


def tiny_transformer(configuration: Mapping[str, Any], data: Any) -> nn.Module:
    return TinyTransformer(int(configuration["model.width"]), data)

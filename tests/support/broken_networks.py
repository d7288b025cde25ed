"""Networks of one's own that pass the checks before a search and break under attack in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

# The mean of about half of the digits is larger; that of the two that are checked before is not.
BRIGHT = 0.33


def _nan_gradient(images: Tensor) -> Tensor:
    """The same images; the gradient of bright ones is NaN, as of a root at zero."""
    is_bright = images.mean(dim=(1, 2, 3), keepdim=True) > BRIGHT
    return images + 0 * torch.sqrt(images * ~is_bright)


class Broken(nn.Module):
    """A linear classifier with a fault, in evaluation alone but for the gradient's."""

    def __init__(self, fault: str, inputs: int, classes: int) -> None:
        super().__init__()
        self.fault, self.layer = fault, nn.Linear(inputs, classes)

    def forward(self, images: Tensor) -> Tensor:
        if self.fault == "gradient":
            images = _nan_gradient(images)
        if self.fault == "detached" and not self.training:
            images = images.detach()
        logits: Tensor = self.layer(images.flatten(1))
        if self.training:
            return logits
        if self.fault == "logits":
            is_bright = images.mean(dim=(1, 2, 3)) > BRIGHT
            return torch.where(is_bright[:, None], torch.nan, logits)
        if self.fault == "one class":
            return 0 * logits + 5 * torch.eye(logits.shape[1])[1]
        return logits


def _built(fault: str, data: Any) -> nn.Module:
    return Broken(fault, int(torch.tensor(data.shape).prod()), data.classes)


def nan_gradient(configuration: Mapping[str, Any], data: Any) -> nn.Module:
    return _built("gradient", data)


def nan_logits(configuration: Mapping[str, Any], data: Any) -> nn.Module:
    return _built("logits", data)


def detached(configuration: Mapping[str, Any], data: Any) -> nn.Module:
    return _built("detached", data)


def one_class(configuration: Mapping[str, Any], data: Any) -> nn.Module:
    return _built("one class", data)

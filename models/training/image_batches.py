"""Batches and losses of images for a vision transformer.

Not for training itself (`models/training/transformer_optimization.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from models.adversarial.pixels.training import craft, losses
from models.data.loading import ImageSplits
from models.hyperparameters.hyperparameter import Value
from models.networks.pixel_input import PixelLogits


class ImageBatches:
    """The images that a model is trained on: bytes on the device, floats in [0, 1] in a batch.

    Args:
        data: never written to.
        device: where the model is.
        configuration: complete hyperparameters.
        norm: norm of adversarial training.
    """

    def __init__(
        self,
        data: ImageSplits,
        device: torch.device,
        configuration: Mapping[str, Value],
        norm: Literal["linf", "l2"],
    ) -> None:
        self._configuration, self._device = configuration, device
        self._scale, self._norm = data.scale, norm
        self._images = torch.tensor(data.train_images, device=self._device)
        self._labels = torch.tensor(data.train_labels, device=self._device)
        self.size = len(data.train_labels)

    def indices(self, size: int, generator: torch.Generator | None) -> list[list[int]]:
        """Return the indices of each step's examples, shuffled by the generator."""
        ordered = torch.arange(self.size)
        if generator is not None:
            ordered = torch.randperm(self.size, generator=generator)
        return [part.tolist() for part in torch.split(ordered, size)]

    def tensors(self, index: Sequence[int]) -> dict[str, Tensor]:
        """Return images (batch, channels, height, width) in [0, 1] and labels (batch,)."""
        at = torch.tensor(index, device=self._device)
        images = self._images[at].to(torch.float32) / self._scale
        return {"pixel_values": images, "labels": self._labels[at]}

    def weight(self, labels: Tensor) -> float:
        """Return the divisor of a batch's summed loss."""
        return float(len(labels))

    def learn(
        self, model: nn.Module, batch: Mapping[str, Tensor], weight: float, noise: torch.Generator
    ) -> Tensor:
        """Add the gradients of this part of a batch, and return its summed loss over `weight`.

        Adversarial examples are crafted in float32, the loss in bfloat16 on a GPU.
        """
        labels, images, pixels = batch["labels"], batch["pixel_values"], PixelLogits(model)
        shown = craft(pixels, images, labels, self._configuration, self._norm, noise)
        with torch.autocast(images.device.type, dtype=torch.bfloat16, enabled=images.is_cuda):
            loss = losses(pixels, images, shown, labels, self._configuration).sum()
        torch.autograd.backward(loss / weight)
        return loss.detach() / weight

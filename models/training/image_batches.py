"""Batches and losses of images for a vision transformer.

Attacks and metrics are those of a CNN (`models/training/image_evaluation.py`), so the two can be
compared. Not for training itself (`models/training/image_fine_tuning.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.adversarial.pixels.attack_memory import AttackMemory
from models.adversarial.pixels.training import craft, losses, passes
from models.adversarial.threat_model import Threat
from models.data.loading import ImageSplits
from models.data.sources import DataError
from models.hyperparameters.hyperparameter import Value
from models.networks.pixel_input import PixelLogits
from models.networks.transformer import LoadedBase
from models.training.image_evaluation import ImageEvaluation


class ImageBatches:
    """The images of a task for one model: bytes on the device, floats in [0, 1] in a batch.

    `evaluation` evaluates the model, `passes` is the cost of an epoch (see
    `models.adversarial.pixels.training.passes`).

    Raises:
        DataError: the base was loaded for other classes than the data have.
    """

    def __init__(
        self,
        data: ImageSplits,
        base: LoadedBase,
        configuration: Mapping[str, Value],
        threat: Threat,
        memory: AttackMemory | None,
    ) -> None:
        if data.label_names != base.label_names:
            raise DataError(
                f"the data have the classes {list(data.label_names)}, but the model was loaded "
                f"for {list(base.label_names)}; fix: load it again"
            )
        self._configuration, self._device = configuration, base.device
        self._scale, self._norm = data.scale, threat.norm
        self.passes = passes(configuration)
        attacked = configuration["adversarial_training"] != "none"
        self.evaluation = ImageEvaluation(
            data, threat, base.device, attacked_training=attacked, memory=memory
        )
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

    def validation_loss(self, model: nn.Module) -> float:
        """Return the mean cross-entropy on the selection part of the validation split."""
        images, labels = self.evaluation.examples("selection")
        pixels = self.classifier(model)
        with torch.inference_mode():
            logits = torch.cat([pixels(part) for part in torch.split(images, 256)])
        return float(functional.cross_entropy(logits.float(), labels))

    def classifier(self, model: nn.Module) -> nn.Module:
        """Return the model from images to logits, in eval mode."""
        return PixelLogits(model).eval()

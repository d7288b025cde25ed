"""What a vision transformer learns from images: batches, losses, and how it is judged.

The same splits, attacks and figures as a CNN's (`models/training.py`), so the two can stand in one
comparison. Not for training itself (`models/fine_tuning.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.adversarial.evaluation import correct, fgsm_correct, fixed_subset, robust_correct
from models.adversarial.training import craft
from models.catalog import Value
from models.data import ImageSplits
from models.sources import DataError
from models.threats import Threat
from models.transformer import LoadedBase


class ImageMaterial:
    """The images of a task as one model sees them: bytes on the device, floats in [0, 1] a batch.

    Raises:
        DataError: the base was loaded for other classes than the data have.
    """

    def __init__(
        self,
        data: ImageSplits,
        base: LoadedBase,
        configuration: Mapping[str, Value],
        threat: Threat,
    ) -> None:
        if data.label_names != base.label_names:
            raise DataError(
                f"the data have the classes {list(data.label_names)}, but the model was loaded "
                f"for {list(base.label_names)}; load it again"
            )
        self._configuration, self._device = configuration, base.device
        self._data, self._threat = data, threat
        self._images = torch.tensor(data.train_images, device=self._device)
        self._labels = torch.tensor(data.train_labels, device=self._device)
        self.size = len(data.train_labels)

    def batches(self, size: int, generator: torch.Generator | None) -> list[list[int]]:
        """Indices of each step's examples, shuffled by the generator."""
        ordered = torch.arange(self.size)
        if generator is not None:
            ordered = torch.randperm(self.size, generator=generator)
        return [part.tolist() for part in torch.split(ordered, size)]

    def tensors(self, index: Sequence[int]) -> dict[str, Tensor]:
        """Images (batch, channels, height, width) in [0, 1] and labels (batch,)."""
        at = torch.tensor(index, device=self._device)
        images = self._images[at].to(torch.float32) / self._data.scale
        return {"pixel_values": images, "labels": self._labels[at]}

    def weight(self, labels: Tensor) -> float:
        """What a batch's summed loss is divided by."""
        return float(len(labels))

    def learn(
        self, model: nn.Module, batch: Mapping[str, Tensor], weight: float, noise: torch.Generator
    ) -> Tensor:
        """Add the gradients of this part of a batch; its summed loss over `weight`.

        Adversarial examples are crafted in float32, the loss in bfloat16 on a GPU.
        """
        labels = batch["labels"]
        images = craft(
            _Pixels(model), batch["pixel_values"], labels, self._configuration,
            self._threat.norm, noise,
        )  # fmt: skip
        with torch.autocast(images.device.type, dtype=torch.bfloat16, enabled=images.is_cuda):
            logits = model(pixel_values=images).logits
        smoothing = float(self._configuration["label_smoothing"])
        loss = functional.cross_entropy(
            logits.float(), labels, reduction="sum", label_smoothing=smoothing
        )
        torch.autograd.backward(loss / weight)
        return loss.detach() / weight

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Loss and accuracy of the clean validation split."""
        images, labels = self._tensors("validation")
        with torch.inference_mode():
            logits = torch.cat([_Pixels(model).eval()(part) for part in torch.split(images, 256)])
        loss = functional.cross_entropy(logits.float(), labels)
        hits = (logits.argmax(dim=-1) == labels).float()
        return {"loss.validation": float(loss), "accuracy.clean": float(hits.mean())}

    def attack(self, model: nn.Module, *, is_last: bool) -> dict[str, float]:
        """Accuracy under attack: the full attack and FGSM at the end, a cheap PGD always."""
        threat, pixels = self._threat, _Pixels(model)
        cheap = replace(threat, steps=threat.cheap_steps, restarts=1)
        images, labels = self._tensors("validation")
        few = self._subset(len(labels), threat.cheap_examples)
        flags = {
            threat.cheap_metric(): robust_correct(
                pixels, images[few], labels[few], cheap, threat.seed
            )
        }
        if is_last:
            some = self._subset(len(labels), threat.examples)
            attacked, truth = images[some], labels[some]
            flags[threat.metric()] = robust_correct(pixels, attacked, truth, threat, threat.seed)
            flags[threat.fgsm_metric()] = fgsm_correct(pixels, attacked, truth, threat)
        return {name: float(flag.mean()) for name, flag in flags.items()}

    def test(self, model: nn.Module) -> dict[str, float]:
        """Clean and full robust accuracy on the whole test split; the attack has its own seed."""
        images, labels = self._tensors("test")
        pixels, threat = _Pixels(model), self._threat
        flags = robust_correct(pixels, images, labels, threat, threat.seed + 1)
        return {
            "accuracy.clean": float(correct(pixels, images, labels).mean()),
            threat.metric(): float(flags.mean()),
            "examples": float(len(labels)),
        }

    def names(self, *, is_last: bool) -> tuple[str, ...]:
        """Names of what `validate` and `attack` report."""
        threat = self._threat
        full = (threat.metric(), threat.fgsm_metric()) if is_last else ()
        return ("loss.validation", "accuracy.clean", threat.cheap_metric(), *full)

    def tables(self, model: nn.Module) -> dict[str, str]:
        """None: the figures say it all."""
        return {}

    def _subset(self, n: int, count: int) -> Tensor:
        return torch.from_numpy(fixed_subset(n, count, self._threat.seed)).to(self._device)

    def _tensors(self, split: str) -> tuple[Tensor, Tensor]:
        images: Any = getattr(self._data, f"{split}_images")
        labels: Any = getattr(self._data, f"{split}_labels")
        pixels = torch.tensor(np.asarray(images), device=self._device).to(torch.float32)
        return pixels / self._data.scale, torch.tensor(np.asarray(labels), device=self._device)


class _Pixels(nn.Module):
    """A transformer as the attacks want it: images in, logits out."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.model(pixel_values=images).logits
        return logits

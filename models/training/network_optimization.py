"""The optimization of a network on images, epoch by epoch.

It covers batches, augmentation, adversarial training, precision, and averaging of the weights. Not
for evaluation, nor for deciding when to stop: `models/training/image_training.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from models.adversarial.pixels import free_training
from models.adversarial.pixels.training import check_gradients, craft, is_lost, losses, no_gradient
from models.data.loading import ImageSplits
from models.hyperparameters.hyperparameter import Value
from models.training.augmentation import augment
from models.training.epochs import seeded_epoch
from models.training.optimizer import build_optimizer, learning_rate
from models.training.weight_averaging import WeightAverage


class NetworkOptimization:
    """A network and the optimizer of its weights (`image_training.ImageOptimization`).

    Args:
        model: on the device to train on.
        configuration: complete hyperparameters of training.
        data: never written to.
        epochs: the full budget; schedules end with it.
        seed: seed of the order of examples, augmentation, dropout and attacks.
        norm: norm of adversarial training.
        device: where the model is.
    """

    def __init__(
        self,
        model: nn.Module,
        configuration: Mapping[str, Value],
        data: ImageSplits,
        *,
        epochs: int,
        seed: int,
        norm: Literal["linf", "l2"],
        device: torch.device,
    ) -> None:
        self.model, self.configuration = model, configuration
        self._epochs, self._seed, self._norm = epochs, seed, norm
        self._device = device
        self._scale = data.scale
        # Pixels stay bytes on the device too: converting a batch costs less than copying it.
        self._images = torch.tensor(data.train_images, device=self._device)
        self._labels = torch.tensor(data.train_labels, device=self._device)
        self._average = None
        if configuration["weight_averaging"] != "none":
            self._average = WeightAverage(model, configuration, epochs)
        self._perturbation: Tensor | None = None
        if configuration["adversarial_training"] == "free":
            batch = self._images[: int(configuration["batch_size"])]
            self._perturbation = torch.zeros_like(batch, dtype=torch.float32)
        self._optimizer = build_optimizer(model, configuration)
        self._precision = _precision(self._device)
        self._scaler = torch.amp.GradScaler(
            self._device.type, enabled=self._precision == torch.float16
        )

    def is_finite(self) -> bool:
        """Return whether all weights and statistics of the model are finite."""
        tensors = self.model.state_dict().values()
        return all(bool(torch.isfinite(tensor).all()) for tensor in tensors)

    def classifier(self) -> nn.Module:
        """Return the model to evaluate, in eval mode: the average, or the model in training."""
        average = self._average
        return (self.model if average is None else average.averaged(self.model)).eval()

    def kept(self) -> Mapping[str, Tensor]:
        """Return the weights of the present classifier; not a copy."""
        return self.classifier().state_dict()

    def restore(self, kept: Mapping[str, Tensor]) -> None:
        """End the optimization with the weights of an earlier classifier."""
        self.model.load_state_dict(kept)
        self._average = None

    def costs(self) -> dict[str, float]:
        """Return nothing: time and work tell what an epoch cost."""
        return {}

    @property
    def networks(self) -> tuple[nn.Module, ...]:
        """The model in training, and the average if there is one."""
        return (self.model,) if self._average is None else (self.model, self._average.model)

    def epoch(self, number: int) -> float:
        """Train epoch `number`, from 0, and return its mean loss."""
        self.model.train()
        total = torch.zeros((), device=self._device)
        with seeded_epoch(self._seed, number, self._device) as seed:
            generator = torch.Generator(device=self._device).manual_seed(seed)
            order = torch.randperm(len(self._labels), generator=generator, device=self._device)
            size = int(self.configuration["batch_size"])
            # Batch normalisation cannot learn from one example, which a last batch may be.
            batches = [index for index in torch.split(order, size) if len(index) > 1]
            for step, index in enumerate(batches, start=number * len(batches)):
                steps = self._epochs * len(batches)
                total += self._learn(index, step, steps, generator) * len(index)
        if self._average is not None:
            self._average.after_epoch(self.model, number + 1)
        return float(total) / sum(len(index) for index in batches)

    def state_dict(self, *, ended: bool) -> dict[str, Any]:
        """Return the weights, and unless training has ended all that optimizes them; not a copy."""
        learning = {
            "optimizer": self._optimizer.state_dict(),
            "scaler": self._scaler.state_dict(),
            "average": None if self._average is None else self._average.state_dict(),
            "perturbation": self._perturbation,
        }
        return {"model": self.model.state_dict(), "learning": None if ended else learning}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state_dict`.

        Raises:
            RuntimeError: the weights belong to another configuration.
        """
        self.model.load_state_dict(state["model"])
        learning = state["learning"]
        if learning is None:  # the average, if there was one, is the model now
            self._average = None
            return
        self._optimizer.load_state_dict(learning["optimizer"])
        self._scaler.load_state_dict(learning["scaler"])
        if self._average is not None:
            self._average.load_state_dict(learning["average"])
        if self._perturbation is not None:
            self._perturbation.copy_(learning["perturbation"])

    def _learn(self, index: Tensor, batch: int, batches: int, generator: torch.Generator) -> Tensor:
        """Train on one of all batches, and return its mean loss.

        The free method makes several optimizer steps, each of which advances the schedule.
        """
        images = self._images[index].to(torch.float32) / self._scale
        labels = self._labels[index]
        images = augment(images, str(self.configuration["augmentation"]), generator)
        if self._perturbation is None:
            shown = craft(self.model, images, labels, self.configuration, self._norm, generator)
            return self._step(images, shown, labels, batch / batches)
        epsilon = float(self.configuration["free.epsilon"])
        replays = int(self.configuration["free.replays"])
        total = torch.zeros((), device=self._device)
        for replay in range(replays):
            shown = free_training.shown(images, self._perturbation)
            progress = (batch * replays + replay) / (batches * replays)
            total += self._step(images, shown, labels, progress)
            gradient = shown.grad
            if gradient is None:
                raise no_gradient("the network detaches them")
            if self._precision != torch.float16:  # there an overflow is no fault: GradScaler
                check_gradients(is_lost(gradient, total))
            self._perturbation = free_training.moved(
                self._perturbation, gradient, self._norm, epsilon
            )
        return total / replays

    def _step(self, images: Tensor, shown: Tensor, labels: Tensor, progress: float) -> Tensor:
        """Make an optimizer step at this share of all steps, and return the mean loss before it."""
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate(self.configuration, progress)
        reduced = self._precision != torch.float32
        with torch.autocast(self._device.type, dtype=self._precision, enabled=reduced):
            loss = losses(self.model, images, shown, labels, self.configuration).mean()
        self._optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(self._scaler.scale(loss))
        clip = float(self.configuration["gradient_clip"])
        if clip > 0:
            self._scaler.unscale_(self._optimizer)
            nn.utils.clip_grad_norm_(self.model.parameters(), clip)
        self._scaler.step(self._optimizer)
        self._scaler.update()
        if self._average is not None:
            self._average.after_step(self.model)
        return loss.detach()


def _precision(device: torch.device) -> torch.dtype:
    """Return the dtype of forward passes in training; crafting and evaluation use float32."""
    if device.type != "cuda":
        return torch.float32
    native = torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if native else torch.float16

"""Train a CNN on images and judge it: a generator that yields one dict of metrics an epoch.

The objectives are measured on the validation split in eval mode and float32; robustness on a
subset that the threat's seed alone fixes, so every configuration meets the same examples. On the
CPU a training is determined by its arguments. All randomness of an epoch follows from (seed,
epoch), so a training resumed from `state_dict` equals an uninterrupted one bit for bit, without
saving any state of a random generator.

A training whose loss or weights stop being finite has diverged: it reports NaN for every
accuracy and ends there. It does not raise, for that configuration is a result, not a fault.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.adversarial.evaluation import correct, fgsm_correct, fixed_subset, robust_correct
from models.adversarial.training import craft
from models.augmentation import augment
from models.catalog import Threat, Value, complete
from models.cnn import CNN
from models.data import ImageSplits
from models.optimizer import build_optimizer, learning_rate
from models.weights.initial import InitialWeights, apply_initial


class Training:
    """A CNN in training.

    Args:
        configuration: hyperparameters of "cnn"; missing ones take their defaults.
        data: three splits of uint8 images; never written to.
        epochs: the full budget; schedules end with it.
        seed: of the initial weights, the order of examples, augmentation, dropout and attacks.
        threat: how robustness is judged; its norm is also that of adversarial training.
        device: where to train. On CUDA the forward passes of training use mixed precision.
        initial: weights of an earlier trial to start from; rows of labels it did not know, and
            all other randomness, are as without it.

    Raises:
        ValueError: the configuration is not legal, there are fewer than one epoch or two training
            examples, or the initial weights are of another architecture.
    """

    def __init__(
        self,
        configuration: Mapping[str, Value],
        data: ImageSplits,
        *,
        epochs: int,
        seed: int,
        threat: Threat,
        device: str = "cpu",
        initial: InitialWeights | None = None,
    ) -> None:
        if epochs < 1 or len(data.train_labels) < 2:
            problem = f"{epochs} epochs over {len(data.train_labels)} examples"
            raise ValueError(f"{problem}: give at least one epoch and two examples")
        self.configuration = complete("cnn", configuration)
        self.epochs = epochs
        self.epoch = 0
        self.diverged = False
        self._seed = seed
        self._threat = threat
        self._device = torch.device(device)
        self._scale = data.scale
        # Pixels stay bytes on the device too: converting a batch costs less than its copy.
        self._train_images = torch.tensor(data.train_images, device=self._device)
        self._train_labels = torch.tensor(data.train_labels, device=self._device)
        self._data = data
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)  # weights are drawn on the CPU: the same on every device
            self.model = _build_model(self.configuration, data).to(self._device)
        if initial is not None:
            apply_initial(self.model, initial, data.label_names)
        self._optimizer = build_optimizer(self.model, self.configuration)
        self._precision = _precision(self._device)
        self._scaler = torch.amp.GradScaler(
            self._device.type, enabled=self._precision == torch.float16
        )

    def run(self) -> Iterator[dict[str, float]]:
        """Train the epochs that are left, yielding each one's metrics after it.

        Metrics are `epoch` (from 1), the training loss (with label smoothing, on the examples
        trained on), the accuracies of `models.catalog.metrics` in [0, 1], and seconds. The full
        robust accuracy and FGSM's come with the last epoch alone; after divergence all are NaN
        and nothing follows. State saved between two yields holds the epochs done.
        """
        while self.epoch < self.epochs and not self.diverged:
            begun = time.perf_counter()
            loss = self._train_epoch()
            trained = time.perf_counter()
            self.epoch += 1
            self.diverged = not (math.isfinite(loss) and _is_finite(self.model))
            metrics = {"epoch": float(self.epoch), "loss.train": loss, **self._evaluate()}
            metrics["seconds.train"] = trained - begun
            metrics["seconds.evaluation"] = time.perf_counter() - trained
            yield metrics

    def state_dict(self) -> dict[str, Any]:
        """A copy of everything that training changed; loads with `torch.load(weights_only=True)`.

        It does not hold the arguments: load it into a Training built with the same ones.
        """
        return copy.deepcopy(
            {
                "epoch": self.epoch,
                "diverged": self.diverged,
                "model": self.model.state_dict(),
                "optimizer": self._optimizer.state_dict(),
                "scaler": self._scaler.state_dict(),
            }
        )

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state_dict`; at the last epoch, `run` yields nothing more.

        Raises:
            RuntimeError: the weights are those of another configuration.
        """
        self.model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._scaler.load_state_dict(state["scaler"])
        self.epoch = state["epoch"]
        self.diverged = state["diverged"]

    def evaluate_test(self) -> dict[str, float]:
        """Clean and full robust accuracy on the whole test split, and the number of examples.

        The attack's random starts have a seed of their own, so nothing chosen on the validation
        split was chosen against them. NaN after divergence.
        """
        images, labels = self._tensors(self._data.test_images, self._data.test_labels)
        clean = robust = math.nan
        if not self.diverged:
            clean = float(correct(self.model, images, labels).mean())
            seed = self._threat.seed + 1
            flags = robust_correct(self.model, images, labels, self._threat, seed)
            robust = float(flags.mean())
        return {
            "test.accuracy.clean": clean,
            f"test.{self._threat.metric()}": robust,
            "test.examples": float(len(labels)),
        }

    def _train_epoch(self) -> float:
        """Train one epoch and return its mean loss."""
        mixed = np.random.SeedSequence((self._seed, self.epoch)).generate_state(1, np.uint64)
        seed = int(mixed[0] >> np.uint64(1))
        generator = torch.Generator(device=self._device).manual_seed(seed)
        order = torch.randperm(len(self._train_labels), generator=generator, device=self._device)
        size = int(self.configuration["batch_size"])
        # Batch normalisation cannot learn from one example, which a last batch may be.
        batches = [index for index in torch.split(order, size) if len(index) > 1]
        self.model.train()
        total = torch.zeros((), device=self._device)
        devices = [self._device] if self._device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(seed)  # dropout draws from the global generator
            for number, index in enumerate(batches, start=self.epoch * len(batches)):
                rate = learning_rate(self.configuration, number, self.epochs * len(batches))
                total += self._train_batch(index, rate, generator) * len(index)
        return float(total) / sum(len(index) for index in batches)

    def _train_batch(self, index: Tensor, rate: float, generator: torch.Generator) -> Tensor:
        """One optimizer step at learning rate `rate`; the loss before it."""
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        images = self._train_images[index].to(torch.float32) / self._scale
        labels = self._train_labels[index]
        images = augment(images, str(self.configuration["augmentation"]), generator)
        norm = self._threat.norm
        images = craft(self.model, images, labels, self.configuration, norm, generator)
        reduced = self._precision != torch.float32
        with torch.autocast(self._device.type, dtype=self._precision, enabled=reduced):
            smoothing = float(self.configuration["label_smoothing"])
            logits = self.model(images)
            loss = functional.cross_entropy(logits, labels, label_smoothing=smoothing)
        self._optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(self._scaler.scale(loss))
        clip = float(self.configuration["gradient_clip"])
        if clip > 0:
            self._scaler.unscale_(self._optimizer)
            nn.utils.clip_grad_norm_(self.model.parameters(), clip)
        self._scaler.step(self._optimizer)
        self._scaler.update()
        return loss.detach()

    def _evaluate(self) -> dict[str, float]:
        """Accuracies on the validation split; NaN after divergence."""
        threat = self._threat
        cheap = replace(threat, steps=threat.cheap_steps, restarts=1)
        wanted = ["accuracy.clean", threat.cheap_metric()]
        is_last = self.epoch == self.epochs or self.diverged
        if is_last:
            wanted += [threat.metric(), threat.fgsm_metric()]
        if self.diverged:
            return dict.fromkeys(wanted, math.nan)
        images, labels = self._tensors(self._data.validation_images, self._data.validation_labels)
        few = self._subset(len(labels), threat.cheap_examples)
        flags = [
            correct(self.model, images, labels),
            robust_correct(self.model, images[few], labels[few], cheap, threat.seed),
        ]
        if is_last:
            some = self._subset(len(labels), threat.examples)
            attacked, truth = images[some], labels[some]
            flags.append(robust_correct(self.model, attacked, truth, threat, threat.seed))
            flags.append(fgsm_correct(self.model, attacked, truth, threat))
        return {name: float(flag.mean()) for name, flag in zip(wanted, flags, strict=True)}

    def _subset(self, n: int, count: int) -> Tensor:
        return torch.from_numpy(fixed_subset(n, count, self._threat.seed)).to(self._device)

    def _tensors(self, images: Any, labels: Any) -> tuple[Tensor, Tensor]:
        """Images as float32 in [0, 1] and labels, on the device."""
        pixels = torch.tensor(images, device=self._device).to(torch.float32) / self._scale
        return pixels, torch.tensor(labels, device=self._device)


def _build_model(configuration: Mapping[str, Value], data: ImageSplits) -> CNN:
    """The model, its input normalisation set to the training pixels' mean and spread."""
    images = data.train_images
    mean = torch.tensor(images.mean(axis=(0, 2, 3), dtype=np.float64) / data.scale)
    spread = torch.tensor(images.std(axis=(0, 2, 3), dtype=np.float64) / data.scale)
    _, channels, height, width = images.shape
    classes = len(data.label_names)
    # A channel that never changes has no spread to divide by.
    spread = spread.clamp(min=1e-3)
    model = CNN(configuration, (channels, height, width), classes, mean, spread)
    # Forward and backward on one core: 5.0 -> 3.2 ms (batch of 64 at 8x8), 49 -> 34 ms (28x28).
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def _precision(device: torch.device) -> torch.dtype:
    """What forward passes of training compute in; crafting and evaluation stay in float32."""
    if device.type != "cuda":
        return torch.float32
    native = torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if native else torch.float16


def _is_finite(model: nn.Module) -> bool:
    return all(bool(torch.isfinite(tensor).all()) for tensor in model.state_dict().values())

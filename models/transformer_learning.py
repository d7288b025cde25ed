"""How a transformer learns from its material: one epoch of optimizer steps after the other.

Not for judging what was learned, nor for deciding how long to go on: `models/fine_tuning.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models.adaptation.adapted import Adapted
from models.catalog import Value
from models.schedule import warmed_up


def steps_an_epoch(material: Any, configuration: Mapping[str, Value]) -> int:
    """Optimizer steps of one epoch over the material."""
    return len(material.batches(_examples_a_step(configuration), None))


class TransformerLearning:
    """The optimizer of an adapted model; all randomness of an epoch follows from (seed, epoch).

    Args:
        adapted: on the device to train on.
        material: of texts or images.
        configuration: complete.
        epochs: the full budget; schedules end with it.
        seed: of the order of examples, dropout and attacks.
        device: the model's.
    """

    def __init__(
        self,
        adapted: Adapted,
        material: Any,
        configuration: Mapping[str, Value],
        *,
        epochs: int,
        seed: int,
        device: torch.device,
    ) -> None:
        self._adapted, self._material = adapted, material
        self._configuration = configuration
        self._seed, self._device = seed, device
        self._steps = epochs * steps_an_epoch(material, configuration)
        # Fused: on one core a step on MiniLM's weights takes a ninth (results/LOG.md).
        groups = adapted.parameter_groups(float(configuration["weight_decay"]))
        self.optimizer = torch.optim.AdamW(groups, lr=0.0, fused=True)

    def epoch(self, number: int) -> float:
        """Train epoch `number`, from 0, and return its mean loss over examples."""
        mixed = np.random.SeedSequence((self._seed, number)).generate_state(1, np.uint64)
        seed = int(mixed[0] >> np.uint64(1))
        # Texts are drawn on the CPU, where their order is made; noise on the device.
        generator = torch.Generator().manual_seed(seed)
        noise = torch.Generator(device=self._device).manual_seed(seed)
        batches = self._material.batches(_examples_a_step(self._configuration), generator)
        self._adapted.model.train()
        total = torch.zeros((), device=self._device)
        devices = [self._device] if self._device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(seed)  # dropout draws from the global generator
            for step, index in enumerate(batches, start=number * len(batches)):
                total += self._step(index, step, noise) * len(index)
        return float(total) / sum(len(index) for index in batches)

    def _step(self, index: list[int], step: int, noise: torch.Generator) -> Tensor:
        """One optimizer step on `accumulation` batches; their mean loss.

        Every batch is divided by the weight of all of them, so they add up to what one large batch
        gives, also where they hold different numbers of words.
        """
        rate = warmed_up(self._configuration, step, self._steps)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["scale"]
        count = min(int(self._configuration["accumulation"]), len(index))
        parts = [self._material.tensors(part.tolist()) for part in np.array_split(index, count)]
        weight = sum(self._material.weight(part["labels"]) for part in parts)
        total = torch.zeros((), device=self._device)
        for part in parts:
            total += self._material.learn(self._adapted.model, part, weight, noise)
        penalty = self._adapted.penalty()
        if penalty is not None:
            torch.autograd.backward(penalty)
        clip = float(self._configuration["gradient_clip"])
        if clip > 0:
            parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
            nn.utils.clip_grad_norm_(parameters, clip)
        self.optimizer.step()
        self._adapted.after_step(step + 1)
        self.optimizer.zero_grad(set_to_none=True)
        return total


def _examples_a_step(configuration: Mapping[str, Value]) -> int:
    return int(configuration["batch_size"]) * int(configuration["accumulation"])

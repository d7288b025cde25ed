"""The optimization of a transformer, epoch by epoch.

Not for evaluation, nor for deciding when to stop: `image_training.py`, `text_fine_tuning.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from models.data.sources import DataError
from models.hyperparameters.hyperparameter import Value
from models.networks.own_text import OwnTextNetwork
from models.networks.transformer import LoadedBase
from models.training.epochs import seeded_epoch
from models.training.optimizer import warmed_up, weight_decay
from models.training.peak_memory import peak_memory_mb
from models.weights.initial import InitialWeights
from models.weights.starting_model import start


class Batches(Protocol):
    """The training examples of a task, their loss and their attacks; `size` is their number."""

    size: int

    def indices(self, size: int, generator: torch.Generator | None) -> list[list[int]]:
        """Return the indices of each optimizer step's examples, shuffled by the generator."""

    def tensors(self, index: Sequence[int]) -> dict[str, Tensor]:
        """Return the inputs and `labels` of these examples, on the device."""

    def weight(self, labels: Tensor) -> float:
        """Return the divisor of a batch's summed loss."""

    def learn(
        self, model: nn.Module, batch: Mapping[str, Tensor], weight: float, noise: torch.Generator
    ) -> Tensor:
        """Add the gradients of this part of a batch, and return its summed loss over `weight`."""


class TransformerOptimization:
    """A pretrained model under its adaptation, and the optimizer of what the adaptation trains.

    `adapted` is the model in training. All randomness of an epoch follows from (seed, epoch).

    Args:
        base: on the device to train on; not changed.
        batches: the training examples, texts or images.
        configuration: complete hyperparameters.
        epochs: the full budget; schedules end with it.
        seed: seed of the head, new weights, the order of examples, dropout and attacks in training.
        initial: weights of an earlier trial to start from.

    Raises:
        ValueError: there is no epoch, or the method or the weights do not fit the model.
        DataError: there are no examples.
    """

    def __init__(
        self,
        base: LoadedBase | OwnTextNetwork,
        batches: Batches,
        configuration: Mapping[str, Value],
        *,
        epochs: int,
        seed: int,
        initial: InitialWeights | None = None,
    ) -> None:
        if epochs < 1:
            raise ValueError(f"{epochs} epochs; fix: give at least one")
        if not batches.size:
            raise DataError("the training split has no examples")
        self._batches, self._configuration = batches, configuration
        self._seed, self._device = seed, base.device
        self._steps = epochs * len(batches.indices(_examples_a_step(configuration), None))
        self.adapted = start(base, configuration, steps=self._steps, seed=seed, initial=initial)
        # Fused: on one core a step on MiniLM's weights takes a ninth of the time (results/LOG.md).
        groups = self.adapted.parameter_groups(weight_decay(configuration))
        self._optimizer = torch.optim.AdamW(groups, lr=0.0, fused=True)

    def epoch(self, number: int) -> float:
        """Train epoch `number`, from 0, and return its mean loss over examples."""
        self.adapted.model.train()
        total = torch.zeros((), device=self._device)
        with seeded_epoch(self._seed, number, self._device) as seed:
            # The order of examples is drawn on the CPU, noise on the device.
            generator = torch.Generator().manual_seed(seed)
            noise = torch.Generator(device=self._device).manual_seed(seed)
            batches = self._batches.indices(_examples_a_step(self._configuration), generator)
            for step, index in enumerate(batches, start=number * len(batches)):
                total += self._step(index, step, noise) * len(index)
        return float(total) / sum(len(index) for index in batches)

    def is_finite(self) -> bool:
        """Return whether all weights that the adaptation trains are finite."""
        return all(bool(torch.isfinite(tensor).all()) for tensor in self.adapted.state().values())

    def costs(self) -> dict[str, float]:
        """Return the peak memory of the training as a metric."""
        return {"memory.peak_mb": peak_memory_mb(self._device)}

    def state_dict(self, *, ended: bool) -> dict[str, Any]:
        """Return the adaptation's state without the frozen base; not a copy.

        Once the training has ended, the optimizer's state, twice as large as the weights, is left
        out.
        """
        optimizer = None if ended else self._optimizer.state_dict()
        return {"weights": self.adapted.state(), "optimizer": optimizer}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state_dict`.

        Raises:
            RuntimeError: the weights belong to another configuration.
        """
        self.adapted.load(state["weights"])
        if state["optimizer"] is not None:
            self._optimizer.load_state_dict(state["optimizer"])

    def _step(self, index: list[int], step: int, noise: torch.Generator) -> Tensor:
        """Make one optimizer step on `accumulation` batches, and return their mean loss.

        Every batch is divided by the weight of all of them, so they add up to the gradient of one
        large batch, also where their numbers of words differ.
        """
        rate = warmed_up(self._configuration, step, self._steps)
        for group in self._optimizer.param_groups:
            group["lr"] = rate * group["scale"]
        count = min(int(self._configuration["accumulation"]), len(index))
        parts = [self._batches.tensors(part.tolist()) for part in np.array_split(index, count)]
        weight = sum(self._batches.weight(part["labels"]) for part in parts)
        total = torch.zeros((), device=self._device)
        for part in parts:
            total += self._batches.learn(self.adapted.model, part, weight, noise)
        penalty = self.adapted.penalty()
        if penalty is not None:
            torch.autograd.backward(penalty)
        clip = float(self._configuration["gradient_clip"])
        if clip > 0:
            parameters = [p for group in self._optimizer.param_groups for p in group["params"]]
            nn.utils.clip_grad_norm_(parameters, clip)
        self._optimizer.step()
        self.adapted.after_step(step + 1)
        self._optimizer.zero_grad(set_to_none=True)
        return total


def _examples_a_step(configuration: Mapping[str, Value]) -> int:
    return int(configuration["batch_size"]) * int(configuration["accumulation"])

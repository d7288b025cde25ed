"""Train a CNN on images and judge it: a generator that yields one dict of metrics an epoch.

Part A of the validation split picks the epoch; part B gives the objectives, once, from the picked
weights (`models/training/image_evaluation.py`). On the CPU a training is determined by its
arguments. All randomness of an epoch follows from (seed, epoch), so a training resumed from
`state_dict` equals an uninterrupted one bit for bit, without saving any state of a random
generator.

A training whose loss or weights stop being finite has diverged: it reports NaN for every
accuracy and ends there. It does not raise, for that configuration is a result, not a fault.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models.adversarial.pixels.attack_memory import AttackMemory
from models.adversarial.pixels.training import passes
from models.adversarial.threat_model import Threat
from models.data.loading import ImageSplits
from models.hyperparameters.hyperparameter import Value
from models.networks.cnn import CNN
from models.training.cnn_optimization import CNNLearning
from models.training.epochs import name_as_test, run_epochs
from models.training.image_evaluation import ImageEvaluation
from models.weights.initial import InitialWeights, apply_initial


class CNNTraining:
    """A CNN in training: a `models.training.protocol.JudgedTraining`.

    Args:
        configuration: complete, of "cnn".
        data: three splits of uint8 images; never written to.
        epochs: the full budget; schedules end with it.
        seed: of the initial weights, the order of examples, augmentation, dropout and attacks.
        threat: how robustness is judged; its norm is also that of adversarial training.
        device: where to train. On CUDA the forward passes of training use mixed precision.
        initial: weights of an earlier trial to start from; rows of labels it did not know, and
            all other randomness, are as without it.
        memory: what broke other trials of the search; shown to this one in its last report.

    `ended` says that no epoch is left: by the budget, by divergence, or, with `patience` p, after
    p epochs without a better one on part A. Unless it diverged, `model` then holds the weights of
    the picked epoch, averaged where the configuration says so.

    Raises:
        ValueError: there are fewer than one epoch or two training examples, too few to cut the
            validation split, or the initial weights are of another architecture.
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
        memory: AttackMemory | None = None,
    ) -> None:
        if epochs < 1 or len(data.train_labels) < 2:
            problem = f"{epochs} epochs over {len(data.train_labels)} examples"
            raise ValueError(f"{problem}: give at least one epoch and two examples")
        self.configuration = configuration
        self.epochs, self.epoch = epochs, 0
        self.ended = self.diverged = False
        attacked = self.configuration["adversarial_training"] != "none"
        self._judgement = ImageEvaluation(
            data, threat, torch.device(device), attacked_training=attacked, memory=memory
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)  # weights are drawn on the CPU: the same on every device
            self.model = _build_model(self.configuration, data).to(torch.device(device))
        if initial is not None:
            apply_initial(self.model, initial, data.label_names)
        self._learning = CNNLearning(
            self.model, self.configuration, data, epochs=epochs, seed=seed, norm=threat.norm
        )
        self._picked: dict[str, Tensor] | None = None

    def run(self) -> Iterator[dict[str, float]]:
        """Train the epochs that are left, yielding each one's metrics after it.

        Metrics are `epoch` (from 1), the training loss (what the method minimises, on the examples
        trained on), the figures of `models.catalog.metrics`, `selection.collapsed` (1: catastrophic
        overfitting was seen), and seconds. `gradients.train` counts passes forward and backward an
        example so far. Figures of part B come with the last epoch alone; after divergence all are
        NaN and nothing follows. State saved between two yields holds the epochs done.
        """
        return run_epochs(self, self._learning, self._judge)

    def state_dict(self) -> dict[str, Any]:
        """A copy of everything that training changed; loads with `torch.load(weights_only=True)`.

        It does not hold the arguments: load it into a training built with the same ones. When
        nothing is left to train, what only training needs is left out.
        """
        return copy.deepcopy(
            {
                "epoch": self.epoch,
                "ended": self.ended,
                "diverged": self.diverged,
                "model": self.model.state_dict(),
                "learning": None if self.ended else self._learning.state_dict(),
                "picked": self._picked,
                "judgement": self._judgement.state_dict(),
            }
        )

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state_dict`; once ended, `run` yields nothing more.

        Raises:
            RuntimeError: the weights are those of another configuration.
        """
        self.model.load_state_dict(state["model"])
        if state["learning"] is not None:
            self._learning.load_state_dict(state["learning"])
        self.epoch, self.ended = state["epoch"], state["ended"]
        self.diverged = state["diverged"]
        self._picked = state["picked"]
        self._judgement.load_state_dict(state["judgement"])

    def examples(self, part: str) -> tuple[Tensor, Tensor]:
        """Images in [0, 1] and labels, on the device, of a part: see `ImageJudgement.examples`."""
        return self._judgement.examples(part)

    def classifier(self) -> nn.Module:
        """Images to logits, in eval mode: the picked weights; before the end, the present ones."""
        return (self.model if self.ended else self._learning.averaged()).eval()

    def confirm(self) -> dict[str, float]:
        """Targeted APGD's figures on part B: see `ImageJudgement.confirm`; {} after divergence."""
        return self._judgement.confirm(self.classifier())

    def evaluate_test(self) -> dict[str, float]:
        """Clean and full robust accuracy on the test split; NaN after divergence."""
        return name_as_test(self._judgement.test(self.classifier()), diverged=self.diverged)

    def _judge(self) -> dict[str, float]:
        """Metrics of the validation split; at the end the picked weights are taken back."""
        costs = {"gradients.train": float(self.epoch * passes(self.configuration))}
        if self.diverged:
            self.ended, self._picked = True, None
            return costs | self._judgement.diverged()
        model = self._learning.averaged()
        metrics = costs | self._judgement.observe(model, self.epoch)
        choice, patience = self._judgement.choice, int(self.configuration["patience"])
        if choice.picked == self.epoch:
            self._picked = copy.deepcopy(model.state_dict())
        self.ended = self.epoch == self.epochs or 0 < patience <= choice.stale
        if self.ended:
            assert self._picked is not None, "the first epoch is always picked"
            self.model.load_state_dict(self._picked)
            self._picked = None
            metrics |= self._judgement.conclude(self.model)
        return metrics


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

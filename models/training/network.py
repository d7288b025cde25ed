"""The training of a network on images: a generator that yields one dict of metrics an epoch.

The network is the built-in CNN or a user's own (`models/networks/builder.py`).

The selection part of the validation split picks the epoch; the objective part gives the objectives,
once, from the picked weights (`models/training/image_evaluation.py`). On the CPU a training is
determined by its arguments. All randomness of an epoch follows from (seed, epoch), so a training
resumed from `state_dict` is bit-equal to an uninterrupted one without a saved random state.

A training whose loss or weights are not finite any more has diverged: it reports NaN for every
accuracy and ends. It does not raise, because a diverging configuration is a result, not an error.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from models.adversarial.pixels.attack_memory import AttackMemory
from models.adversarial.pixels.training import passes
from models.adversarial.threat_model import Threat
from models.data.loading import ImageSplits
from models.hyperparameters.hyperparameter import Value
from models.networks import cnn
from models.networks.builder import Builder, build, network_data
from models.training.costs import BATCH, model_costs
from models.training.epochs import name_as_test, run_epochs
from models.training.image_evaluation import ImageEvaluation
from models.training.network_optimization import NetworkOptimization
from models.training.work import WorkMeter
from models.weights.initial import InitialWeights, apply_initial


class NetworkTraining:
    """A network in training: a `models.training.protocol.AttackableTraining`.

    Args:
        configuration: complete hyperparameters of "cnn", or of "network" with its own.
        data: three splits of uint8 images; never written to.
        epochs: the full budget; schedules end with it.
        seed: seed of the initial weights, the order of examples, augmentation, dropout and attacks.
        threat: how robustness is evaluated; adversarial training uses its norm.
        device: where to train. On CUDA the forward passes of training use mixed precision.
        initial: weights of an earlier trial to start from; rows of labels that it lacks, and all
            other random numbers, are as without it.
        memory: adversarial examples of the search's other trials, replayed in the last report.
        builder: builds the network; the built-in CNN's if not given.

    `ended` says that no epoch is left: by the budget, by divergence, or, with `patience` p, after
    p epochs without a better one on the selection part. Unless it diverged, `model` then holds the
    weights of the picked epoch, averaged where the configuration says so.

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
        builder: Builder = cnn.build,
    ) -> None:
        if epochs < 1 or len(data.train_labels) < 2:
            problem = f"{epochs} epochs over {len(data.train_labels)} examples"
            raise ValueError(f"{problem}; fix: give at least one epoch and two examples")
        self.configuration = configuration
        self.epochs, self.epoch = epochs, 0
        self.ended = self.diverged = False
        attacked = self.configuration["adversarial_training"] != "none"
        self._evaluation = ImageEvaluation(
            data, threat, torch.device(device), attacked_training=attacked, memory=memory
        )
        self.model = build(builder, configuration, network_data(data), seed).to(device)
        if initial is not None:
            apply_initial(self.model, initial, data.label_names)
        self._optimization = NetworkOptimization(
            self.model, configuration, data, epochs=epochs, seed=seed,
            norm=threat.norm, device=torch.device(device),
        )  # fmt: skip
        self._meter = WorkMeter(*self._optimization.networks)
        self._picked: dict[str, Tensor] | None = None

    def run(self) -> Iterator[dict[str, float]]:
        """Train the epochs that are left, yielding each one's metrics after it.

        Metrics are `epoch` (from 1), the training loss (the method's loss on the training
        examples), those of `models.catalog.metrics`, `selection.collapsed` (1: catastrophic
        overfitting was seen), seconds, work, and the costs of the model. `gradients.train` counts
        forward and backward passes per example so far. Metrics of the objective part come with the
        last epoch alone; after divergence all but costs are NaN and nothing follows. State saved
        between two yields holds the epochs done.
        """
        return run_epochs(self, self._optimization, self._evaluate, self._meter, self._costs)

    def state_dict(self) -> dict[str, Any]:
        """Return a copy of all that training changed; loads with `torch.load(weights_only=True)`.

        It does not hold the arguments: load it into a training built with the same ones. Once the
        training has ended, the state of the optimization is left out.
        """
        return copy.deepcopy(
            {
                "epoch": self.epoch,
                "ended": self.ended,
                "diverged": self.diverged,
                "model": self.model.state_dict(),
                "learning": None if self.ended else self._optimization.state_dict(),
                "picked": self._picked,
                "evaluation": self._evaluation.state_dict(),
                "work": self._meter.state_dict(),
            }
        )

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state_dict`; once ended, `run` yields nothing more.

        Raises:
            RuntimeError: the weights belong to another configuration.
        """
        self.model.load_state_dict(state["model"])
        if state["learning"] is not None:
            self._optimization.load_state_dict(state["learning"])
        self.epoch, self.ended = state["epoch"], state["ended"]
        self.diverged = state["diverged"]
        self._picked = state["picked"]
        self._evaluation.load_state_dict(state["evaluation"])
        self._meter.load_state_dict(state["work"])

    def examples(self, part: str) -> tuple[Tensor, Tensor]:
        """Return images in [0, 1] and labels of a part: see `ImageEvaluation.examples`."""
        return self._evaluation.examples(part)

    def classifier(self) -> nn.Module:
        """Return the model in eval mode; once ended it has the picked weights."""
        return (self.model if self.ended else self._optimization.averaged()).eval()

    def confirm(self) -> dict[str, float]:
        """Return the metrics of `ImageEvaluation.confirm`; {} after divergence."""
        return self._evaluation.confirm(self.classifier(), self._meter)

    def evaluate_test(self) -> dict[str, float]:
        """Return clean and full robust accuracy on the test split; NaN after divergence."""
        return name_as_test(self._evaluation.test(self.classifier()), diverged=self.diverged)

    def _costs(self) -> dict[str, float]:
        return model_costs(self.model, self.examples("selection")[0][:BATCH])

    def _evaluate(self) -> dict[str, float]:
        """Return metrics of the validation split; at the end restore the picked weights first."""
        costs = {"gradients.train": float(self.epoch * passes(self.configuration))}
        if self.diverged:
            self.ended, self._picked = True, None
            return costs | self._evaluation.diverged()
        model = self._optimization.averaged()
        metrics = costs | self._evaluation.observe(model, self.epoch)
        choice, patience = self._evaluation.choice, int(self.configuration["patience"])
        if choice.picked == self.epoch:
            self._picked = copy.deepcopy(model.state_dict())
        self.ended = self.epoch == self.epochs or 0 < patience <= choice.stale
        if self.ended:
            assert self._picked is not None, "the first epoch is always picked"
            self.model.load_state_dict(self._picked)
            self._picked = None
            metrics |= self._evaluation.conclude(self.model)
        return metrics

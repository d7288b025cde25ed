"""A training on images: a generator that yields one dict of metrics an epoch.

What is trained differs (`network.py`: a CNN or a user's own network; `image_fine_tuning.py`: a
pretrained vision transformer), the rest is the same for all. The selection part of the validation
split picks the epoch; the objective part gives the objectives, once, from the picked weights
(`image_evaluation.py`). All randomness of an epoch follows from (seed, epoch), so on the CPU a
training resumed from `state_dict` is bit-equal to an uninterrupted one.

A training whose loss or weights are not finite any more has diverged: it reports NaN for every
accuracy and ends. It does not raise, because a diverging configuration is a result, not an error.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from torch import Tensor, nn

from models.adversarial.pixels.training import passes
from models.hyperparameters.hyperparameter import Value
from models.training.costs import BATCH, model_costs
from models.training.epochs import Optimization, name_as_test, run_epochs
from models.training.image_evaluation import ImageEvaluation
from models.training.work import WorkMeter


class ImageOptimization(Optimization, Protocol):
    """The weights of an image classifier in training, and their optimizer."""

    @property
    def model(self) -> nn.Module:
        """The network in training, from images to logits."""

    @property
    def networks(self) -> tuple[nn.Module, ...]:
        """The networks whose passes are work: the one in training, and an average of it."""

    def classifier(self) -> nn.Module:
        """Return the network to evaluate, an average if there is one, in eval mode."""

    def kept(self) -> Mapping[str, Tensor]:
        """Return what `restore` needs to come back to the present classifier; not a copy."""

    def restore(self, kept: Mapping[str, Tensor]) -> None:
        """End the optimization with the classifier of an earlier epoch."""

    def costs(self) -> dict[str, float]:
        """Return metrics of what an epoch cost, other than time and work."""

    def state_dict(self, *, ended: bool) -> dict[str, Any]:
        """Return the weights, and unless training has ended the optimizer's state; not a copy."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state_dict`.

        Raises:
            RuntimeError: the weights belong to another configuration.
        """


class ImageTraining:
    """An image classifier in training: a `models.training.protocol.AttackableTraining`.

    Args:
        optimization: trains the classifier.
        evaluation: evaluates it.
        configuration: complete hyperparameters.
        epochs: the full budget, at least 1.

    `ended` says that no epoch is left: by the budget, by divergence, or, with `patience` p, after
    p epochs without a better one on the selection part. Unless it diverged, the classifier then has
    the weights of the picked epoch, averaged where the configuration says so.
    """

    def __init__(
        self,
        optimization: ImageOptimization,
        evaluation: ImageEvaluation,
        configuration: Mapping[str, Value],
        *,
        epochs: int,
    ) -> None:
        self.configuration = configuration
        self.epochs, self.epoch = epochs, 0
        self.ended = self.diverged = False
        self._optimization, self._evaluation = optimization, evaluation
        self._meter = WorkMeter(*optimization.networks)
        self._picked: Mapping[str, Tensor] | None = None

    def run(self) -> Iterator[dict[str, float]]:
        """Train the epochs that are left, yielding each one's metrics after it.

        Metrics are `epoch` (from 1), the training loss (the method's loss on the training
        examples), those of `models.catalog.metrics`, `selection.collapsed` (1: catastrophic
        overfitting was seen), seconds, work, and the costs of the model. `gradients.train` counts
        forward and backward passes per example so far. Metrics of the objective part come with the
        last epoch alone; after divergence all but costs are NaN and nothing follows. State saved
        between two yields holds the epochs done.
        """
        epochs = run_epochs(self, self._optimization, self._evaluate, self._meter, self._costs)
        for metrics in epochs:
            yield metrics | self._optimization.costs()

    def state_dict(self) -> dict[str, Any]:
        """Return a copy of all that training changed; loads with `torch.load(weights_only=True)`.

        It does not hold the arguments: load it into a training built with the same ones.
        """
        return copy.deepcopy(
            {
                "epoch": self.epoch,
                "ended": self.ended,
                "diverged": self.diverged,
                **self._optimization.state_dict(ended=self.ended),
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
        self._optimization.load_state_dict(state)
        self.epoch, self.ended = state["epoch"], state["ended"]
        self.diverged, self._picked = state["diverged"], state["picked"]
        self._evaluation.load_state_dict(state["evaluation"])
        self._meter.load_state_dict(state["work"])

    def examples(self, part: str) -> tuple[Tensor, Tensor]:
        """Return images in [0, 1] and labels of a part: see `ImageEvaluation.examples`."""
        return self._evaluation.examples(part)

    def classifier(self) -> nn.Module:
        """Return the model in eval mode; once ended it has the picked weights."""
        return self._optimization.classifier()

    def confirm(self) -> dict[str, float]:
        """Return the metrics of `ImageEvaluation.confirm`; {} after divergence."""
        return self._evaluation.confirm(self.classifier(), self._meter)

    def evaluate_test(self) -> dict[str, float]:
        """Return clean and full robust accuracy on the test split; NaN after divergence."""
        return name_as_test(self._evaluation.test(self.classifier()), diverged=self.diverged)

    def _costs(self) -> dict[str, float]:
        return model_costs(self._optimization.model, self.examples("selection")[0][:BATCH])

    def _evaluate(self) -> dict[str, float]:
        """Return metrics of the validation split; at the end restore the picked weights first."""
        costs = {"gradients.train": float(self.epoch * passes(self.configuration))}
        if self.diverged:
            self.ended, self._picked = True, None
            return costs | self._evaluation.diverged()
        metrics = costs | self._evaluation.observe(self.classifier(), self.epoch)
        choice, patience = self._evaluation.choice, int(self.configuration["patience"])
        if choice.picked == self.epoch:
            self._picked = copy.deepcopy(self._optimization.kept())
        self.ended = self.epoch == self.epochs or 0 < patience <= choice.stale
        if self.ended:
            assert self._picked is not None, "the first epoch is always picked"
            self._optimization.restore(self._picked)
            self._picked = None
            metrics |= self._evaluation.conclude(self.classifier())
        return metrics

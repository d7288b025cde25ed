"""Fine-tuning of a pretrained vision transformer, evaluated epoch by epoch like a CNN.

The guarantees are those of `network.py`: the selection part of the validation split picks the
epoch, the objective part gives the objectives, once, from the picked weights; a resumed training is
bit-equal to an uninterrupted one; a training that diverges reports NaN and ends. Batches and losses
are in `models/training/image_batches.py`. Texts: `text_fine_tuning.py`.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor, nn

from models.adversarial.pixels.attack_memory import AttackMemory
from models.adversarial.threat_model import Threat
from models.data.loading import ImageSplits
from models.hyperparameters.hyperparameter import Value
from models.networks.transformer import LoadedBase
from models.training.costs import BATCH, model_costs
from models.training.epochs import name_as_test, run_epochs
from models.training.image_batches import ImageBatches
from models.training.peak_memory import reset_peak_memory
from models.training.transformer_optimization import TransformerOptimization
from models.training.work import WorkMeter
from models.weights.initial import InitialWeights


class ImageFineTuning:
    """A vision transformer in training: a `models.training.protocol.AttackableTraining`.

    Args:
        configuration: complete hyperparameters of "vision_transformer".
        data: never written to.
        epochs: the full budget; schedules end with it.
        seed: seed of the head, new weights, the order of examples, dropout and attacks in training.
        threat: how robustness is evaluated; adversarial training uses its norm.
        base: the pretrained model, on the device to train on; it is not changed.
        initial: weights of an earlier trial to start from.
        memory: adversarial examples of the search's other trials, replayed in the last report.

    `ended` says that no epoch is left: by the budget, by divergence, or, with `patience` p, after
    p epochs without a better one on the selection part.

    Raises:
        ValueError: there is no epoch, the method does not fit the model, or there are too few
            examples to cut the validation split.
        DataError: the data do not fit the model.
    """

    def __init__(
        self,
        configuration: Mapping[str, Value],
        data: ImageSplits,
        *,
        epochs: int,
        seed: int,
        threat: Threat,
        base: LoadedBase,
        initial: InitialWeights | None = None,
        memory: AttackMemory | None = None,
    ) -> None:
        reset_peak_memory(base.device)
        self.configuration = configuration
        self.epochs, self.epoch = epochs, 0
        self.ended = self.diverged = False
        self._batches = ImageBatches(data, base, configuration, threat, memory)
        self._evaluation = self._batches.evaluation
        self._optimization = TransformerOptimization(
            base, self._batches, configuration, epochs=epochs, seed=seed, initial=initial
        )
        self._meter = WorkMeter(self._optimization.adapted.model)
        self._picked: dict[str, Tensor] | None = None

    def run(self) -> Iterator[dict[str, float]]:
        """Train the epochs that are left, yielding each one's metrics after it.

        Metrics of the objective part come with the last epoch alone; after divergence all are NaN.
        """
        epochs = run_epochs(self, self._optimization, self._evaluate, self._meter, self._costs)
        for metrics in epochs:
            yield metrics | self._optimization.costs()

    def state_dict(self) -> dict[str, Any]:
        """Return a copy of all that training changed; loads with `torch.load(weights_only=True)`.

        `weights` is the adaptation's state alone, not the frozen base.
        """
        return copy.deepcopy(
            {
                "epoch": self.epoch,
                "ended": self.ended,
                "diverged": self.diverged,
                **self._optimization.state_dict(ended=self.ended),
                "picked": None if self.ended else self._picked,
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
        """Return the model in eval mode: the one in training, once ended the picked one."""
        return self._batches.classifier(self._optimization.adapted.model)

    def confirm(self) -> dict[str, float]:
        """Return the metrics of `ImageEvaluation.confirm`; {} after divergence."""
        return self._evaluation.confirm(self.classifier(), self._meter)

    def evaluate_test(self) -> dict[str, float]:
        """Return clean and full robust accuracy on the test split; NaN after divergence."""
        return name_as_test(self._evaluation.test(self.classifier()), diverged=self.diverged)

    def _costs(self) -> dict[str, float]:
        return model_costs(self.classifier(), self.examples("selection")[0][:BATCH])

    def _evaluate(self) -> dict[str, float]:
        """Return metrics of the validation split; at the end restore the picked weights first."""
        evaluation, adapted = self._evaluation, self._optimization.adapted
        costs = {"gradients.train": self.epoch * self._batches.passes}
        if self.diverged:
            self.ended, self._picked = True, None
            return costs | {"loss.validation": math.nan} | evaluation.diverged()
        model = self.classifier()
        metrics = costs | {"loss.validation": self._batches.validation_loss(adapted.model)}
        metrics |= evaluation.observe(model, self.epoch)
        choice, patience = evaluation.choice, int(self.configuration["patience"])
        if choice.picked == self.epoch:
            self._picked = copy.deepcopy(adapted.state())
        self.ended = self.epoch == self.epochs or 0 < patience <= choice.stale
        if self.ended:
            assert self._picked is not None, "the first epoch is always picked"
            adapted.load(self._picked)
            metrics |= evaluation.conclude(model)
        return metrics

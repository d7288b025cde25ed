"""Fine-tuning of a pretrained transformer on texts, evaluated epoch by epoch.

The guarantees are those of `models/training/image_training.py`: all randomness of an epoch follows
from (seed, epoch), so on the CPU, with as many threads, a training resumed from `state_dict` is
bit-equal to an uninterrupted one; the objectives are measured once, on the objective part of the
validation split in eval mode and float32; a training that diverges reports NaN and ends.

Batches and losses are in `models/training/text/text_batches.py`, the optimization in
`models/training/transformer_optimization.py`. Images: `image_fine_tuning.py`.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor, nn

from models.adaptation.adapted_model import Adapted
from models.adversarial.threat_model import TextThreat
from models.data.text.splits import TextSplits
from models.hyperparameters.hyperparameter import Value
from models.networks.own_text import OwnTextNetwork
from models.networks.transformer import LoadedBase
from models.scores.metric_names import Split
from models.training.costs import BATCH, model_costs
from models.training.epochs import run_epochs
from models.training.peak_memory import reset_peak_memory
from models.training.text.encoding import Encoder
from models.training.text.text_batches import TextBatches
from models.training.transformer_optimization import TransformerOptimization
from models.training.work import WorkMeter
from models.weights.initial import InitialWeights


class TextFineTuning:
    """A transformer in training on texts: evaluated and tabulated (see `protocol.py`).

    Args:
        configuration: complete hyperparameters of the catalog model that `base` was loaded for.
        data: never written to.
        epochs: the full budget; schedules end with it.
        seed: seed of the head, new weights, the order of examples, dropout and attacks in training.
        threat: how robustness is evaluated.
        base: the pretrained model, on the device to train on; it is not changed.
        initial: weights of an earlier trial to start from.

    With `patience` p a training ends after p epochs without a lower loss on the selection part.
    Then, and at the end of the budget, the weights of the lowest one are restored for the last
    report; without patience they are those of the last epoch.

    Raises:
        ValueError: there is no epoch, or the method does not fit the model.
        DataError: the data do not fit the model, or validation is too small to be cut into parts.
    """

    def __init__(
        self,
        configuration: Mapping[str, Value],
        data: TextSplits,
        *,
        epochs: int,
        seed: int,
        threat: TextThreat,
        base: LoadedBase | OwnTextNetwork,
        initial: InitialWeights | None = None,
    ) -> None:
        reset_peak_memory(base.device)
        self.configuration = configuration
        self.epochs, self.epoch = epochs, 0
        self.ended = self.diverged = False
        batches = TextBatches(data, base, configuration, threat)
        self._batches, self._evaluation = batches, batches.evaluation
        self._optimization = TransformerOptimization(
            base, batches, configuration, epochs=epochs, seed=seed, initial=initial
        )
        self._meter = WorkMeter(self._optimization.adapted.model)
        self._best: dict[str, Tensor] | None = None
        self._best_loss, self._stale = math.inf, 0

    def run(self) -> Iterator[dict[str, float]]:
        """Train the epochs that are left, yielding each one's metrics after it.

        Metrics of the selection part come with every report, those of the objective part with the
        last.
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
                "best": None if self.ended else self._best,
                "best_loss": self._best_loss,
                "stale": self._stale,
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
        self.diverged = state["diverged"]
        self._best, self._best_loss = state["best"], state["best_loss"]
        self._stale = state["stale"]
        self._meter.load_state_dict(state["work"])

    def evaluate_test(self) -> dict[str, float]:
        """Return clean and robust metrics of the test split; NaN after divergence."""
        return self._held_out("test")

    def evaluate_confirmation(self) -> dict[str, float]:
        """Return the same metrics of the confirmation part; NaN after divergence."""
        return self._held_out("confirmation")

    def tables(self) -> dict[str, str]:
        """Return the tables of the objective part by file name; {} after divergence."""
        return {} if self.diverged else self._evaluation.tables(self.model)

    def test_tables(self) -> dict[str, str]:
        """Return the tables of the test split by file name; {} after divergence."""
        return {} if self.diverged else self._evaluation.test_tables(self.model)

    @property
    def encoder(self) -> Encoder:
        """What makes the model's tokens of texts."""
        return self._batches.encoder

    @property
    def model(self) -> nn.Module:
        """The model in training; takes a batch's tensors, returns an object with `.logits`."""
        return self.adapted.model

    @property
    def adapted(self) -> Adapted:
        """The base and what is trained of it."""
        return self._optimization.adapted

    def _costs(self) -> dict[str, float]:
        return model_costs(self.model, self._batches.middle(BATCH), self._batches.middle(1))

    def _held_out(self, split: Split) -> dict[str, float]:
        found = self._evaluation.held_out(self.model, split)
        return dict.fromkeys(found, math.nan) if self.diverged else found

    def _evaluate(self) -> dict[str, float]:
        """Return metrics of the validation split after deciding whether this is the last epoch."""
        if self.diverged:
            self.ended = True
            return dict.fromkeys(self._evaluation.names(), math.nan)
        adapted = self._optimization.adapted
        metrics = self._evaluation.observe(adapted.model)
        patience = int(self.configuration["patience"])
        if patience:
            is_better = metrics["loss.validation"] < self._best_loss
            self._stale = 0 if is_better else self._stale + 1
            if is_better:
                self._best_loss = metrics["loss.validation"]
                self._best = copy.deepcopy(adapted.state())
        self.ended = self.epoch == self.epochs or bool(patience and self._stale >= patience)
        if self.ended and self._best is not None and self._stale:
            adapted.load(self._best)
            metrics = self._evaluation.observe(adapted.model)
        return metrics | self._evaluation.conclude(adapted.model) if self.ended else metrics

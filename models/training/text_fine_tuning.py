"""Fine-tune a pretrained transformer on texts and judge it epoch by epoch.

The promises are those of `models/training/cnn.py`: all randomness of an epoch follows from (seed,
epoch), so a training resumed from `state_dict` equals an uninterrupted one bit for bit on the CPU
with as many threads; the objectives are measured on the validation split in evaluation mode and
float32; a training that stops being finite reports NaN and ends.

What is learned from is `models/training/text/text_batches.py`, what of the model may change the
adaptation, and how it changes `models/training/transformer_optimization.py`. Images:
`image_fine_tuning.py`.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor, nn

from models.adversarial.threat_model import TextThreat
from models.data.text.splits import TextSplits
from models.hyperparameters.hyperparameter import Value
from models.networks.transformer import LoadedBase
from models.training.epochs import name_as_test, run_epochs
from models.training.peak_memory import reset_peak_memory
from models.training.text.text_batches import TextMaterial
from models.training.transformer_optimization import TransformerLearning
from models.weights.initial import InitialWeights


class TextFineTuning:
    """A transformer in training on texts: evaluated and tabulated (see `protocol.py`).

    Args:
        configuration: complete, of the catalog model that `base` was loaded for.
        data: never written to.
        epochs: the full budget; schedules end with it.
        seed: of the head, new weights, the order of examples, dropout and attacks in training.
        threat: how robustness is judged.
        base: the pretrained model, on the device to train on; it is left as it was.
        initial: weights of an earlier trial to start from.

    With `patience` p a training ends after p epochs without a lower validation loss. Then, and at
    the end of the budget, the weights of the lowest one are taken back and are what the last report
    judges; without patience they are those of the last epoch.

    Raises:
        ValueError: no epoch, or a method that the model cannot take.
        DataError: the data cannot be used by this model.
    """

    def __init__(
        self,
        configuration: Mapping[str, Value],
        data: TextSplits,
        *,
        epochs: int,
        seed: int,
        threat: TextThreat,
        base: LoadedBase,
        initial: InitialWeights | None = None,
    ) -> None:
        reset_peak_memory(base.device)
        self.configuration = configuration
        self.epochs, self.epoch = epochs, 0
        self.ended = self.diverged = False
        self._material = TextMaterial(data, base, configuration, threat)
        self._learning = TransformerLearning(
            base, self._material, configuration, epochs=epochs, seed=seed, initial=initial
        )
        self._best: dict[str, Tensor] | None = None
        self._best_loss, self._stale = math.inf, 0

    def run(self) -> Iterator[dict[str, float]]:
        """Train the epochs that are left, yielding each one's metrics after it.

        The full attack comes with the last report alone, a cheap one with the others.
        """
        for metrics in run_epochs(self, self._learning, self._judge):
            yield metrics | self._learning.costs()

    def state_dict(self) -> dict[str, Any]:
        """A copy of everything that training changed; loads with `torch.load(weights_only=True)`.

        `weights` is the adaptation's state alone, not the frozen base.
        """
        return copy.deepcopy(
            {
                "epoch": self.epoch,
                "ended": self.ended,
                "diverged": self.diverged,
                **self._learning.state_dict(ended=self.ended),
                "best": None if self.ended else self._best,
                "best_loss": self._best_loss,
                "stale": self._stale,
            }
        )

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state_dict`; once ended, `run` yields nothing more.

        Raises:
            RuntimeError: the weights are those of another configuration.
        """
        self._learning.load_state_dict(state)
        self.epoch, self.ended = state["epoch"], state["ended"]
        self.diverged = state["diverged"]
        self._best, self._best_loss = state["best"], state["best_loss"]
        self._stale = state["stale"]

    def evaluate_test(self) -> dict[str, float]:
        """The validation metrics' namesakes on the test split, attack included; NaN if diverged."""
        return name_as_test(self._material.test(self.model), diverged=self.diverged)

    def tables(self) -> dict[str, str]:
        """The validation split's tables by file name; {} after divergence."""
        return {} if self.diverged else self._material.tables(self.model)

    @property
    def model(self) -> nn.Module:
        """The model in training; takes a batch's tensors, returns an object with `.logits`."""
        return self._learning.adapted.model

    def merged(self) -> nn.Module | None:
        """A plain transformer of its own with what was learned, or None if it cannot be one."""
        plain: nn.Module | None = self._learning.adapted.merged()
        return plain

    def _judge(self) -> dict[str, float]:
        """Metrics of the validation split, after deciding whether this is the last epoch."""
        if self.diverged:
            self.ended = True
            return dict.fromkeys(self._material.names(is_last=True), math.nan)
        adapted = self._learning.adapted
        metrics = self._material.validate(adapted.model)
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
            metrics = self._material.validate(adapted.model)
        return metrics | self._material.attack(adapted.model, is_last=self.ended)

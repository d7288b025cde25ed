"""Fine-tune a pretrained vision transformer and judge it epoch by epoch, as a CNN is judged.

The promises are those of `cnn.py`: part A of the validation split picks the epoch, part B gives the
objectives, once, from the picked weights; resumed, a training equals an uninterrupted one bit for
bit; one that stops being finite reports NaN and ends. What is learned from is
`models/training/image_batches.py`. Texts: `text_fine_tuning.py`.
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
from models.training.epochs import name_as_test, run_epochs
from models.training.image_batches import ImageMaterial
from models.training.peak_memory import reset_peak_memory
from models.training.transformer_optimization import TransformerLearning
from models.weights.initial import InitialWeights


class ImageFineTuning:
    """A vision transformer in training: a `models.training.protocol.JudgedTraining`.

    Args:
        configuration: complete, of "vision_transformer".
        data: never written to.
        epochs: the full budget; schedules end with it.
        seed: of the head, new weights, the order of examples, dropout and attacks in training.
        threat: how robustness is judged; its norm is also that of adversarial training.
        base: the pretrained model, on the device to train on; it is left as it was.
        initial: weights of an earlier trial to start from.
        memory: what broke other trials of the search; shown to this one in its last report.

    `ended` says that no epoch is left: by the budget, by divergence, or, with `patience` p, after
    p epochs without a better one on part A.

    Raises:
        ValueError: no epoch, a method that the model cannot take, or too few examples to cut the
            validation split.
        DataError: the data cannot be used by this model.
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
        self._material = ImageMaterial(data, base, configuration, threat, memory)
        self._judgement = self._material.judgement
        self._learning = TransformerLearning(
            base, self._material, configuration, epochs=epochs, seed=seed, initial=initial
        )
        self._picked: dict[str, Tensor] | None = None

    def run(self) -> Iterator[dict[str, float]]:
        """Train the epochs that are left, yielding each one's metrics after it.

        Figures of part B come with the last epoch alone; after divergence all are NaN.
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
                "picked": None if self.ended else self._picked,
                "judgement": self._judgement.state_dict(),
            }
        )

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state_dict`; once ended, `run` yields nothing more.

        Raises:
            RuntimeError: the weights are those of another configuration.
        """
        self._learning.load_state_dict(state)
        self.epoch, self.ended = state["epoch"], state["ended"]
        self.diverged, self._picked = state["diverged"], state["picked"]
        self._judgement.load_state_dict(state["judgement"])

    def examples(self, part: str) -> tuple[Tensor, Tensor]:
        """Images in [0, 1] and labels, on the device, of a part: see `ImageJudgement.examples`."""
        return self._judgement.examples(part)

    def classifier(self) -> nn.Module:
        """Images to logits in evaluation mode: the model in training, once ended the picked one."""
        return self._material.classifier(self._learning.adapted.model)

    def confirm(self) -> dict[str, float]:
        """Targeted APGD's figures on part B: see `ImageJudgement.confirm`; {} after divergence."""
        return self._judgement.confirm(self.classifier())

    def evaluate_test(self) -> dict[str, float]:
        """Clean and full robust accuracy on the test split; NaN after divergence."""
        return name_as_test(self._judgement.test(self.classifier()), diverged=self.diverged)

    def _judge(self) -> dict[str, float]:
        """Metrics of the validation split; at the end the picked weights are taken back."""
        judgement, adapted = self._judgement, self._learning.adapted
        costs = {"gradients.train": self.epoch * self._material.passes}
        if self.diverged:
            self.ended, self._picked = True, None
            return costs | {"loss.validation": math.nan} | judgement.diverged()
        model = self.classifier()
        metrics = costs | {"loss.validation": self._material.validation_loss(adapted.model)}
        metrics |= judgement.observe(model, self.epoch)
        choice, patience = judgement.choice, int(self.configuration["patience"])
        if choice.picked == self.epoch:
            self._picked = copy.deepcopy(adapted.state())
        self.ended = self.epoch == self.epochs or 0 < patience <= choice.stale
        if self.ended:
            assert self._picked is not None, "the first epoch is always picked"
            adapted.load(self._picked)
            metrics |= judgement.conclude(model)
        return metrics

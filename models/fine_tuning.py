"""Fine-tune a pretrained transformer and judge it: a generator that yields metrics an epoch.

The shape and the promises are those of `models/training.py`: all randomness of an epoch follows
from (seed, epoch), so a training resumed from `state_dict` equals an uninterrupted one bit for bit
on the CPU with as many threads; the objectives are measured on the validation split in evaluation
mode and float32; a training that stops being finite reports NaN and ends.

What is learned from (texts or images, their loss, their attacks) is the *material*; what of the
model may change is the adaptation; this file is the loop between them. Texts pick their epoch by
the validation loss and report on the whole split, images by its parts.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from models.adaptation.adapted import Adapted
from models.adversarial.attack_memory import AttackMemory
from models.catalog import Value, complete
from models.image_material import ImageMaterial
from models.memory import peak_memory_mb, reset_peak_memory
from models.metric_names import on_split
from models.sources import DataError
from models.text.material import TextMaterial
from models.transformer import LoadedBase
from models.transformer_learning import TransformerLearning, steps_an_epoch
from models.weights.initial import InitialWeights
from models.weights.starting import start

MODEL_OF = {
    "classification": "text_classifier",
    "entities": "entity_tagger",
    "dialogue": "causal_model",
    "images": "vision_transformer",
}


class FineTuning:
    """A transformer in training.

    Args:
        configuration: hyperparameters of the catalog model that `base` was loaded for.
        data: `TextSplits` or `ImageSplits`; never written to.
        epochs: the full budget; schedules end with it.
        seed: of the head, new weights, the order of examples, dropout and attacks in training.
        threat: how robustness is judged.
        base: the pretrained model, on the device to train on; it is left as it was.
        initial: weights of an earlier trial to start from.
        memory: of attacks on images, as for `models.training.Training`; texts need none.

    `ended` says that no epoch is left, by the budget or by early stopping: with `patience` p a
    training ends after p epochs without a better one. Then, and at the end of the budget, the
    weights of the picked epoch are taken back and are what the last report judges. On texts it is
    that of the lowest validation loss (without patience the last one), on images the one picked
    by `models.image_judgement.ImageJudgement`.

    Raises:
        ValueError: an illegal configuration, or a method that the model cannot take.
        DataError: the data cannot be used by this model.
    """

    def __init__(
        self,
        configuration: Mapping[str, Value],
        data: Any,
        *,
        epochs: int,
        seed: int,
        threat: Any,
        base: LoadedBase,
        initial: InitialWeights | None = None,
        memory: AttackMemory | None = None,
    ) -> None:
        if epochs < 1:
            raise ValueError(f"{epochs} epochs: give at least one")
        reset_peak_memory(base.device)
        self.configuration = complete(MODEL_OF[base.kind], configuration)
        self.epochs, self.epoch = epochs, 0
        self.ended = self.diverged = False
        self._device = base.device
        self._images: ImageMaterial | None = None
        if base.kind == "images":
            self._images = ImageMaterial(data, base, self.configuration, threat, memory)
        self._material: Any = self._images or TextMaterial(data, base, self.configuration, threat)
        if not self._material.size:
            raise DataError("the training split has no examples")
        steps = epochs * steps_an_epoch(self._material, self.configuration)
        self._adapted = start(base, self.configuration, steps=steps, seed=seed, initial=initial)
        self._learning = TransformerLearning(
            self._adapted, self._material, self.configuration,
            epochs=epochs, seed=seed, device=base.device,
        )  # fmt: skip
        self._best: dict[str, Tensor] | None = None
        self._best_loss, self._stale = math.inf, 0

    def run(self) -> Iterator[dict[str, float]]:
        """Train the epochs that are left, yielding each one's metrics after it.

        The full attack comes with the last report alone, a cheap one with the others.
        """
        while self.epoch < self.epochs and not self.ended:
            begun = time.perf_counter()
            loss = self._train_epoch()
            trained = time.perf_counter()
            self.epoch += 1
            self.diverged = not (math.isfinite(loss) and _is_finite(self._adapted))
            metrics = {"epoch": float(self.epoch), "loss.train": loss, **self._judge()}
            metrics["seconds.train"] = trained - begun
            metrics["seconds.evaluation"] = time.perf_counter() - trained
            metrics["parameters.trainable"] = float(self._adapted.trainable_parameters)
            metrics["memory.peak_mb"] = peak_memory_mb(self._device)
            yield metrics

    def state_dict(self) -> dict[str, Any]:
        """A copy of everything that training changed; loads with `torch.load(weights_only=True)`.

        `weights` is the adaptation's state alone, not the frozen base. When nothing is left to
        train, the optimizer's state, twice as large as the weights, is left out.
        """
        optimizer = None if self.ended or self.diverged else self._learning.optimizer.state_dict()
        return copy.deepcopy(
            {
                "epoch": self.epoch,
                "ended": self.ended,
                "diverged": self.diverged,
                "weights": self._adapted.state(),
                "optimizer": optimizer,
                "best": None if self.ended else self._best,
                "best_loss": self._best_loss,
                "stale": self._stale,
                "judgement": None if self._images is None else self._images.judgement.state_dict(),
            }
        )

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state_dict`; once ended, `run` yields nothing more.

        Raises:
            RuntimeError: the weights are those of another configuration.
        """
        self._adapted.load(state["weights"])
        if state["optimizer"] is not None:
            self._learning.optimizer.load_state_dict(state["optimizer"])
        self.epoch, self.ended = state["epoch"], state["ended"]
        self.diverged = state["diverged"]
        self._best, self._best_loss = state["best"], state["best_loss"]
        self._stale = state["stale"]
        if self._images is not None:
            self._images.judgement.load_state_dict(state["judgement"])

    def evaluate_test(self) -> dict[str, float]:
        """The validation metrics' namesakes on the test split, attack included; NaN if diverged."""
        judge, model = self._material, self._adapted.model
        if self._images is not None:
            judge, model = self._images.judgement, self._images.classifier(model)
        metrics: dict[str, float] = judge.test(model)
        if self.diverged:
            metrics = dict.fromkeys(metrics, math.nan)
        return {on_split("test", name): value for name, value in metrics.items()}

    def tables(self) -> dict[str, str]:
        """Texts worth keeping beside the metrics, by file name: the validation split's tables."""
        if self.diverged or self._images is not None:
            return {}  # of images the figures say it all
        tables: dict[str, str] = self._material.tables(self._adapted.model)
        return tables

    @property
    def collapsed(self) -> bool:
        """Whether catastrophic overfitting was seen; never on texts."""
        return self._images is not None and self._images.judgement.collapse.seen

    def examples(self, part: str) -> tuple[Tensor, Tensor]:
        """Of images alone: see `ImageJudgement.examples`."""
        assert self._images is not None, "texts have no parts"
        return self._images.judgement.examples(part)

    def classifier(self) -> nn.Module:
        """Of images alone: images to logits in eval mode, after the end the picked weights."""
        assert self._images is not None, "texts are not classified by pixels"
        return self._images.classifier(self._adapted.model)

    def confirm(self) -> dict[str, float]:
        """Of images: see `ImageJudgement.confirm`; of texts, and after divergence: {}."""
        if self._images is None:
            return {}
        return self._images.judgement.confirm(self.classifier())

    @property
    def model(self) -> nn.Module:
        """The model in training; takes a batch's tensors, returns an object with `.logits`."""
        return self._adapted.model

    def merged(self) -> nn.Module | None:
        """A plain transformer of its own with what was learned, or None if it cannot be one."""
        plain: nn.Module | None = self._adapted.merged()
        return plain

    def _train_epoch(self) -> float:
        return self._learning.epoch(self.epoch)

    def _judge(self) -> dict[str, float]:
        """Metrics of the validation split, after deciding whether this is the last epoch."""
        if self._images is not None:
            return self._judge_images(self._images)
        if self.diverged:
            self.ended = True
            return dict.fromkeys(self._material.names(is_last=True), math.nan)
        metrics: dict[str, float] = self._material.validate(self._adapted.model)
        patience = int(self.configuration["patience"])
        if patience:
            is_better = metrics["loss.validation"] < self._best_loss
            self._stale = 0 if is_better else self._stale + 1
            if is_better:
                self._best_loss = metrics["loss.validation"]
                self._best = copy.deepcopy(self._adapted.state())
        self.ended = self.epoch == self.epochs or bool(patience and self._stale >= patience)
        if self.ended and self._best is not None and self._stale:
            self._adapted.load(self._best)
            metrics = self._material.validate(self._adapted.model)
        metrics |= self._material.attack(self._adapted.model, is_last=self.ended)
        return metrics

    def _judge_images(self, images: ImageMaterial) -> dict[str, float]:
        """As `models.training.Training`: part A picks the epoch, part B judges its weights."""
        judgement, costs = images.judgement, {"gradients.train": self.epoch * images.passes}
        if self.diverged:
            self.ended, self._best = True, None
            return costs | {"loss.validation": math.nan} | judgement.diverged()
        model = images.classifier(self._adapted.model)
        metrics = costs | {"loss.validation": images.validation_loss(self._adapted.model)}
        metrics |= judgement.observe(model, self.epoch)
        choice, patience = judgement.choice, int(self.configuration["patience"])
        if choice.picked == self.epoch:
            self._best = copy.deepcopy(self._adapted.state())
        self.ended = self.epoch == self.epochs or 0 < patience <= choice.stale
        if self.ended:
            assert self._best is not None, "the first epoch is always picked"
            self._adapted.load(self._best)
            metrics |= judgement.conclude(model)
        return metrics


def _is_finite(adapted: Adapted) -> bool:
    return all(bool(torch.isfinite(tensor).all()) for tensor in adapted.state().values())

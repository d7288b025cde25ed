"""The evaluation of a training on images, for CNNs and vision transformers.

The validation split is cut into parts (`data/validation_split.py`). After every epoch the model is
evaluated on the selection part, which picks the epoch; the picked weights are evaluated once on the
objective part, which gives the objectives. Everything is measured in eval mode and float32, on the
same examples for every configuration. Evaluation after a search takes `examples` of the
confirmation part or of the test split.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.adversarial.checks.search_warnings import (
    BLACK_BOX,
    GAP,
    GRADIENT_ERROR,
    JUMPS,
    REPLACED,
    VANISHED,
)
from models.adversarial.pixels.attack_memory import AttackMemory
from models.adversarial.pixels.attacks import LossName
from models.adversarial.pixels.catastrophic_overfitting import Collapse
from models.adversarial.pixels.classifier import evaluate
from models.adversarial.pixels.confirmation import confirm
from models.adversarial.pixels.corruptions import CORRUPTIONS
from models.adversarial.pixels.evaluation import (
    Flags,
    correct,
    fgsm_correct,
    fixed_subset,
    robust_correct,
)
from models.adversarial.threat_model import Threat
from models.data.loading import ImageSplits
from models.data.validation_split import Parts, cut
from models.scores.metric_names import corruption_metric, on_split, unconfirmed
from models.training.checkpoint_selection import SelectedEpoch
from models.training.work import WorkMeter

PARTS = ("selection", "objective", "confirmation", "test", "train")
# Losses of the attack after every epoch; the full attack's nine targets would cost more than the
# training. Neither loss depends on the scale of the logits, so the choice of epoch does not either.
_CHEAP_LOSSES: tuple[LossName, ...] = ("scaled_cross_entropy", "margin")


def examples(
    data: ImageSplits, threat: Threat, part: str = "objective", device: str = "cpu"
) -> tuple[Tensor, Tensor]:
    """Return the images and labels of a part that a built-in training is evaluated on.

    Args:
        data: the splits of a task, such as `trial.data`.
        threat: its seed cuts the validation split.
        part: "selection", which may pick an epoch, "objective" or "confirmation" of the validation
            split, "test", or "train".
        device: the device of the tensors.

    Raises:
        TypeError: the data are no images.
        ValueError: the part is unknown, or the validation split is too small to be cut.
    """
    if not isinstance(data, ImageSplits):
        what = "texts; fix: read data.train.texts" if data else "None; fix: name task.data"
        raise TypeError(f"examples are of images, and the data are {what}")
    if part not in PARTS:
        raise ValueError(f"unknown part {part!r}; fix: choose one of {', '.join(PARTS)}")
    parts = cut(data.validation_labels, threat.seed)
    return _part(data, parts, part, torch.device(device))


def mean_loss(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Return the mean cross-entropy of a model in eval mode, (n, channels, height, width)."""
    with torch.inference_mode():
        logits = torch.cat([model(part) for part in torch.split(images, 256)])
    return float(functional.cross_entropy(logits.float(), labels))


def _part(
    data: ImageSplits, parts: Parts, part: str, device: torch.device
) -> tuple[Tensor, Tensor]:
    if part in ("train", "test"):
        images, labels = getattr(data, f"{part}_images"), getattr(data, f"{part}_labels")
    else:
        index = getattr(parts, part)
        images, labels = data.validation_images[index], data.validation_labels[index]
    pixels = torch.tensor(images, device=device).to(torch.float32) / data.scale
    return pixels, torch.tensor(labels, device=device)


class ImageEvaluation:
    """The parts of one task's images, and the state of their evaluation.

    `choice` is the epoch picked on the selection part; `collapse` says whether adversarial training
    shows catastrophic overfitting there.

    Args:
        data: never written to.
        threat: how robustness is evaluated.
        device: the model's device.
        attacked_training: whether training is adversarial; only then can it collapse.
        measures_loss: whether `loss.validation` is a metric: that of the selection part.
        memory: adversarial examples of the search's other trials; None: no replays.

    Raises:
        ValueError: the validation split is too small to be cut.
    """

    def __init__(
        self,
        data: ImageSplits,
        threat: Threat,
        device: torch.device,
        *,
        attacked_training: bool,
        measures_loss: bool = False,
        memory: AttackMemory | None = None,
    ) -> None:
        self.choice = SelectedEpoch()
        self.collapse = Collapse()
        self._robust: Flags | None = None
        self._data, self._threat, self._device = data, threat, device
        self._attacked_training, self._memory = attacked_training, memory
        self._measures_loss = measures_loss
        self._parts = cut(data.validation_labels, threat.seed)
        self._selection = self.examples("selection")

    def examples(self, part: str) -> tuple[Tensor, Tensor]:
        """Return float32 images (n, channels, height, width) in [0, 1] and int64 labels (n,).

        Args:
            part: "selection", "objective" or "confirmation" of the validation split, or "test".
        """
        return _part(self._data, self._parts, part, self._device)

    def observe(self, model: nn.Module, epoch: int) -> dict[str, float]:
        """Return metrics of the selection part after `epoch`, from 1; updates the state.

        An epoch's score is the mean of clean and robust accuracy, per example, over the examples of
        the cheap attack.
        """
        threat, (images, labels) = self._threat, self._selection
        few = self._subset(len(labels), threat.cheap_examples)
        cheap = replace(threat, steps=threat.cheap_steps, restarts=1)
        clean = correct(model, images, labels)
        attacked, truth = images[few], labels[few]
        robust = robust_correct(model, attacked, truth, cheap, threat.seed, losses=_CHEAP_LOSSES)
        once = fgsm_correct(model, attacked, truth, threat)
        scores = (clean[few.cpu().numpy()].astype(float) + robust) / 2
        self.choice = self.choice.after(epoch, scores)
        if self._attacked_training:
            self.collapse = self.collapse.after(float(once.mean()), float(robust.mean()))
        loss = {"loss.validation": mean_loss(model, images, labels)} if self._measures_loss else {}
        return loss | {
            on_split("selection", "accuracy.clean"): float(clean.mean()),
            on_split("selection", threat.cheap_metric()): float(robust.mean()),
            on_split("selection", threat.fgsm_metric()): float(once.mean()),
            on_split("selection", "collapsed"): float(self.collapse.seen),
        }

    def conclude(self, model: nn.Module) -> dict[str, float]:
        """Return metrics of the objective part for the picked weights; fills the attack memory."""
        images, labels = self.examples("objective")
        attacked, _ = self._attacked(images, labels)
        replays = [] if self._memory is None else self._memory.replays(attacked)
        evaluation = evaluate(model, images, labels, self._threat, replays=replays)
        found = evaluation.outcome
        if self._memory is not None:
            self._memory.store(found.misclassified, found.adversarial_examples[found.misclassified])
        self._robust = found.robust
        return {**evaluation.metrics, "epoch.selected": float(self.choice.picked)}

    def confirm(self, model: nn.Module, meter: WorkMeter) -> dict[str, float]:
        """Return metrics of stronger attacks on the objective part and those that they replace.

        {} before `conclude`. Repeated calls return the same, unless the model itself is random.
        Fills the attack memory; `meter` counts the attack's work.
        """
        if self._robust is None:
            return {}
        threat, (images, labels) = self._threat, self._attacked(*self.examples("objective"))
        with meter.counting() as work:
            found = confirm(model, images, labels, threat, self._robust, threat.seed)
        if self._memory is not None:
            self._memory.store(found.index, found.adversarial_examples)
        metrics = {
            threat.apgd_metric(): found.white_box,
            threat.worst_metric(): found.accuracy,
            GAP: found.gap,
            REPLACED: float(found.is_replaced),
            BLACK_BOX: found.black_box,
            JUMPS: found.nearby.jumps,
            GRADIENT_ERROR: found.nearby.gradient_error,
            VANISHED: found.nearby.vanished,
            "work.confirmation": work.flop,
        }
        if found.is_replaced:
            metrics[threat.metric()] = found.corrected
            metrics[unconfirmed(threat.metric())] = float(self._robust.mean())
        return metrics

    def test(self, model: nn.Module) -> dict[str, float]:
        """Return clean and full robust accuracy on the test split, and its number of examples.

        Random starts have another seed than on the validation split, so nothing was selected
        against them.
        """
        threat, (images, labels) = self._threat, self.examples("test")
        flags = robust_correct(model, images, labels, threat, threat.seed + 1)
        return {
            "accuracy.clean": float(correct(model, images, labels).mean()),
            threat.metric(): float(flags.mean()),
            "examples": float(len(labels)),
        }

    def diverged(self) -> dict[str, float]:
        """Return NaN for all metrics of `observe` and `conclude`, after divergence.

        `selection.collapsed` keeps its value.
        """
        threat = self._threat
        chosen_by = ("accuracy.clean", threat.cheap_metric(), threat.fgsm_metric())
        names = (
            *(on_split("selection", name) for name in chosen_by), "accuracy.clean",
            threat.metric(), threat.fgsm_metric(), *map(corruption_metric, ("", *CORRUPTIONS)),
            "epoch.selected", *(["loss.validation"] if self._measures_loss else []),
        )  # fmt: skip
        collapsed = {on_split("selection", "collapsed"): float(self.collapse.seen)}
        return dict.fromkeys(names, math.nan) | collapsed

    def state_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        return {
            "choice": self.choice.state(),
            "collapse": {"seen": self.collapse.seen, "best": self.collapse.best},
            "robust": None if self._robust is None else torch.from_numpy(self._robust),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state_dict`."""
        self.choice = SelectedEpoch.of(state["choice"])
        self.collapse = Collapse(**state["collapse"])
        self._robust = None if state["robust"] is None else state["robust"].numpy()

    def _attacked(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the full attack's examples; the memory counts positions within them."""
        some = self._subset(len(labels), self._threat.examples)
        return images[some], labels[some]

    def _subset(self, n: int, count: int) -> Tensor:
        return torch.from_numpy(fixed_subset(n, count, self._threat.seed)).to(self._device)

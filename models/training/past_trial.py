"""Attacks on the model of a past trial, rebuilt from its checkpoint, and their results.

Any epsilon and norm are possible, whatever the search used. The caller finds the trial and stores
the results.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from models.adversarial.checks.gradient_masking import check
from models.adversarial.checks.warning import GradientMaskingWarning
from models.adversarial.pixels.adversarial_examples import (
    AdversarialExamples,
    Verified,
    verify,
)
from models.adversarial.pixels.evaluation import fixed_subset
from models.adversarial.pixels.final_evaluation import adversarial_examples_of
from models.adversarial.pixels.metrics import (
    AttackMetric,
    attack_metric,
    clean_metric,
    worst_case,
)
from models.adversarial.pixels.stored_examples import load_adversarial_examples
from models.adversarial.threat_model import Threat
from models.networks.pixel_input import PixelLogits
from models.scores.metric_names import AttackName
from models.training.image_evaluation import ImageEvaluation
from models.weights.rebuild import TrainedTrial, rebuild

Split = Literal["test", "confirmation"]


class PastTrial:
    """The rebuilt model of an image trial and its examples, on a GPU if there is one.

    `seed` is that of the threat of its search.

    Raises:
        FileNotFoundError: the checkpoint is gone.
        DataError: the data set cannot be read.
    """

    def __init__(self, trained: TrainedTrial, threat: Threat) -> None:
        rebuilt = rebuild(trained)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        model = rebuilt.model if rebuilt.plain is None else PixelLogits(rebuilt.model)
        self._model = model.to(device).eval()
        # It orders the examples and cuts the validation parts, so they are those of the search.
        self.seed = threat.seed
        self.label_names = rebuilt.label_names
        self._parts = ImageEvaluation(rebuilt.splits, threat, device, attacked_training=False)

    def examples(self, part: str) -> tuple[Tensor, Tensor]:
        """Return images in [0, 1] of "confirmation" or "test", and labels."""
        return self._parts.examples(part)

    def classifier(self) -> nn.Module:
        """Return the model from images to logits."""
        return self._model


@dataclass(frozen=True, eq=False)
class Attacked:
    """The results of attacks under one threat: metrics (clean first, worst last) and images."""

    metrics: tuple[AttackMetric, ...]
    adversarial_examples: AdversarialExamples


def attack(
    past: PastTrial, threat: Threat, attacks: Sequence[AttackName], split: Split, count: int
) -> Attacked:
    """Attack the first `count` (all, if fewer) of a fixed order of a split's examples.

    Seeds and order are those of the final evaluation, so the search's own threat gives the same
    metrics again.

    Raises:
        ModuleNotFoundError: `pyautoattack` is needed and not installed.
    """
    model, index, images, labels = _chosen(past, threat, split, count)
    found = [
        attack_metric(name, model, images, labels, threat, threat.seed + 1) for name in attacks
    ]
    worst = worst_case(found, threat)
    # The adversarial examples of a single attack carry the name of that attack's metric.
    shown = worst if len(found) > 1 else replace(worst, metric=found[0].metric)
    listed = [clean_metric(model, images, labels), *found, *([worst] if len(found) > 1 else [])]
    return Attacked(tuple(listed), adversarial_examples_of(shown, index, split, model))


def warnings_of(
    past: PastTrial, threat: Threat, split: Split, count: int
) -> tuple[GradientMaskingWarning, ...]:
    """Return the warnings of gradient masking in this model; usually none."""
    model, _, images, labels = _chosen(past, threat, split, count)
    return tuple(check(model, images, labels, threat, threat.seed + 1))


def verify_file(past: PastTrial, file: Path) -> tuple[AdversarialExamples, Verified]:
    """Verify stored adversarial examples against the model.

    Raises:
        ValueError: the file holds no adversarial examples, or those of other images.
    """
    stored = load_adversarial_examples(file, lambda split: tuple(past.examples(split)[0].shape))
    images, labels = past.examples(stored.split)
    return stored, verify(past.classifier(), images, labels, stored, past.seed)


def _chosen(
    past: PastTrial, threat: Threat, split: Split, count: int
) -> tuple[nn.Module, Tensor, Tensor, Tensor]:
    images, labels = past.examples(split)
    index = torch.from_numpy(fixed_subset(len(labels), count, threat.seed)).to(images.device)
    return past.classifier(), index, images[index], labels[index]

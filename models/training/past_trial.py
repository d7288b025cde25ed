"""Attacks on the model of a past trial, rebuilt from its checkpoint, and what proves them.

Any epsilon and norm, whatever the search used. Not for finding the trial or keeping what is found:
whoever calls knows the store.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from models.adversarial.checks.gradient_masking import SecurityWarning, check
from models.adversarial.pixels.adversarial_examples import (
    AdversarialExamples,
    Verified,
    load_adversarial_examples,
    verify,
)
from models.adversarial.pixels.evaluation import fixed_subset
from models.adversarial.pixels.final_evaluation import adversarial_examples_of
from models.adversarial.pixels.metrics import (
    AttackMetric,
    AttackName,
    attack_metric,
    clean_metric,
    worst_case,
)
from models.adversarial.threat_model import Threat
from models.networks.pixel_input import PixelLogits
from models.training.image_evaluation import ImageEvaluation
from models.weights.rebuild import Trained, rebuild

Split = Literal["test", "confirmation"]


class PastTrial:
    """The rebuilt model of an image trial and its examples, on a GPU if there is one.

    Raises:
        FileNotFoundError: the checkpoint is gone.
        DataError: the data set cannot be read.
    """

    def __init__(self, trained: Trained, threat: Threat) -> None:
        rebuilt = rebuild(trained)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        model = rebuilt.model if rebuilt.plain is None else PixelLogits(rebuilt.model)
        self._model = model.to(device).eval()
        # The parts of validation are cut by the threat's seed: as the search cut them.
        self._parts = ImageEvaluation(rebuilt.splits, threat, device, attacked_training=False)

    def examples(self, part: str) -> tuple[Tensor, Tensor]:
        """Images in [0, 1] of "confirmation" or "test", and labels."""
        return self._parts.examples(part)

    def classifier(self) -> nn.Module:
        """Images to logits."""
        return self._model


@dataclass(frozen=True, eq=False)
class Attacked:
    """What attacks with one threat found: figures (clean first, worst last), and witnesses."""

    figures: tuple[AttackMetric, ...]
    witnesses: AdversarialExamples


def attack(
    past: PastTrial, threat: Threat, attacks: Sequence[AttackName], split: Split, count: int
) -> Attacked:
    """Attacks the first `count` (all, if fewer) of a fixed order of a split's examples.

    Seeds and order are those of the final judgement, so figures with the search's own threat are
    the same again.

    Raises:
        ModuleNotFoundError: `pyautoattack` is needed and not installed.
    """
    model, index, images, labels = _chosen(past, threat, split, count)
    found = [
        attack_metric(name, model, images, labels, threat, threat.seed + 1) for name in attacks
    ]
    worst = worst_case(found, threat)
    # Of one attack alone the witnesses are that attack's, and are called so.
    shown = worst if len(found) > 1 else replace(worst, metric=found[0].metric)
    listed = [clean_metric(model, images, labels), *found, *([worst] if len(found) > 1 else [])]
    return Attacked(tuple(listed), adversarial_examples_of(shown, index, split, model, threat))


def warnings_of(
    past: PastTrial, threat: Threat, split: Split, count: int
) -> tuple[SecurityWarning, ...]:
    """Reasons not to believe figures of this model; none is the rule."""
    model, _, images, labels = _chosen(past, threat, split, count)
    return tuple(check(model, images, labels, threat, threat.seed + 1))


def verify_file(past: PastTrial, file: Path) -> tuple[AdversarialExamples, Verified]:
    """Checks stored witnesses against the model.

    Raises:
        ValueError: the file holds none, or none of this model's images.
    """
    witnesses = load_adversarial_examples(file)
    if witnesses.split not in ("test", "confirmation"):
        raise ValueError(f"{file} has witnesses of the unknown split {witnesses.split!r}")
    return witnesses, verify(past.classifier(), *past.examples(witnesses.split), witnesses)


def _chosen(
    past: PastTrial, threat: Threat, split: Split, count: int
) -> tuple[nn.Module, Tensor, Tensor, Tensor]:
    images, labels = past.examples(split)
    index = torch.from_numpy(fixed_subset(len(labels), count, threat.seed)).to(images.device)
    return past.classifier(), index, images[index], labels[index]

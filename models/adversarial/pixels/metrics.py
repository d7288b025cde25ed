"""Attacks by name, and the figure that each one gives: accuracy, count, and what it cost.

For judging a finished model on some examples. What a search measures while it runs is in
evaluation.py and confirmation.py.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn

from models.adversarial.pixels.attacks import Ball, fgsm, margin
from models.adversarial.pixels.autoattack import PartName, autoattack
from models.adversarial.pixels.confirmation import confirm
from models.adversarial.pixels.evaluation import (
    AttackOutcome,
    batches,
    correct,
    evaluating,
    measure,
    record_misclassified,
)
from models.adversarial.threat_model import Threat

AttackName = Literal["fgsm", "pgd", "apgdt", "square", "autoattack"]
ATTACKS: tuple[AttackName, ...] = get_args(AttackName)


@dataclass(frozen=True, eq=False)
class AttackMetric:
    """What one attack found on some examples.

    Attributes:
        attack: One of `ATTACKS`, "clean", or "worst" for all that were tried together.
        metric: The metric's name, `accuracy.fgsm_linf_0.1`.
        epsilon: Size of the ball; 0 for clean.
        seconds: What it took; of the worst case nothing of its own.
        measured: Flags and witnesses, example by example.
    """

    attack: str
    metric: str
    epsilon: float
    seconds: float
    measured: AttackOutcome

    @property
    def examples(self) -> int:
        """How many examples it is of."""
        return len(self.measured.robust)

    @property
    def correct(self) -> int:
        """How many withstood."""
        return int(self.measured.robust.sum())

    @property
    def accuracy(self) -> float:
        """Share of the examples that withstood, in [0, 1]."""
        return self.correct / self.examples

    def to_json(self) -> dict[str, Any]:
        """Everything but the examples themselves."""
        return {
            "attack": self.attack, "metric": self.metric, "epsilon": self.epsilon,
            "examples": self.examples, "correct": self.correct,
            "seconds": round(self.seconds, 3),
        }  # fmt: skip


def metric_of(attack: str, threat: Threat) -> str:
    """Name of the metric that an attack gives.

    Raises:
        KeyError: an unknown attack.
    """
    return {
        "clean": "accuracy.clean",
        "fgsm": threat.fgsm_metric(),
        "pgd": threat.metric(),
        "apgdt": threat.apgd_metric(),
        "square": threat.square_metric(),
        "autoattack": threat.autoattack_metric(),
        "worst": threat.worst_metric(),
    }[attack]


def clean_metric(model: nn.Module, images: Tensor, labels: Tensor) -> AttackMetric:
    """Accuracy without an attack."""
    begun = time.perf_counter()
    flags = correct(model, images, labels)
    seconds = time.perf_counter() - begun
    return AttackMetric(
        "clean", "accuracy.clean", 0.0, seconds, AttackOutcome(flags, flags, images)
    )


def attack_metric(
    attack: AttackName, model: nn.Module, images: Tensor, labels: Tensor, threat: Threat, seed: int
) -> AttackMetric:
    """The accuracy under one attack, alone.

    "pgd" is the full attack of a search, "apgdt" its confirmation on all of the images, "square"
    and "autoattack" are those of `pyautoattack`.

    Args:
        attack: which.
        model: maps images to logits.
        images: float32 (n, channels, height, width) in [0, 1], n > 0.
        labels: int64 (n,).
        threat: norm, epsilon, and what the attacks of a search need.
        seed: of random starts and of all that AutoAttack draws.

    Raises:
        ModuleNotFoundError: `pyautoattack` is needed and not installed.
    """
    begun = time.perf_counter()
    if attack == "fgsm":
        measured = _fgsm(model, images, labels, threat)
    elif attack == "pgd":
        measured = measure(model, images, labels, threat, seed)
    elif attack == "apgdt":
        measured = _apgdt(model, images, labels, threat, seed)
    else:
        parts: tuple[PartName, ...] | None = ("square",) if attack == "square" else None
        measured = autoattack(model, images, labels, threat, seed, attacks=parts)
    seconds = time.perf_counter() - begun
    return AttackMetric(attack, metric_of(attack, threat), threat.epsilon, seconds, measured)


def worst_case(figures: Sequence[AttackMetric], threat: Threat) -> AttackMetric:
    """What withstood every one of these attacks on the same examples; at least one."""
    robust, witnesses = figures[0].measured.robust.copy(), figures[0].measured.witnesses.clone()
    for each in figures[1:]:
        newly = torch.from_numpy(np.flatnonzero(robust & ~each.measured.robust))
        witnesses[newly] = each.measured.witnesses[newly]
        robust &= each.measured.robust
    worst = AttackOutcome(robust, figures[0].measured.clean, witnesses)
    return AttackMetric("worst", threat.worst_metric(), threat.epsilon, 0.0, worst)


def _fgsm(model: nn.Module, images: Tensor, labels: Tensor, threat: Threat) -> AttackOutcome:
    clean = torch.from_numpy(correct(model, images, labels)).to(images.device)
    standing, witnesses = clean.clone(), images.clone()
    whole = Ball(images, threat.norm, threat.epsilon)
    with evaluating(model):
        for i in batches(standing):
            shown = fgsm(model, labels[i], whole.at(i))
            with torch.no_grad():
                record_misclassified(i, shown, margin(model(shown), labels[i]), standing, witnesses)
    return AttackOutcome(standing.cpu().numpy(), clean.cpu().numpy(), witnesses)


def _apgdt(
    model: nn.Module, images: Tensor, labels: Tensor, threat: Threat, seed: int
) -> AttackOutcome:
    clean = correct(model, images, labels)
    whole = replace(threat, confirm_examples=len(images))
    found = confirm(model, images, labels, whole, clean, seed)
    robust, witnesses = clean.copy(), images.clone()
    robust[found.index] = False
    witnesses[torch.from_numpy(found.index)] = found.witnesses
    return AttackOutcome(robust, clean, witnesses)

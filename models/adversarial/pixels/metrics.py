"""Attacks by name, and the metric of each: accuracy, counts and seconds.

They evaluate a finished model on some examples. What a search measures while it runs is in
evaluation.py and confirmation.py.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import torch
from torch import Tensor, nn

from models.adversarial.pixels.attacks import Ball, fgsm, margin
from models.adversarial.pixels.autoattack import PartName, autoattack
from models.adversarial.pixels.confirmation import targeted_apgd
from models.adversarial.pixels.evaluation import (
    AttackOutcome,
    batches,
    correct,
    evaluating,
    measure,
    record_misclassified,
)
from models.adversarial.threat_model import Threat
from models.scores.metric_names import AttackName

ATTACKS: tuple[AttackName, ...] = get_args(AttackName)


@dataclass(frozen=True, eq=False)
class AttackMetric:
    """The result of one attack on some examples.

    Attributes:
        attack: One of `ATTACKS`, "clean", or "worst" for all attacks together.
        metric: The metric's name, `accuracy.fgsm_linf_0.1`.
        epsilon: Size of the ball; 0 for clean.
        seconds: Duration; 0 for the worst case.
        measured: Flags and adversarial examples.
    """

    attack: str
    metric: str
    epsilon: float
    seconds: float
    measured: AttackOutcome

    @property
    def examples(self) -> int:
        """Number of examples."""
        return len(self.measured.robust)

    @property
    def correct(self) -> int:
        """Number of examples classified correctly under the attack."""
        return int(self.measured.robust.sum())

    @property
    def accuracy(self) -> float:
        """Share of the examples classified correctly under the attack, in [0, 1]."""
        return self.correct / self.examples

    def to_json(self) -> dict[str, Any]:
        """Return everything but the examples themselves."""
        return {
            "attack": self.attack, "metric": self.metric, "epsilon": self.epsilon,
            "examples": self.examples, "correct": self.correct,
            "seconds": round(self.seconds, 3),
        }  # fmt: skip


def metric_of(attack: str, threat: Threat) -> str:
    """Return the name of an attack's metric.

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
    """Measure the accuracy without an attack."""
    begun = time.perf_counter()
    flags = correct(model, images, labels)
    seconds = time.perf_counter() - begun
    return AttackMetric(
        "clean", "accuracy.clean", 0.0, seconds, AttackOutcome(flags, flags, images)
    )


def attack_metric(
    attack: AttackName, model: nn.Module, images: Tensor, labels: Tensor, threat: Threat, seed: int
) -> AttackMetric:
    """Measure the accuracy under one attack.

    "pgd" is the full attack of a search, "apgdt" the first attack of its confirmation, "square"
    and "autoattack" come from `pyautoattack`.

    Args:
        attack: one of `ATTACKS`.
        model: maps images to logits.
        images: float32 (n, channels, height, width) in [0, 1], n > 0.
        labels: int64 (n,).
        threat: norm, epsilon, and what the attacks of a search need.
        seed: seed of the random starts and of AutoAttack.

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


def worst_case(metrics: Sequence[AttackMetric], threat: Threat) -> AttackMetric:
    """Return the worst case of one or more attacks on the same examples."""
    robust, adversarial = (
        metrics[0].measured.robust.copy(),
        metrics[0].measured.adversarial_examples.clone(),
    )
    for each in metrics[1:]:
        newly = torch.from_numpy(np.flatnonzero(robust & ~each.measured.robust))
        adversarial[newly] = each.measured.adversarial_examples[newly]
        robust &= each.measured.robust
    worst = AttackOutcome(robust, metrics[0].measured.clean, adversarial)
    return AttackMetric("worst", threat.worst_metric(), threat.epsilon, 0.0, worst)


def _fgsm(model: nn.Module, images: Tensor, labels: Tensor, threat: Threat) -> AttackOutcome:
    clean = torch.from_numpy(correct(model, images, labels)).to(images.device)
    standing, adversarial = clean.clone(), images.clone()
    whole = Ball(images, threat.norm, threat.epsilon)
    with evaluating(model):
        for i in batches(standing):
            shown = fgsm(model, labels[i], whole.at(i))
            with torch.no_grad():
                record_misclassified(
                    i, shown, margin(model(shown), labels[i]), standing, adversarial
                )
    return AttackOutcome(standing.cpu().numpy(), clean.cpu().numpy(), adversarial)


def _apgdt(
    model: nn.Module, images: Tensor, labels: Tensor, threat: Threat, seed: int
) -> AttackOutcome:
    clean = correct(model, images, labels)
    before = torch.from_numpy(clean).to(images.device)
    standing, adversarial = targeted_apgd(model, images, labels, threat, before, seed)
    return AttackOutcome(standing.cpu().numpy(), clean, adversarial)

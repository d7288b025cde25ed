"""The attacks on pixels that are under contract, the threats, and a classifier known on paper.

A new attack is one more line in `ATTACKS`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models.adversarial.pixels.apgd import apgd
from models.adversarial.pixels.attacks import Ball, margin_loss
from models.adversarial.pixels.autoattack import is_installed
from models.adversarial.pixels.evaluation import (
    AttackOutcome,
    correct,
    evaluating,
    measure,
    record_misclassified,
)
from models.adversarial.pixels.metrics import AttackName, attack_metric
from models.adversarial.pixels.square_attack import square_attack
from models.adversarial.threat_model import Threat

# Model, images, labels, threat, seed.
Attack = Callable[[nn.Module, Tensor, Tensor, Threat, int], AttackOutcome]

# In L2 what moves all 36 pixels by 0.1, so that both move an image's mean by 0.1 at most.
THREATS = {
    "linf": Threat(epsilon=0.1, steps=4),
    "l2": Threat(norm="l2", epsilon=0.6, steps=4),
}


def judged(name: AttackName) -> Attack:
    """An attack as a finished model is judged by it."""
    return lambda *arguments: attack_metric(name, *arguments).measured


def plain_pgd(
    model: nn.Module, images: Tensor, labels: Tensor, threat: Threat, seed: int
) -> AttackOutcome:
    return measure(model, images, labels, threat, seed, losses=["cross_entropy"])


def recorded(found: Callable[..., tuple[Tensor, Tensor]]) -> Attack:
    """What an attack shows and the margins there, kept as every attack's are."""

    def attack(
        model: nn.Module, images: Tensor, labels: Tensor, threat: Threat, seed: int
    ) -> AttackOutcome:
        clean = torch.from_numpy(correct(model, images, labels))
        standing, adversarial_examples, index = clean.clone(), images.clone(), clean.nonzero()[:, 0]
        ball = Ball(images, threat.norm, threat.epsilon).at(index)
        with evaluating(model):
            shown, margins = found(model, labels[index], ball, seed)
        record_misclassified(index, shown, margins, standing, adversarial_examples)
        return AttackOutcome(standing.numpy(), clean.numpy(), adversarial_examples)

    return attack


@recorded
def untargeted_apgd(
    model: nn.Module, labels: Tensor, ball: Ball, seed: int
) -> tuple[Tensor, Tensor]:
    start = ball.noise(torch.Generator().manual_seed(seed))
    return apgd(model, labels, ball, steps=10, start=start, loss=margin_loss)


@recorded
def own_square(model: nn.Module, labels: Tensor, ball: Ball, seed: int) -> tuple[Tensor, Tensor]:
    return square_attack(model, labels, ball, queries=100, seed=seed)


ATTACKS: dict[str, Attack] = {
    "fgsm": judged("fgsm"),
    "pgd": judged("pgd"),
    "pgd up cross-entropy": plain_pgd,
    "apgd": untargeted_apgd,
    "apgdt": judged("apgdt"),
    "own square": own_square,
    "square": judged("square"),
    "autoattack": judged("autoattack"),
}
# Those of pyautoattack: 5,000 queries an image, so AutoAttack in L-infinity stands for them daily.
OF_THE_LIBRARY = ("square", "autoattack")
# Random searches: a larger ball may well be searched with less luck.
BY_CHANCE = ("own square", "square")


def marks(name: str, norm: str) -> list[Any]:
    if name not in OF_THE_LIBRARY:
        return []
    missing = pytest.mark.skipif(not is_installed(), reason="needs the extra 'autoattack'")
    is_daily = (name, norm) == ("autoattack", "linf")
    return [missing, pytest.mark.slow if is_daily else pytest.mark.long]


def each() -> pytest.MarkDecorator:
    """Runs a check with each attack in each norm."""
    return pytest.mark.parametrize(
        ("name", "threat"),
        [
            pytest.param(name, threat, id=f"{name}, {norm}",
                         marks=marks(name, norm))
            for name in ATTACKS for norm, threat in THREATS.items()
        ],
    )  # fmt: skip


class Nearest(nn.Module):
    """Class k of 4 where an image's mean is nearest to k / 3; a border is 1/6 from each centre.

    Batch normalisation and dropout do something in training mode alone: it has a mode to lose.
    """

    def __init__(self) -> None:
        super().__init__()
        self.normalise = nn.BatchNorm2d(1)
        self.means = nn.Parameter(torch.linspace(0, 1, 4))
        self.dropout = nn.Dropout(0.5)

    def forward(self, images: Tensor) -> Tensor:
        means = self.dropout(self.normalise(images).mean(dim=(1, 2, 3)))
        return -10 * (means[:, None] - self.means).abs()


# Borders are at 1/6, 1/2 and 5/6. The last two are misclassified as they are.
BRIGHTNESS = torch.tensor([0.0, 0.14, 0.2, 1 / 3, 0.9, 1.0, 0.9, 0.3])
IMAGES = BRIGHTNESS[:, None, None, None].expand(-1, 1, 6, 6).clone()
LABELS = torch.tensor([0, 0, 1, 1, 3, 3, 0, 2])

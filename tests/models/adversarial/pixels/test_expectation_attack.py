"""The attack on models whose outputs jump."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from models.adversarial.pixels.attacks import Ball, margin, margin_loss
from models.adversarial.pixels.expectation_attack import JITTER, expectation_attack, jittered
from tests.support.masked_networks import MASKED
from tests.support.tiny_classifiers import THREATS, Linear, Then, examples

IMAGES, LABELS = examples()


def attacked(model: torch.nn.Module, norm: str) -> tuple[Tensor, Tensor, Ball]:
    ball = Ball(IMAGES, norm, THREATS[norm].epsilon)
    found, margins = expectation_attack(
        model, LABELS, ball, start=torch.zeros_like(IMAGES), loss=margin_loss,
        generator=torch.Generator().manual_seed(0),
    )  # fmt: skip
    return found, margins, ball


@pytest.mark.parametrize("norm", sorted(THREATS))
def test_a_linear_model_is_attacked_as_well_as_it_can_be_and_within_the_ball(norm: str) -> None:
    found, margins, ball = attacked(Linear(), norm)
    assert torch.allclose(ball.project(found), found, atol=1e-6)
    assert torch.equal(margins, margin(Linear()(found), LABELS))
    if norm == "linf":
        # Own pixels darker by 0.1, those of the best other class brighter: logits are means of 20
        # times the pixels, and each moves by 2. Several others may be the best in turn.
        most = margin(Linear()(IMAGES), LABELS).detach() - 4.0
        assert (margins >= most - 1e-3).all() and float((margins - most).median()) < 0.5


def test_the_weakest_of_networks_chosen_by_bits_is_found() -> None:
    robust = Then(Linear(), lambda logits: 10 * logits + 5 * torch.nn.functional.one_hot(LABELS, 3))
    # The second network is wrong everywhere, and half of the bits choose it.
    wrong = Then(Linear(), lambda logits: logits - 100 * torch.nn.functional.one_hot(LABELS, 3))
    _, margins, _ = attacked(MASKED["hash of the pixels"]([robust, wrong]), "linf")
    # 160 points: none of them is by the second network with probability 2^-160.
    assert (margins < 0).all()


def test_jitters_are_tiny_and_stay_in_the_ball_and_the_box() -> None:
    images = torch.tensor([0.0, 0.5, 1.0]).repeat(10, 1, 1, 1)
    moved = jittered(images, Ball(images, "linf", 0.1), torch.Generator().manual_seed(0))
    # The spacing of float32 below 1.
    assert float((moved - images).abs().max()) <= JITTER + 2**-24
    assert (moved >= 0).all() and (moved <= 1).all() and (moved != images).any()

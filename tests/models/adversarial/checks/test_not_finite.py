"""Outputs and gradients that are not finite are named, counted, and not taken for masking."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from models.adversarial.checks.gradient_masking import check
from models.adversarial.checks.not_finite import not_finite_warnings
from models.adversarial.checks.warning import GradientMaskingWarning
from models.adversarial.pixels.attacks import Ball
from tests.support.tiny_classifiers import THREATS, Linear, NoWayBack, Then, Through, examples

IMAGES, LABELS = examples()
THREAT = THREATS["linf"]


def root_where(is_dark: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """The same images; their gradient is NaN where `is_dark`, as of a root at zero."""
    return lambda images: images + 0 * torch.sqrt(images * ~is_dark(images))


def first_of(images: Tensor) -> Tensor:
    """Whether it is the first image, unchanged; like the images."""
    return (images == IMAGES[0]).flatten(1).all(1)[:, None, None, None].expand(images.shape)


def infinite_beside(value: float) -> nn.Module:
    """The first logit is not finite for every image but the clean ones."""

    class Beside(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            is_known = (images[:, None] == IMAGES).flatten(2).all(2).any(1)
            logits = Linear()(images)
            return torch.where(is_known[:, None], logits, value)

    return Beside()


def warnings(model: nn.Module) -> list[GradientMaskingWarning]:
    ball = Ball(IMAGES, THREAT.norm, THREAT.epsilon)
    return not_finite_warnings(model, IMAGES, LABELS, ball, seed=0)


def test_an_honest_model_raises_none() -> None:
    assert warnings(Linear()) == []


def test_a_single_gradient_of_nan_is_enough() -> None:
    (found,) = warnings(Through(root_where(first_of), Linear()))
    assert found.name == "gradients are not finite"
    assert found.measured == "images: 1 of 40, random points: none"


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_outputs_beside_the_images_are_looked_at(value: float) -> None:
    (found,) = warnings(infinite_beside(value))
    assert found.name == "outputs are not finite"
    assert found.measured == "images: none, random points: 40 of 40"


@pytest.mark.parametrize("function", [Tensor.detach, NoWayBack.apply])
def test_a_missing_gradient_is_none_that_is_not_finite(
    function: Callable[[Tensor], Tensor],
) -> None:
    assert warnings(Then(Linear(), function)) == []


NAN = {
    "gradients": Through(root_where(lambda images: images < 0.32), Linear()),
    "a pixel's gradient": Through(root_where(first_of), Linear()),
    "some logits": Then(Linear(), lambda logits: torch.where(logits > -2, logits, torch.nan)),
    "all logits": Then(Linear(), lambda logits: logits * torch.nan),
}


@pytest.mark.parametrize("kind", NAN)
def test_it_is_not_called_a_vanishing_gradient_or_an_extreme_scale(kind: str) -> None:
    found = {each.name for each in check(NAN[kind], IMAGES, LABELS, THREAT, 0)}
    own = {"gradients are not finite", "outputs are not finite"}
    assert found & own and found <= own | {"the gradient is not that of the outputs"}

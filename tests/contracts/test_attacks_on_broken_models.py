"""The contract of attacks on models that are broken: NaN, no gradient, one class.

Whatever a model does, every attack of the catalog gives an upper bound in [0, 1] and images of the
ball, and the checks say what is wrong with the model.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models.adversarial.checks.gradient_masking import check
from models.adversarial.pixels.evaluation import AttackOutcome, correct
from models.adversarial.threat_model import Threat
from tests.support.attack_contract import ATTACKS, IMAGES, LABELS, THREATS, Nearest, each
from tests.support.tiny_classifiers import NoWayBack, Then, Through

N = len(IMAGES)


def root_of_zero(images: Tensor) -> Tensor:
    """The same images; the gradient is NaN at every pixel below 0.18, as of a norm at zero."""
    return images + 0 * torch.sqrt(images * (images > 0.18))


def no_number(value: float) -> Callable[[Tensor], Tensor]:
    """One logit is not finite where that of class 2 exceeds -2.5: for a mean in 0.42 to 0.92."""

    def spoil(logits: Tensor) -> Tensor:
        first = torch.where(logits[:, 2] > -2.5, value, logits[:, 0])
        return torch.cat([first[:, None], logits[:, 1:]], dim=1)

    return spoil


def decided(logits: Tensor) -> Tensor:
    return nn.functional.one_hot(logits.argmax(1), 4).float()


class Constant(nn.Module):
    """Answers class 1 to everything, by an output that does not see the images."""

    def __init__(self) -> None:
        super().__init__()
        self.answer = nn.Parameter(torch.tensor([0.0, 1.0, 0.0, 0.0]))

    def forward(self, images: Tensor) -> Tensor:
        return self.answer.expand(len(images), 4)


# The name of the warning that says what is wrong.
BROKEN: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "NaN gradients": (lambda: Through(root_of_zero, Nearest()), "gradients are not finite"),
    "NaN logits": (lambda: Then(Nearest(), no_number(torch.nan)), "outputs are not finite"),
    "infinite logits": (lambda: Then(Nearest(), no_number(torch.inf)), "outputs are not finite"),
    "detached outputs": (lambda: Then(Nearest(), Tensor.detach), "not differentiable"),
    "detached images": (lambda: Through(Tensor.detach, Nearest()), "not differentiable"),
    "predictions": (lambda: Then(Nearest(), decided), "not differentiable"),
    "no way back": (lambda: Then(Nearest(), NoWayBack.apply), "not differentiable"),
    "one class": (Constant, "one class is answered"),
}
broken = pytest.mark.parametrize("kind", BROKEN)


def in_ball(outcome: AttackOutcome, threat: Threat) -> bool:
    found = outcome.adversarial_examples
    order = np.inf if threat.norm == "linf" else 2
    sizes = torch.linalg.vector_norm((found - IMAGES).flatten(1), ord=order, dim=1)
    # NaN fails every comparison. Rounding of the sum of image and perturbation, which is 1 at most.
    is_near = bool((sizes <= threat.epsilon + 1e-6).all())
    return is_near and bool(((found >= 0) & (found <= 1)).all())


@broken
@each()
def test_it_gives_an_upper_bound_and_images_of_the_ball(
    name: str, threat: Threat, kind: str
) -> None:
    """Every misclassified image is proved by an image of the ball that a person can show."""
    model = BROKEN[kind][0]()
    found = ATTACKS[name](model, IMAGES, LABELS, threat, 0)
    assert found.robust.shape == (N,) and not (found.robust & ~found.clean).any()
    assert 0 <= found.robust.mean() <= found.clean.mean() <= 1
    assert in_ball(found, threat)
    assert np.array_equal(correct(model, found.adversarial_examples, LABELS), found.robust)


@broken
@pytest.mark.parametrize("threat", THREATS.values(), ids=THREATS)
def test_the_checks_name_what_is_wrong_in_three_parts(kind: str, threat: Threat) -> None:
    model, name = BROKEN[kind][0](), BROKEN[kind][1]
    found = check(model, IMAGES, LABELS, threat, 0)
    assert name in [warning.name for warning in found]
    for warning in found:
        assert all(len(text) > 5 for text in dataclasses.astuple(warning))


@pytest.mark.parametrize("threat", THREATS.values(), ids=THREATS)
def test_a_classifier_of_one_class_is_not_called_masked(threat: Threat) -> None:
    assert [each.name for each in check(Constant(), IMAGES, LABELS, threat, 0)] == [
        "one class is answered"
    ]


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_logits_that_are_not_finite_count_as_wrong(value: float) -> None:
    """Even where the infinite one is the true class."""
    model = Then(Nearest(), lambda logits: logits.index_fill(1, torch.tensor([3]), value))
    assert not correct(model, IMAGES, LABELS).any()


@pytest.mark.parametrize("kind", [each for each, (_, name) in BROKEN.items() if "differ" in name])
def test_a_model_without_gradients_gets_the_number_of_a_black_box_attack(kind: str) -> None:
    """0.14 and 0.2 are nearer to the border 1/6 than the ball of 0.1 reaches, 0.9 to 5/6 too.

    Predictions say nothing about the way to 5/6, two thirds of the ball away.
    """
    found = ATTACKS["pgd"](BROKEN[kind][0](), IMAGES, LABELS, THREATS["linf"], 0)
    expected = [True, False, False, True, kind == "predictions", True, False, False]
    assert found.robust.tolist() == expected


@pytest.mark.parametrize("norm", THREATS)
def test_a_gradient_of_nan_hides_nothing_from_the_full_attack(norm: str) -> None:
    """Images 0 and 1 have NaN gradients; 0.14 is near the border, and image 0 out of its reach."""
    model = Through(root_of_zero, Nearest())
    found = ATTACKS["pgd"](model, IMAGES, LABELS, THREATS[norm], 0)
    assert found.robust[0] and (norm == "l2" or not found.robust[1])

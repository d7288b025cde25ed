"""The contract of attacks on pixels: what each of `ATTACKS` keeps, in each norm.

They are looked at with what is kept of them, example by example, on a classifier whose robust
images are known on paper. How strong an attack is on a network that was trained is for its own
tests.
"""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models.adversarial.pixels.evaluation import AttackOutcome, correct
from models.adversarial.pixels.final_evaluation import accuracy_curve
from models.adversarial.pixels.metrics import ATTACKS as JUDGED
from models.adversarial.pixels.metrics import (
    AttackMetric,
    AttackName,
    attack_metric,
    metric_of,
    worst_case,
)
from models.adversarial.threat_model import Threat
from tests.support.attack_contract import (
    ATTACKS,
    BY_CHANCE,
    IMAGES,
    LABELS,
    THREATS,
    Nearest,
    each,
    marks,
)

DISTANCES = np.array([1 / 6, 1 / 6 - 0.14, 0.2 - 1 / 6, 1 / 6, 0.9 - 5 / 6, 1 / 6])
IS_CLEAN = np.array([True] * 6 + [False] * 2)


@functools.cache
def found_by(name: str, threat: Threat) -> AttackOutcome:
    """What an attack finds, for checks that only look at it."""
    return ATTACKS[name](Nearest(), IMAGES, LABELS, threat, 0)


def robust_on_paper(threat: Threat) -> np.ndarray:
    """Which images no change of the mean within the ball turns into an error."""
    reach = threat.epsilon if threat.norm == "linf" else threat.epsilon / 6
    return np.append(DISTANCES > reach, [False, False])


@each()
def test_it_stays_in_the_ball_and_in_the_box(name: str, threat: Threat) -> None:
    """Four times the size reaches black and white, where clipping works hardest."""
    large = threat.at(4 * threat.epsilon)
    found = found_by(name, large)
    order = np.inf if threat.norm == "linf" else 2
    sizes = torch.linalg.vector_norm(
        (found.adversarial_examples - IMAGES).flatten(1), ord=order, dim=1
    )
    # Rounding of the sum of image and perturbation, which is 1 at most.
    assert bool((sizes <= large.epsilon + 1e-6).all())
    assert (
        float(found.adversarial_examples.min()) >= 0
        and float(found.adversarial_examples.max()) <= 1
    )


@each()
def test_the_same_seed_gives_the_same_result(name: str, threat: Threat) -> None:
    """Whatever the global generator is at."""
    first = found_by(name, threat)
    torch.rand(1)
    second = ATTACKS[name](Nearest(), IMAGES, LABELS, threat, 0)
    assert torch.equal(first.adversarial_examples, second.adversarial_examples)
    assert np.array_equal(first.robust, second.robust)


@each()
def test_it_leaves_the_model_as_it_was(name: str, threat: Threat) -> None:
    """Every part's mode, buffers, weights, gradients, and the global random state."""
    model = Nearest().train()
    model.dropout.eval()
    model.means.grad = torch.full((4,), 7.0)
    model.normalise.weight.requires_grad_(False)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    torch.manual_seed(3)
    chance = torch.get_rng_state()
    ATTACKS[name](model, IMAGES, LABELS, threat, 0)
    assert torch.equal(torch.get_rng_state(), chance)
    assert (model.training, model.normalise.training, model.dropout.training) == (True, True, False)
    assert all(torch.equal(before[name], after) for name, after in model.state_dict().items())
    assert torch.equal(model.means.grad, torch.full((4,), 7.0))
    assert model.normalise.weight.grad is None and model.normalise.bias.grad is None
    assert [each.requires_grad for each in model.parameters()] == [True, False, True]


@each()
def test_an_image_that_was_misclassified_counts_as_such(name: str, threat: Threat) -> None:
    """It is neither clean nor robust, nobody broke it, and it is shown as it is."""
    found = found_by(name, threat)
    assert np.array_equal(found.clean, IS_CLEAN)
    assert not found.robust[~IS_CLEAN].any() and not (found.misclassified > 5).any()
    assert torch.equal(found.adversarial_examples[~IS_CLEAN], IMAGES[~IS_CLEAN])


@each()
def test_its_adversarial_examples_prove_what_it_misclassified(name: str, threat: Threat) -> None:
    """They are misclassified, what stands is shown as it is, and what cannot be broken stands."""
    model, found = Nearest(), found_by(name, threat)
    assert np.array_equal(correct(model, found.adversarial_examples, LABELS), found.robust)
    changed = np.flatnonzero((found.adversarial_examples != IMAGES).flatten(1).any(1).numpy())
    assert np.array_equal(changed, found.misclassified)
    assert not (robust_on_paper(threat) & ~found.robust).any()


@each()
def test_it_breaks_what_is_near_the_border(name: str, threat: Threat) -> None:
    """0.067 to the border are two thirds of its way, and the others' less."""
    if name in BY_CHANCE and threat.norm == "l2":
        pytest.skip("half of each of its squares is darkened, so the mean stays as it was")
    assert found_by(name, threat).robust.tolist() == robust_on_paper(threat).tolist()
    assert robust_on_paper(threat).tolist() == [True, False, False, True, False, True, False, False]


@each()
def test_more_budget_never_helps_the_defender(name: str, threat: Threat) -> None:
    """Here by itself; anywhere in the worst case of both, for small changes are in large balls."""
    found = []
    for factor in (0.5, 1.0, 2.0):
        at = threat.at(factor * threat.epsilon)
        found.append(AttackMetric(name, at.metric(), at.epsilon, 0.0, found_by(name, at)))
    for small, large in itertools.pairwise(found):
        if name not in BY_CHANCE:
            assert not (large.measured.robust & ~small.measured.robust).any()
    worst = worst_case(found, threat.at(2 * threat.epsilon)).measured
    assert np.array_equal(worst.robust, np.all([each.measured.robust for each in found], axis=0))
    assert np.array_equal(correct(Nearest(), worst.adversarial_examples, LABELS), worst.robust)


class NanBeside(nn.Module):
    """A model that yields NaN for every image but `IMAGES`."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Nearest()

    def forward(self, images: Tensor) -> Tensor:
        is_known = (images[:, None] == IMAGES).flatten(2).all(2).any(1)
        return self.model(images).where(is_known[:, None], torch.nan)


class NanAlways(NanBeside):
    """A model that has diverged."""

    def forward(self, images: Tensor) -> Tensor:
        return self.model(images) * torch.nan


@each()
def test_nan_is_not_called_robust(name: str, threat: Threat) -> None:
    """An error may lie next to an image that is classified correctly."""
    near = threat.at(0.7 * threat.epsilon)  # so that no image is moved to where another one is
    found = ATTACKS[name](NanBeside(), IMAGES, LABELS, near, 0)
    assert np.array_equal(found.clean, IS_CLEAN) and not found.robust.any()


@each()
def test_a_model_that_has_diverged_is_not_attacked(name: str, threat: Threat) -> None:
    """NaN at an image itself is an error already."""
    found = ATTACKS[name](NanAlways(), IMAGES, LABELS, threat, 0)
    assert not found.clean.any() and not found.robust.any()
    assert torch.equal(found.adversarial_examples, IMAGES)


@pytest.mark.parametrize("name", [pytest.param(name, marks=marks(name, "linf")) for name in JUDGED])
def test_its_accuracy_counts_every_image(name: AttackName) -> None:
    """Three of eight withstand, and two of the others were misclassified before."""
    threat = THREATS["linf"]
    found = attack_metric(name, Nearest(), IMAGES, LABELS, threat, 0)
    assert (found.examples, found.correct, found.accuracy) == (8, 3, 3 / 8)
    assert found.metric == metric_of(name, threat) and found.seconds > 0


def test_every_attack_that_judges_a_model_is_under_contract() -> None:
    assert set(JUDGED) <= set(ATTACKS)


class Stairs(Nearest):
    """The same, of pixels rounded to ten levels: no gradient leads anywhere."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(torch.round(9 * images) / 9)


@pytest.mark.parametrize("threat", THREATS.values(), ids=THREATS)
def test_a_curve_over_epsilon_never_rises(threat: Threat) -> None:
    """Even where chance alone finds something, since what a small ball holds is replayed."""
    points = accuracy_curve(Stairs(), IMAGES, LABELS, threat, 0)
    accuracies = [each.accuracy for each in points]
    assert accuracies == sorted(accuracies, reverse=True) and accuracies[0] > accuracies[-1]

import numpy as np
import pytest
import torch
from torch import nn

from models.adversarial.checks.gradient_masking_attacks import (
    attack_warnings,
    black_box,
    everything,
    exceeds,
    grid,
    grid_warnings,
    one_and_many_steps,
)
from models.adversarial.pixels.evaluation import robust_correct
from models.adversarial.threat_model import Threat
from tests.support.tiny_classifiers import THREATS, Linear, Through, examples

NORMS = sorted(THREATS)


def rounded(classes: int = 3) -> nn.Module:
    return Through(lambda images: torch.round(4 * images) / 4, Linear(classes))


def names(model: nn.Module, norm: str, classes: int = 3) -> list[str]:
    found = attack_warnings(model, *examples(classes), THREATS[norm], seed=0)
    return [warning.name for warning in found]


@pytest.mark.parametrize(
    "more, fewer, claim",
    [(4, 0, True), (3, 0, False), (0, 0, False), (0, 9, False), (10, 3, False), (11, 3, True)],
)
def test_a_difference_counts_beyond_two_standard_errors(more, fewer, claim) -> None:
    # 10 against 3: 7 is less than 2 sqrt(13) = 7.2; 11 against 3: 8 is more than 2 sqrt(14) = 7.5.
    one = np.array([True] * more + [False] * fewer + [True, False])
    other = np.array([False] * more + [True] * fewer + [True, False])
    assert exceeds(one, other) is claim


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("classes", [2, 3])
def test_attacks_on_a_linear_model_behave(norm: str, classes: int) -> None:
    assert names(Linear(classes), norm, classes) == []


class Trap(nn.Module):
    """Two classes; along brightness u = (mean - 0.5) / 0.1 a well that steps of 0.25 never leave.

    The margin is 0.5 - 0.3 sin(4 pi u), less 4 (u - 0.75) beyond u = 0.75: it falls at u = 0,
    rises again at u = 0.25, and is -0.5 at u = 1, where a single step of the whole ball leads.
    """

    def forward(self, images):
        u = (images.flatten(1).mean(1) - 0.5) / 0.1
        margin = 0.5 - 0.3 * torch.sin(4 * torch.pi * u) - 4 * torch.relu(u - 0.75)
        return torch.stack([margin, torch.zeros_like(margin)], dim=1)


def test_a_single_step_that_beats_ten_is_noticed() -> None:
    images, labels = torch.full((8, 1, 4, 4), 0.5), torch.zeros(8, dtype=torch.long)
    once, often = one_and_many_steps(Trap(), images, labels, THREATS["linf"])
    assert not once.any() and often.all()
    found = attack_warnings(Trap(), images, labels, THREATS["linf"], seed=0)
    assert "an iterative attack is weaker than a single step" in [w.name for w in found]


@pytest.mark.parametrize("norm", NORMS)
def test_square_breaks_what_gradients_of_zero_left_standing(norm: str) -> None:
    images, labels = examples()
    right = rounded()(images).argmax(1) == labels
    images, labels = images[right], labels[right]
    white_box = robust_correct(rounded(), images, labels, THREATS[norm], 0)
    assert white_box.any()
    assert black_box(rounded(), images, labels, THREATS[norm], white_box, 0) >= 3
    assert "a black-box attack beats the white-box one" in names(rounded(), norm)


def test_square_finds_nothing_where_no_image_is_robust() -> None:
    images, labels = examples()
    nothing = np.zeros(len(labels), dtype=bool)
    assert black_box(Linear(), images, labels, THREATS["linf"], nothing, 0) == 0


@pytest.mark.parametrize("norm", NORMS)
def test_the_grid_ends_where_every_image_can_be_grey(norm: str) -> None:
    images, labels = examples()
    threat = THREATS[norm]
    white_box = robust_correct(Linear(), images, labels, threat, 0)
    found = grid(Linear(), images, labels, threat, white_box, 0)
    largest = {"linf": 0.5, "l2": 2.0}[norm]  # 0.5 sqrt(16)
    assert everything(images, threat) == largest
    assert list(found) == [0.5 * threat.epsilon, threat.epsilon, 2 * threat.epsilon, largest]
    assert not found[largest].any()


def test_a_ball_larger_than_the_grid_ends_it_itself() -> None:
    images, labels = examples()
    white_box = np.zeros(len(labels), dtype=bool)
    found = grid(Linear(), images, labels, Threat(epsilon=0.6), white_box, 0)
    assert list(found) == [0.3, 0.5, 0.6]


@pytest.mark.parametrize("norm", NORMS)
def test_accuracy_that_stays_up_at_a_large_epsilon_is_noticed(norm: str) -> None:
    assert "robust accuracy stays up at a large epsilon" in names(rounded(), norm)


def test_accuracy_that_rises_with_epsilon_is_noticed() -> None:
    low, high, none = (np.arange(20) < count for count in (10, 15, 0))
    assert grid_warnings({0.1: high, 0.2: low, 0.5: none}) == []
    (rising,) = grid_warnings({0.1: low, 0.2: high, 0.5: none})
    assert rising.name == "robust accuracy rises with epsilon"
    assert "0.2: 0.750" in rising.measured

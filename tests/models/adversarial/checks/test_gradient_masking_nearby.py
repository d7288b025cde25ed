"""Outputs next to images: whether they jump, and whether they follow their gradient."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from models.adversarial.checks.gradient_masking_nearby import nearby, nearby_warnings
from models.adversarial.checks.search_warnings import NO_GRADIENT
from tests.support.masked_networks import MASKED, straight_through
from tests.support.tiny_classifiers import Linear, NoWayBack, Then, Through, examples

IMAGES, LABELS = examples()
JUMP, GRADIENT = "the outputs jump", "the gradient is not that of the outputs"


def names(model: nn.Module) -> set[str]:
    return {warning.name for warning in nearby_warnings(model, IMAGES, LABELS, seed=0)}


@pytest.mark.parametrize("factor", [1e-6, 1.0, 1e6])
def test_a_linear_model_neither_jumps_nor_has_a_wrong_gradient(factor: float) -> None:
    found = nearby(Then(Linear(), lambda logits: factor * logits), IMAGES, LABELS, seed=0)
    assert found.jumps == 0
    # Rounding: logits of about 5 are off by 6e-7 each, a difference over 2e-3 changes by 1e-3 or
    # more.
    assert found.gradient_error < 0.01


def test_the_relative_error_of_a_scaled_gradient_is_the_missing_part() -> None:
    # Half of the images' effect is detached: the gradient says half of the change.
    half = Through(lambda images: images / 2 + images.detach() / 2, Linear())
    assert nearby(half, IMAGES, LABELS, seed=0).gradient_error == pytest.approx(0.5, abs=0.01)
    inverted = Through(lambda images: 2 * images.detach() - images, Linear())
    assert nearby(inverted, IMAGES, LABELS, seed=0).gradient_error == pytest.approx(2, abs=0.01)


def nan_gradient(images: Tensor) -> Tensor:
    return images + torch.sqrt(0.0 * images) * 0.0  # 0 times the infinite slope of a root at 0


def test_a_gradient_that_is_not_finite_or_missing_is_wrong() -> None:
    found = nearby(Through(nan_gradient, Linear()), IMAGES, LABELS, seed=0)
    assert found.gradient_error == NO_GRADIENT and found.jumps == 0
    assert names(Then(Linear(), NoWayBack.apply)) == {GRADIENT}


def test_labels_alone_jump_at_the_boundary_between_two_classes_only() -> None:
    def labels(logits: Tensor) -> Tensor:
        return nn.functional.one_hot(logits.argmax(1), 3) + 0.01 * logits

    found = nearby(Then(Linear(), labels), IMAGES, LABELS, seed=0)
    assert found.jumps == 1.0 and found.gradient_error < 0.01


def test_networks_chosen_by_bits_or_at_random_jump_next_to_images() -> None:
    torch.manual_seed(0)
    two = [Linear(), Then(Linear(), lambda logits: logits.flip(1))]
    for name in ("hash of the pixels", "network drawn at random"):
        # By chance two evaluations are of one network half of the time; the boundary adds to it.
        assert nearby(MASKED[name](two), IMAGES, LABELS, seed=0).jumps > 0.3
        assert JUMP in names(MASKED[name](two))


def test_steep_but_continuous_outputs_do_not_jump() -> None:
    # The slope is 200 times that of the images: over 1e-6 the change is 1e-4 of their range.
    steep = Through(lambda images: torch.tanh(200 * (images - 0.3)), Linear())
    assert nearby(steep, IMAGES, LABELS, seed=0).jumps == 0


def rounded(levels: int) -> nn.Module:
    """Pixels rounded to levels, with the gradient of doing nothing, then a linear model."""
    return Through(lambda images: straight_through(images, levels), Linear())


def test_inputs_rounded_to_bytes_are_not_accused_of_their_steps() -> None:
    found = nearby(rounded(256), IMAGES, LABELS, seed=0)
    # At the most all pixels of a class step at once: 20 / 255 = 0.08, of a spread of about 3.
    assert found.jumps == 0
    # Over 1e-3, a quarter of a level, most pixels stand still and a few step: at two levels each
    # change is right up to one rounding, uniform of deviation 0.29 levels at either end.
    assert found.gradient_error < 0.29 * 2**0.5 / 4 * 1.5
    assert names(rounded(256)) == set()


def test_inputs_rounded_to_few_levels_jump_and_do_not_follow_their_gradient() -> None:
    # Images lie within 0.3 to 0.74, a step of which is 0.33 and changes a class's logit by 6.7.
    assert names(rounded(4)) == {JUMP, GRADIENT}


def test_bytes_hide_no_network_that_is_chosen_by_them() -> None:
    """A hash of rounded pixels: it changes from level to level, not from bit to bit."""
    torch.manual_seed(0)
    two = [Linear(), Then(Linear(), lambda logits: logits.flip(1))]
    bits = MASKED["hash of the pixels"](two)
    coarse = Through(lambda images: straight_through(images, 256), bits)
    assert GRADIENT in names(coarse)


def test_a_distance_at_which_nothing_moves_is_no_evidence_of_a_right_gradient() -> None:
    def above_half(images: Tensor) -> Tensor:
        step = (images > 0.5).float() + 0.0 * images  # its gradient is 0
        return torch.cat([step, -step], dim=1).flatten(1)

    pixel, label = torch.full((1, 1, 1, 1), 0.5), torch.tensor([0])
    wrong = [nearby(Then(nn.Identity(), above_half), pixel, label, seed).gradient_error == 1
             for seed in range(100)]  # fmt: skip
    # Points are uniform over 0.48 to 0.52. Of them 2e-3 / 0.04 = 5 % lie within the smaller
    # distance, 1e-3, of the step and (4 / 255) / 0.04 = 39 % within the larger one.
    assert 25 <= sum(wrong) <= 53


@pytest.mark.parametrize("factor", [1.0, 30.0, 1000.0])
def test_what_a_softmax_of_large_logits_leaves_of_gradients_is_counted(factor: float) -> None:
    def probabilities(logits: Tensor) -> Tensor:
        return (factor * logits).softmax(1)

    # Of two classes the gradient has the factor p (1 - p), about exp(-factor * gap), and below
    # exp(-87.3) a float32 is denormal. Up to the other factors, at most about exp(10):
    logits = Linear()(IMAGES).topk(2, dim=1).values
    gaps = factor * (logits[:, 0] - logits[:, 1])
    least, most = (float((gaps > gap).float().mean()) for gap in (87.3 + 10, 87.3 - 10))
    found = nearby(Then(Linear(), probabilities), IMAGES, LABELS, seed=0)
    assert least <= found.vanished <= most
    assert (found.vanished > 0.05) == (factor > 1)


def test_a_model_of_one_class_and_equal_outputs_is_not_warned_of() -> None:
    for constant in (lambda logits: 0 * logits, lambda logits: 0 * logits + torch.arange(3)):
        assert names(Then(Linear(), constant)) == set()
        assert nearby(Then(Linear(), constant), IMAGES, LABELS, seed=0).vanished == 0
    assert nearby(Linear(), IMAGES[:1], LABELS[:1], seed=0).jumps == 0

import pytest
import torch

from models.adversarial.checks.gradient_masking_gradients import (
    agreement,
    differentiability,
    gradient_warnings,
    stepwise,
    vanished,
)
from models.adversarial.pixels.attacks import Ball, cross_entropy, margin_loss
from tests.support.broken_defences import GAIN, steep_tanh
from tests.support.tiny_classifiers import (
    THREATS,
    Linear,
    NoWayBack,
    Then,
    Through,
    examples,
    straight_through,
)

IMAGES, LABELS = examples()
NORMS = sorted(THREATS)


def ball_of(norm: str) -> Ball:
    return Ball(IMAGES, norm, THREATS[norm].epsilon)


def names(model, norm: str = "linf") -> list[str]:
    return [w.name for w in gradient_warnings(model, IMAGES, LABELS, ball_of(norm), seed=0)]


@pytest.mark.parametrize("norm", NORMS)
def test_gradients_of_a_linear_model_agree_everywhere(norm: str) -> None:
    cosine = agreement(Linear(), IMAGES, LABELS, ball_of(norm), seed=0)
    assert cosine == pytest.approx(1.0, abs=1e-6)  # float32
    assert names(Linear(), norm) == []


@pytest.mark.parametrize("norm", NORMS)
def test_gradients_of_a_rough_model_are_found_to_disagree(norm: str) -> None:
    # Waves of length 2 pi / 100 = 0.06 are shorter than the ball, so signs are all but random.
    rough = Through(lambda images: images + 0.1 * torch.sin(100 * images), Linear())
    assert names(rough, norm) == ["nearby gradients disagree"]
    # The same waves ten times longer and of the same slope bend little within it.
    smooth = Through(lambda images: images + 0.1 * torch.sin(3 * images), Linear())
    assert names(smooth, norm) == []


@pytest.mark.parametrize("factor", [1e-30, 1e-3, 30.0])
def test_agreement_is_blind_to_the_scale_of_the_logits(factor: float) -> None:
    bent = Through(lambda images: images + 0.1 * torch.sin(30 * images), Linear())
    scaled = Then(bent, lambda logits: factor * logits)
    expected = agreement(bent, IMAGES, LABELS, ball_of("linf"), seed=0)
    # float32: rounding of one multiplication more.
    assert agreement(scaled, IMAGES, LABELS, ball_of("linf"), seed=0) == pytest.approx(
        expected, abs=1e-5
    )


@pytest.mark.parametrize("gain, expected", [(1.0, []), (GAIN, ["nearby gradients disagree"])])
def test_a_network_of_steep_tanh_units_is_told_from_one_of_plain_ones(digits, gain, expected):
    images = torch.tensor(digits.validation_images[:64]).float() / digits.scale
    labels = torch.tensor(digits.validation_labels[:64])
    # Seeds of calibration are 100 and up, those of the benchmark's count 0 to 19.
    model = steep_tanh(digits, seed=50, epochs=5, gain=gain)
    found = gradient_warnings(model, images, labels, Ball(images, "linf", 0.1), seed=0)
    assert [warning.name for warning in found] == expected


def test_large_logits_lose_the_gradient_of_cross_entropy_and_keep_the_margins() -> None:
    # Gaps are at least 20 x 0.04 = 0.8; times 200 they exceed 103, where float32's exp is zero.
    scaled = Then(Linear(), lambda logits: 200 * logits)
    assert vanished(scaled, IMAGES, LABELS, cross_entropy) > 0.9
    assert vanished(scaled, IMAGES, LABELS, margin_loss) == 0
    assert names(scaled) == ["gradients vanish"]
    assert vanished(Linear(), IMAGES, LABELS, cross_entropy) == 0


def test_saturated_units_lose_both_gradients() -> None:
    dead = Through(lambda images: images.clamp(0.9, 1.0), Linear())
    assert vanished(dead, IMAGES, LABELS, margin_loss) == 1
    assert agreement(dead, IMAGES, LABELS, ball_of("linf"), seed=0) is None
    assert "gradients vanish" in names(dead)


def test_rounded_images_are_flat_and_move_though_their_gradient_is_zero() -> None:
    rounded = Through(lambda images: torch.round(4 * images) / 4, Linear())
    flat, blind = stepwise(rounded, IMAGES, LABELS, ball_of("linf"), seed=0)
    assert flat > 0.9 and blind > 0.9
    assert set(names(rounded)) == {"gradients vanish", "parts are not differentiable"}


def test_a_gradient_made_up_for_rounding_does_not_hide_that_the_outputs_are_flat() -> None:
    made_up = Through(straight_through, Linear())
    flat, blind = stepwise(made_up, IMAGES, LABELS, ball_of("linf"), seed=0)
    assert flat > 0.9 and blind == 0
    assert names(made_up) == ["parts are not differentiable"]


def test_bytes_on_the_very_border_of_a_quantiser_are_still_seen_to_be_flat() -> None:
    images = torch.full((5, 1, 4, 4), 0.5)  # rounds down or up: half an odd number of steps
    labels = torch.zeros(5, dtype=torch.long)
    rounded = Through(lambda images: torch.round(3 * images) / 3, Linear())
    assert stepwise(rounded, images, labels, Ball(images, "linf", 0.1), seed=0)[0] == 1


def test_a_missing_way_back_is_told_with_the_reason() -> None:
    assert differentiability(Linear(), IMAGES, LABELS) is None
    warning = differentiability(Then(Linear(), NoWayBack.apply), IMAGES, LABELS)
    assert warning is not None and "no way back" in warning.measured
    constant = Through(torch.ones_like, Linear())
    assert differentiability(constant, IMAGES, LABELS) is not None

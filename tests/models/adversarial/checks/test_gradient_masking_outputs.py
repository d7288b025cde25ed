import pytest
import torch
from torch import nn

from models.adversarial.checks.gradient_masking_outputs import (
    one_class,
    output_warnings,
    top_gap,
)
from tests.support.tiny_classifiers import Linear, Then, Through, examples


def names(model: nn.Module, n: int = 40) -> list[str]:
    return [warning.name for warning in output_warnings(model.eval(), examples(n=n)[0])]


def test_the_gap_is_the_median_of_the_largest_logit_minus_the_second() -> None:
    logits = torch.tensor([[1.0, 3.0, 2.0], [9.0, 4.0, -8.0], [0.0, 0.5, 2.5]])
    assert top_gap(logits) == 2.0  # gaps 1, 5, 2


@pytest.mark.parametrize("gap", [0.04, 41.0])
def test_logits_far_apart_and_all_but_equal_are_of_extreme_scale(gap: float) -> None:
    apart = Then(Linear(), lambda logits: torch.stack([logits[:, 0], logits[:, 0] + gap], dim=1))
    assert names(apart) == ["logits of extreme scale"]


@pytest.mark.parametrize("gap", [0.06, 39.0])
def test_logits_of_an_ordinary_scale_are_not(gap: float) -> None:
    assert (
        names(Then(Linear(), lambda logits: torch.stack([logits[:, 0], logits[:, 0] + gap], dim=1)))
        == []
    )


def test_probabilities_are_told_from_logits_that_only_are_positive() -> None:
    assert names(Then(Linear(), lambda logits: logits.softmax(1))) == ["outputs are probabilities"]
    assert names(Then(Linear(), torch.Tensor.abs)) == []
    # Log-probabilities are logits shifted image by image, which changes no loss.
    assert names(Then(Linear(), lambda logits: logits.log_softmax(1))) == []
    # Sums of one alone make no probabilities.
    assert names(Then(Linear(), lambda logits: logits - logits.mean(1, keepdim=True) + 1 / 3)) == []


def test_noise_in_evaluation_is_randomness_however_small() -> None:
    noisy = Through(lambda images: images + 1e-3 * torch.rand_like(images), Linear())
    assert names(noisy) == ["two evaluation passes disagree"]
    assert names(Through(nn.Dropout(0.5), Linear())) == []  # off in eval mode


def test_statistics_of_the_batch_are_seen_and_running_ones_are_not() -> None:
    by_batch = nn.BatchNorm2d(1, track_running_stats=False)
    assert names(Through(by_batch, Linear())) == ["an output depends on the other images"]
    assert names(Through(nn.BatchNorm2d(1), Linear())) == []


class Counting(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.model = Linear()
        self.register_buffer("asked", torch.zeros(1))

    def forward(self, images):
        self.asked.add_(1)
        return self.model(images)


def test_a_buffer_that_a_pass_changes_is_named() -> None:
    (warning,) = output_warnings(Counting(), examples()[0])
    assert warning.name == "evaluation changes the model" and "asked" in warning.measured


def test_nan_is_no_randomness_and_one_image_can_be_checked() -> None:
    assert "two evaluation passes disagree" not in names(Then(Linear(), lambda x: x * torch.nan))
    assert names(Linear(), n=1) == []


@pytest.mark.parametrize(
    ("function", "is_named"),
    [
        (lambda logits: 0 * logits + torch.tensor([0.0, 1.0, 0.0]), True),
        (lambda logits: logits + torch.tensor([0.0, 99.0, 0.0]), True),  # it moves, for nothing
        (lambda logits: logits * torch.nan, False),
        (lambda logits: logits, False),
    ],
    ids=["constant", "collapsed", "no answer", "honest"],
)
def test_one_class_is_told_from_several_and_from_none(function, is_named: bool) -> None:
    images, labels = examples()
    found = one_class(Then(Linear(), function), images, labels, seed=0)
    assert (found is not None) is is_named
    if found is not None:
        assert found.measured == "class 1, of which are 32% of the images"  # 13 of 40


def test_images_of_one_class_are_all_answered_alike_by_an_honest_model() -> None:
    images, labels = examples()
    assert one_class(Linear(), images[labels == 1], labels[labels == 1], seed=0) is None

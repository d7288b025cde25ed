import dataclasses

import pytest
import torch
from torch import nn

from models.adversarial.checks.gradient_masking import MOST_IMAGES, check
from models.adversarial.checks.warning import GradientMaskingWarning
from tests.support.broken_defences import CAUSES, WRAPPED
from tests.support.tiny_classifiers import (
    THREATS,
    Linear,
    NoWayBack,
    Then,
    Through,
    examples,
)

NORMS = sorted(THREATS)


def names(warnings: list[GradientMaskingWarning]) -> set[str]:
    return {warning.name for warning in warnings}


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("classes", [2, 3])
def test_an_honest_model_raises_no_warning(norm: str, classes: int) -> None:
    assert check(Linear(classes), *examples(classes), THREATS[norm], seed=0) == []


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("name", WRAPPED)
def test_a_defence_that_masks_gradients_raises_a_warning_that_names_its_cause(
    name, norm, classes
) -> None:
    found = check(WRAPPED[name](Linear(classes)), *examples(classes), THREATS[norm], seed=0)
    assert names(found) & CAUSES[name]


def test_every_warning_has_its_three_parts_and_what_was_measured() -> None:
    found = check(WRAPPED["quantised inputs"](Linear()), *examples(), THREATS["linf"], seed=0)
    assert len(found) >= 3
    for warning in found:
        assert all(len(text) > 5 for text in dataclasses.astuple(warning))


@pytest.mark.parametrize("function", [NoWayBack.apply, torch.Tensor.detach])
def test_a_model_without_a_way_back_is_a_warning_and_no_crash(function) -> None:
    found = check(Then(Linear(), function), *examples(), THREATS["linf"], seed=0)
    assert names(found) == {"not differentiable"}


def test_an_error_of_the_model_itself_is_not_taken_for_a_missing_gradient() -> None:
    images, labels = examples()
    with pytest.raises(RuntimeError, match="shape"):
        check(Linear(), images[:, :, :3], labels, THREATS["linf"], seed=0)


@pytest.mark.parametrize("norm", NORMS)
def test_a_model_that_is_never_right_can_be_checked(norm: str) -> None:
    images, labels = examples()
    assert check(Linear(), images, (labels + 1) % 3, THREATS[norm], seed=0) == []
    scaled = WRAPPED["logits x 30"](Linear())
    assert "logits of extreme scale" in names(
        check(scaled, images, (labels + 1) % 3, THREATS[norm], seed=0)
    )


def test_one_image_is_enough_and_none_is_an_error() -> None:
    images, labels = examples()
    assert check(Linear(), images[20:21], labels[20:21], THREATS["linf"], seed=0) == []
    for some, truth in ((images[:0], labels[:0]), (images, labels[:3])):
        with pytest.raises(ValueError, match="give one label for each"):
            check(Linear(), some, truth, THREATS["linf"], seed=0)


def test_at_most_128_images_are_shown_to_the_model() -> None:
    sizes = []
    model = Then(Linear(), lambda logits: sizes.append(len(logits)) or logits)
    check(model, *examples(n=300), THREATS["linf"], seed=0)
    assert max(sizes) == MOST_IMAGES == 128


def test_the_same_seed_gives_the_same_warnings() -> None:
    model = WRAPPED["quantised inputs"](Linear())
    one, again = (check(model, *examples(), THREATS["linf"], seed=7) for _ in range(2))
    assert one == again


class Restless(nn.Module):
    """A classifier that changes buffers and draws noise whenever it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.normalise = nn.BatchNorm2d(1)
        self.drop = nn.Dropout(0.5)
        self.model = Linear()
        self.register_buffer("asked", torch.zeros(()))

    def forward(self, images):
        self.asked = self.asked + 1
        self.normalise.running_mean.add_(1e-3 * torch.rand(1))
        return self.model(self.drop(self.normalise(images)))


def test_the_model_is_left_as_it_was() -> None:
    torch.manual_seed(0)  # with one seed in 75 the noise changes no answer
    model = Restless().train()
    model.drop.eval()
    model.normalise.weight.requires_grad_(False)
    gradient = torch.ones_like(model.model.weights)
    model.model.weights.grad = gradient
    asked = model.asked
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = torch.get_rng_state()
    found = check(model, *examples(), THREATS["linf"], seed=0)
    assert {"two evaluation passes disagree", "evaluation changes the model"} <= names(found)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert model.asked is asked
    assert model.training and model.normalise.training and not model.drop.training
    assert not model.normalise.weight.requires_grad and model.model.weights.requires_grad
    assert model.model.weights.grad is gradient and bool((gradient == 1).all())
    assert model.normalise.bias.grad is None
    assert torch.equal(torch.get_rng_state(), state)


def test_the_model_is_left_as_it_was_after_an_error_as_well() -> None:
    model = Through(lambda images: images[:, :, :3], Restless()).train()
    with pytest.raises(RuntimeError):
        check(model, *examples(), THREATS["linf"], seed=0)
    assert float(model.model.asked) == 0 and model.model.drop.training

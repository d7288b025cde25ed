"""Integrated gradients: linear functions by hand, completeness of trained networks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from models.catalog import Threat, complete
from models.data.loading import load_images
from models.explanations import integrated_gradients as under_test
from models.explanations.images import explain_logit
from models.explanations.integrated_gradients import Attribution, integrated_gradients
from models.training.network import network_training

pytest.importorskip("captum", reason="the extra `explain` is not installed")


def test_the_attribution_of_a_linear_function_is_weight_times_distance() -> None:
    weights = torch.tensor([2.0, -3.0, 0.5])
    inputs, baseline = torch.tensor([[1.0, 1.0, 4.0]]), torch.tensor([[0.0, 2.0, 0.0]])
    found = integrated_gradients(lambda x: x @ weights + 7, inputs, baseline)
    # 2 * (1 - 0), -3 * (1 - 2), 0.5 * (4 - 0)
    assert found.values.tolist() == pytest.approx([2.0, 3.0, 2.0], abs=1e-5)
    assert found.difference == pytest.approx(7.0) and found.is_complete


def test_the_attribution_of_a_product_is_that_of_the_papers_path() -> None:
    """On the straight way from 0, d(xy)/dx = ty: each factor gets half of the product."""
    inputs = torch.tensor([[3.0, 4.0]])
    found = integrated_gradients(lambda x: x[:, 0] * x[:, 1], inputs, torch.zeros(1, 2))
    assert found.values.tolist() == pytest.approx([6.0, 6.0], abs=1e-4)


def test_steps_are_doubled_until_the_attribution_is_complete() -> None:
    def steep(x: Tensor) -> Tensor:
        return torch.sigmoid(4000 * (x.sum(dim=1) - 0.5))

    one = torch.full((1, 2), 0.5)
    found = integrated_gradients(steep, one, torch.zeros(1, 2))
    assert found.steps > 32 and found.difference == pytest.approx(1.0)


def test_an_attribution_that_is_not_complete_says_so() -> None:
    # A step has no gradient, so nothing is attributed of a difference of 1.
    found = integrated_gradients(
        lambda x: (x.sum(dim=1) > 0.5).float() + 0 * x.sum(dim=1), torch.ones(1, 2),
        torch.zeros(1, 2),
    )  # fmt: skip
    assert not found.is_complete and found.relative_delta == pytest.approx(1.0)
    assert found.steps == 1024


def test_no_difference_is_complete_only_without_a_delta() -> None:
    nothing = torch.zeros(2)
    assert Attribution(nothing, 0.0, 0.0, 32).is_complete
    assert not Attribution(nothing, 0.0, 0.1, 32).is_complete


def test_a_model_without_a_gradient_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match=r"no gradient to integrate: .*; fix: let the network"):
        integrated_gradients(lambda x: x.argmax(dim=1).float(), torch.ones(1, 2), torch.zeros(1, 2))


def test_without_captum_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(under_test, "is_installed", lambda: False)
    with pytest.raises(
        ModuleNotFoundError, match=r"captum, which is not installed; fix: .*explain"
    ):
        integrated_gradients(lambda x: x.sum(dim=1), torch.ones(1, 2), torch.zeros(1, 2))


@pytest.mark.slow
@pytest.mark.parametrize("baseline", ["black", "grey"])
def test_on_images_attributions_add_up_to_the_logit_within_1_percent(baseline: str) -> None:
    """Thirty images of digits, a trained network with batch normalisation, its predictions."""
    digits = load_images({"name": "digits"})
    settings = {"width": 8, "fully_connected_width": 32, "batch_size": 32,
                "adamw.learning_rate": 0.01, "normalisation": "batch"}  # fmt: skip
    configuration = complete("cnn", settings)
    threat = Threat(steps=1, cheap_steps=1, examples=10, cheap_examples=10)
    training = network_training(configuration, digits, epochs=3, seed=0, threat=threat)
    *_, last = training.run()
    assert last["accuracy.clean"] > 0.8, "it has learned, so its logits are no straight lines"
    model, (images, _) = training.classifier(), training.examples("test")
    start = torch.full_like(images[0], 0.0 if baseline == "black" else 0.5)
    for image in images[:30]:
        with torch.no_grad():
            logits, from_logits = model(image[None])[0], model(start[None])[0]
        target = int(logits.argmax())
        found = explain_logit(model, image, target, baseline)  # type: ignore[arg-type]
        difference = float(logits[target] - from_logits[target])
        assert found.difference == pytest.approx(difference, abs=1e-5)
        assert abs(float(found.values.sum()) - difference) <= 0.01 * abs(difference)
        assert found.values.shape == image.shape and np.isfinite(found.values.numpy()).all()


def failing(error: RuntimeError) -> Callable[[Tensor], Tensor]:
    def score(inputs: Tensor) -> Tensor:
        if inputs.requires_grad:
            raise error
        return inputs.sum(dim=1)

    return score


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        RuntimeError("CUDA error: an illegal memory access was encountered"),
    ],
    ids=["gpu memory", "cpu memory", "device"],
)
def test_a_device_that_fails_is_not_called_a_model_without_a_gradient(error: RuntimeError) -> None:
    with pytest.raises(RuntimeError) as raised:
        integrated_gradients(failing(error), torch.ones(1, 2), torch.zeros(1, 2))
    assert raised.value is error


def test_an_error_without_a_text_is_named_by_its_type() -> None:
    with pytest.raises(ValueError, match="no gradient to integrate: RuntimeError; fix: let"):
        integrated_gradients(failing(RuntimeError()), torch.ones(1, 2), torch.zeros(1, 2))

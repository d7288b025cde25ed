"""`search.robustness`: what a user's own training measures is what the built-in ones report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from models.catalog import complete
from models.data.loading import load_images
from models.networks import cnn
from models.networks.builder import network_data
from models.training.network import network_training
from search.robustness import Threat, evaluate, examples

SMALL = Threat(epsilon=8 / 255, steps=3, cheap_steps=1, examples=24, cheap_examples=8)


@pytest.mark.slow
def test_the_same_weights_have_the_same_metrics_as_in_a_built_in_training() -> None:
    digits = load_images({"name": "digits"})
    data = replace(
        digits, train_images=digits.train_images[:64], train_labels=digits.train_labels[:64]
    )
    configuration = complete("cnn", {"width": 4, "batch_size": 32, "adversarial_training": "fgsm"})
    training = network_training(configuration, data, epochs=2, seed=1, threat=SMALL)
    *_, last = training.run()
    model = cnn.build(configuration, network_data(data))
    model.load_state_dict(training.classifier().state_dict())
    model.train()
    torch.manual_seed(9)  # whatever the global generator is at
    images, labels = examples(data, SMALL)
    found = evaluate(model, images, labels, SMALL, checks=True)
    assert found.metrics == {name: last[name] for name in found.metrics}
    assert "accuracy.pgd3_linf_8_255" in found.metrics and model.training
    assert found.adversarial_examples.shape == images[found.index].shape
    assert (found.adversarial_examples - images[found.index]).abs().max() <= 8 / 255 + 1e-6
    for warning in found.warnings:
        assert warning.as_markdown()


def inputs() -> dict[str, Any]:
    return {
        "model": nn.Sequential(nn.Flatten(), nn.Linear(16, 3)), "images": torch.rand(6, 1, 4, 4),
        "labels": torch.arange(6) % 3, "threat": SMALL,
    }  # fmt: skip


WRONG: dict[str, tuple[str, Callable[[Any], Any], str]] = {
    "a function": ("model", lambda model: model.forward, "model is a method; fix: give a torch.nn"),
    "an array": ("images", lambda images: images.numpy(), "images is a ndarray; fix: give torch.f"),
    "bytes": ("images", lambda images: (images * 255).byte(), "uint8; fix: give float32 in [0, 1]"),
    "normalised": ("images", lambda images: images * 2 - 1, "normalise them inside the model"),
    "one image": ("images", lambda images: images[0], "fix: give (n, channels, height, width)"),
    "too few labels": ("labels", lambda labels: labels[:2], "fix: give the class of each of the 6"),
    "one-hot labels": ("labels", lambda labels: torch.eye(6), "fix: give the class of each"),
    "an epsilon": ("threat", lambda threat: 0.1, "such as Threat(epsilon=8 / 255)"),
    "labels as a list": ("labels", np.ndarray.tolist, "labels is a list; fix: give a tensor"),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_a_wrong_argument_is_named_with_the_fix(mistake: str) -> None:
    name, spoil, text = WRONG[mistake]
    given = inputs()
    value = given[name].numpy() if mistake.endswith("list") else given[name]
    with pytest.raises((TypeError, ValueError)) as raised:
        evaluate(**given | {name: spoil(value)})
    assert text in str(raised.value)


def test_an_unknown_part_of_the_data_is_named() -> None:
    with pytest.raises(ValueError, match="fix: choose one of selection, objective"):
        examples(load_images({"name": "digits"}), SMALL, "validation")  # type: ignore[arg-type]

"""Explained images: a network whose weights say which pixels count, and its pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from models.catalog import Threat
from models.explanations.explain import explain_trial, write_images
from models.explanations.images import explain_images
from models.explanations.text_page import exactness
from models.weights.rebuild import TrainedTrial

pytest.importorskip("captum", reason="the extra `explain` is not installed")

THREAT = Threat(epsilon=0.2, steps=3, cheap_steps=1)


class LeftOrRight(nn.Module):
    """Class 0 if the left of the two pixels is brighter, else class 1."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1) * 1.0


# Left is brighter by 0.8, 0.6, 0.1 and 0.05, then right by 0.5; the last label is wrong.
PIXELS = torch.tensor([[0.9, 0.1], [0.7, 0.1], [0.5, 0.4], [0.5, 0.45], [0.2, 0.7], [0.6, 0.1]])
IMAGES, LABELS = PIXELS.reshape(6, 1, 1, 2), torch.tensor([0, 0, 0, 0, 1, 1])


def test_examples_are_in_the_group_that_they_belong_to() -> None:
    found = explain_images(LeftOrRight(), IMAGES, LABELS, THREAT, count=9)
    groups = {group: {each.example for each in found if each.group == group}
              for group in ("right", "wrong", "attacked")}  # fmt: skip
    # An attack of 0.2 on both pixels turns round what differs by less than 0.4.
    assert groups == {"right": {0, 1, 4}, "wrong": {5}, "attacked": {2, 3}}
    for each in found:
        assert (each.attacked is not None) == (each.group == "attacked")
        assert each.clean.attribution.is_complete
        if each.attacked is not None:
            assert each.attacked.predicted != each.clean.predicted == each.label
            assert (each.attacked.image - each.clean.image).abs().max() <= 0.2 + 1e-6


def test_only_the_pixel_of_the_predicted_class_has_a_value() -> None:
    first = explain_images(LeftOrRight(), IMAGES[:1], LABELS[:1], THREAT, count=1)[0]
    assert first.clean.attribution.values.flatten().tolist() == pytest.approx([0.9, 0.0])
    grey = explain_images(LeftOrRight(), IMAGES[:1], LABELS[:1], THREAT, count=1, baseline="grey")
    assert grey[0].clean.attribution.values.flatten().tolist() == pytest.approx([0.4, 0.0])


def test_the_model_is_left_in_training_mode_and_without_gradients() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Dropout(0.9), nn.Linear(2, 2)).train()
    explain_images(model, IMAGES, LABELS, THREAT, count=1)
    assert model.training and all(each.grad is None for each in model.parameters())


def test_pictures_show_each_group_and_its_colours(tmp_path: Path) -> None:
    files = write_images(
        LeftOrRight(), (IMAGES, LABELS), ("left", "right" * 9), THREAT, tmp_path, count=2
    )
    names = [file.name for file in files]
    assert names == ["explanation_summary.md", "explanation_right.png", "explanation_wrong.png",
                     "explanation_attacked.png"]  # fmt: skip
    with Image.open(tmp_path / "explanation_right.png") as picture:
        colours = {tuple(each) for each in np.asarray(picture.convert("RGB")).reshape(-1, 3)}
    assert (178, 24, 43) in colours, "the pixel that speaks for the class is red"
    write_images(LeftOrRight(), (IMAGES[:1], LABELS[:1]), ("a", "b"), THREAT, tmp_path, count=2)
    left = {file.name for file in tmp_path.iterdir()}
    assert left == {"explanation_summary.md", "explanation_right.png"}, "the others were of before"


def test_the_summary_states_baseline_and_deltas() -> None:
    found = explain_images(LeftOrRight(), IMAGES, LABELS, THREAT, count=1)
    text = exactness(found, "a black image")
    assert "from a black image" in text and text.count("\n| ") == 2 + len(found) + 1
    assert "| attacked, after it |" in text and "do not trust" not in text


def test_an_unknown_baseline_is_refused(tmp_path: Path) -> None:
    trained = TrainedTrial("a#0", "cnn", {}, {"name": "digits"}, tmp_path)
    with pytest.raises(ValueError, match="baseline 'pink'; fix: choose one of black, grey"):
        explain_trial(trained, THREAT, tmp_path, count=1, baseline="pink")

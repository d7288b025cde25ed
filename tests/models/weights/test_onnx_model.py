"""A network as ONNX takes pixels in [0, 1] in batches of any size, and computes the same."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models.catalog import Value, complete
from models.data.loading import ImageSplits
from models.networks.builder import network_data
from models.weights.checkpoints import save_checkpoint
from models.weights.export import export
from models.weights.onnx_model import to_onnx
from models.weights.rebuild import RebuiltModel, TrainedTrial, rebuild
from tests.support.image_trainings import train
from tests.support.networks import resnet
from tests.support.tiny_classifiers import Then
from tests.support.trained_trials import classes, finished, tiny_base

needs_onnx = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("onnx", "onnxscript", "onnxruntime")),
    reason="the extra onnx is not installed",
)


def a_cnn(folder: Path, data: ImageSplits, **values: Value) -> TrainedTrial:
    training = train(values, data, epochs=1)
    save_checkpoint(folder / "trial", 1, 1, list(training.run()), training.state_dict())
    settings = {"name": "digits", "train_examples": 60}
    return TrainedTrial("source#0", "cnn", complete("cnn", values), settings, folder / "trial")


def logits(file: Path, images: Tensor) -> Any:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(file))
    return session.run(None, {"images": images.numpy()})[0]


@needs_onnx
@pytest.mark.slow
@pytest.mark.parametrize(
    "values",
    [
        {"blocks": 2, "width": 4, "normalisation": "batch"},
        {"block": "residual", "stages": "1-1", "width": 4, "normalisation": "group"},
    ],
    ids=["plain", "residual"],
)
def test_a_cnn_computes_the_same_logits_for_any_size_of_a_batch(
    values: dict[str, Value], few_digits: ImageSplits, tmp_path: Path
) -> None:
    trial = a_cnn(tmp_path, few_digits, **values)
    exported = export(trial, tmp_path / "out", "onnx")
    model = rebuild(trial).model
    for number in (1, 2, 7):
        images = torch.rand(number, 1, 8, 8)
        found = logits(tmp_path / "out" / "model.onnx", images)
        assert np.allclose(found, model(images).detach(), atol=1e-4)
    check, code = exported.onnx
    assert "64 images" in check and "onnxruntime" in code
    assert (tmp_path / "out" / "model.safetensors").exists()


@needs_onnx
def test_an_own_network_normalises_inside_the_graph(
    few_digits: ImageSplits, tmp_path: Path
) -> None:
    configuration = complete("network", {"model.depth": 1, "model.width": 4})
    data = network_data(few_digits)
    model = resnet(configuration, data).eval()
    made = to_onnx("mine#0", RebuiltModel(model, few_digits.label_names, few_digits, data=data))
    assert made.difference <= 1e-4
    (tmp_path / "model.onnx").write_bytes(made.content)
    images = torch.rand(3, 1, 8, 8)
    found = logits(tmp_path / "model.onnx", images)
    assert np.allclose(found, model(images).detach(), atol=1e-4)


@needs_onnx
def test_a_graph_that_computes_other_logits_is_refused(few_digits: ImageSplits) -> None:
    linear = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    noisy = Then(linear, lambda logits: logits + torch.rand_like(logits))  # as no graph can repeat
    rebuilt = RebuiltModel(noisy.eval(), few_digits.label_names, few_digits)
    with pytest.raises(ValueError, match=r"mine#0: .*fix: leave --onnx out"):
        to_onnx("mine#0", rebuilt)


@needs_onnx
def test_a_network_that_onnx_runtime_cannot_run_is_refused(few_digits: ImageSplits) -> None:
    class Double(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Conv2d(1, 10, 8).double()

        def forward(self, images: Tensor) -> Tensor:
            logits: Tensor = self.body(images.double()).flatten(1)
            return logits.float()

    rebuilt = RebuiltModel(Double().eval(), few_digits.label_names, few_digits)
    with pytest.raises(ValueError, match=r"mine#0: ONNX Runtime cannot run .*fix: leave --onnx"):
        to_onnx("mine#0", rebuilt)


def test_a_model_of_texts_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    base = tiny_base(tmp_path / "bert", "text_classifier")
    trial = finished(
        tmp_path / "trial", "text_classifier", classes(tmp_path / "moods", "sad", "glad"), base
    )
    with pytest.raises(ValueError, match=r"is of model text_classifier.*fix: leave --onnx out"):
        export(trial, tmp_path / "out", "onnx")
    assert not (tmp_path / "out").exists()


def test_without_the_extra_the_error_says_what_to_install(
    few_digits: ImageSplits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.weights.onnx_model._NEEDED", ("onnx", "no_such_package"))
    trial = TrainedTrial("a#0", "cnn", {}, {"name": "digits"}, tmp_path)
    with pytest.raises(ValueError, match=r"no_such_package; fix: .*\[onnx\]"):
        export(trial, tmp_path / "out", "onnx")

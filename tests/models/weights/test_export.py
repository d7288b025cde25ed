"""An exported folder is loaded by transformers, or by the loader in it, and computes the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import (
    AutoModelForImageClassification,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
)

from models.catalog import Threat, Value, complete
from models.data.loading import ImageSplits
from models.networks.base_model import BaseModel
from models.networks.own_text import OwnTextNetwork
from models.training.network import network_training
from models.weights.checkpoints import save_checkpoint
from models.weights.export import export
from models.weights.rebuild import TrainedTrial, rebuild
from tests.support.image_trainings import train
from tests.support.networks import linear, resnet, text_head
from tests.support.trained_trials import classes, entities, finished, load_by, tiny_base

BATCH = {"input_ids": torch.tensor([[2, 7, 9, 11, 3]]), "attention_mask": torch.ones(1, 5).long()}
TRIAL, OUT = "trial%2F?#&ü", "out%2F?#&ü"  # any name of a folder will do
LABELS = ("sad", "calm", "glad")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> BaseModel:
    return tiny_base(tmp_path_factory.mktemp("base") / "bert", "text_classifier")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return classes(tmp_path_factory.mktemp("data") / "moods", *LABELS)


def texts_in(folder: Path) -> str:
    return "".join(
        path.read_text() for path in folder.iterdir() if path.suffix in (".json", ".md", ".py")
    )


@pytest.mark.slow
@pytest.mark.parametrize("method", ["full", "lora", "dora", "adalora", "ia3"])
def test_a_merged_model_needs_transformers_alone(
    method: str, base: BaseModel, data: Path, tmp_path: Path
) -> None:
    trial = finished(tmp_path / TRIAL, "text_classifier", data, base, adaptation=method)
    exported = export(trial, tmp_path / OUT)
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / OUT).eval()
    expected = rebuild(trial).model(**BATCH).logits
    assert torch.allclose(model(**BATCH).logits, expected, atol=1e-4)
    assert model.config.id2label == dict(enumerate(LABELS))
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / OUT)
    assert tokenizer("Ada sings")["input_ids"] == tokenizer("ada  sings")["input_ids"]
    assert exported.is_merged and exported.label_names == LABELS
    assert str(base.folder) not in texts_in(tmp_path / OUT)
    assert not list((tmp_path / OUT).glob("*.bin"))
    assert (tmp_path / OUT / "model.safetensors").stat().st_mode & 0o044 == 0o044


@pytest.mark.slow
@pytest.mark.parametrize("method", ["prefix", "adapters"])
def test_what_cannot_be_merged_is_loaded_onto_its_base_by_the_loader_in_the_folder(
    method: str, base: BaseModel, data: Path, tmp_path: Path
) -> None:
    trial = finished(tmp_path / TRIAL, "text_classifier", data, base, adaptation=method)
    exported = export(trial, tmp_path / OUT)
    model = load_by(tmp_path / OUT, base.folder)
    expected = rebuild(trial).model(**BATCH).logits
    assert torch.allclose(model(**BATCH).logits, expected, atol=1e-4)
    assert not exported.is_merged
    record = json.loads((tmp_path / OUT / "adapter.json").read_text())
    assert record["base"]["digest"] == base.digest
    assert str(base.folder) not in texts_in(tmp_path / OUT)
    size = sum(path.stat().st_size for path in (tmp_path / OUT).glob("*.safetensors"))
    assert size < (base.folder / "model.safetensors").stat().st_size


def test_another_base_is_refused_by_the_loader(base: BaseModel, data: Path, tmp_path: Path) -> None:
    trial = finished(tmp_path / TRIAL, "text_classifier", data, base, adaptation="adapters")
    export(trial, tmp_path / OUT)
    other = tiny_base(tmp_path / "other", "text_classifier")
    weights = bytearray((other.folder / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (other.folder / "model.safetensors").write_bytes(bytes(weights))
    with pytest.raises(ValueError, match="is not the base"):
        load_by(tmp_path / OUT, other.folder)


def test_tags_keep_their_names(tmp_path: Path) -> None:
    base = tiny_base(tmp_path / "bert", "entity_tagger")
    source = entities(tmp_path / "music", "person", "place")
    trial = finished(tmp_path / TRIAL, "entity_tagger", source, base, adaptation="lora")
    export(trial, tmp_path / OUT)
    model = AutoModelForTokenClassification.from_pretrained(tmp_path / OUT).eval()
    names = ("O", "B-person", "I-person", "B-place", "I-place")
    assert model.config.id2label == dict(enumerate(names))
    expected = rebuild(trial).model(**BATCH).logits
    assert torch.allclose(model(**BATCH).logits, expected, atol=1e-4)


def test_a_vision_transformer_comes_with_how_its_pixels_are_prepared(
    folder: Path, tmp_path: Path
) -> None:
    base = tiny_base(tmp_path / "vit", "vision_transformer")
    trial = finished(tmp_path / TRIAL, "vision_transformer", folder, base, adaptation="lora")
    export(trial, tmp_path / OUT)
    model = AutoModelForImageClassification.from_pretrained(tmp_path / OUT).eval()
    images = torch.randint(0, 256, (3, 1, 16, 16), dtype=torch.uint8)
    expected = rebuild(trial).model(pixel_values=images / 255).logits
    settings = json.loads((tmp_path / OUT / "preprocessor_config.json").read_text())
    assert settings["size"] == {"height": 16, "width": 16}
    prepared = (images * settings["rescale_factor"] - settings["image_mean"][0]) / settings[
        "image_std"
    ][0]
    assert torch.allclose(model(pixel_values=prepared).logits, expected, atol=1e-4)


@pytest.mark.parametrize("normalisation", ["none", "batch", "group"])
@pytest.mark.parametrize(
    "architecture",
    [
        {"blocks": 4},
        {"block": "residual", "stages": "1-1-1"},
        {"block": "residual", "downsampling": "pool", "stages": "1-0-1", "dropout": 0.2},
    ],
    ids=["plain", "stride", "pool"],
)
def test_a_cnn_is_loaded_by_the_loader_in_the_folder(
    architecture: dict[str, Value], normalisation: str, few_digits: ImageSplits, tmp_path: Path
) -> None:
    settings = {"width": 4, "normalisation": normalisation, "activation": "silu", **architecture}
    threat = Threat(examples=4, cheap_examples=4)
    configuration = complete("cnn", settings)
    training = network_training(configuration, few_digits, epochs=1, seed=0, threat=threat)
    save_checkpoint(tmp_path / TRIAL, 1, 1, list(training.run()), training.state_dict())
    data = {"name": "digits", "train_examples": 60}
    trial = TrainedTrial("source#0", "cnn", configuration, data, tmp_path / TRIAL)
    export(trial, tmp_path / OUT)
    model, names = load_by(tmp_path / OUT)
    assert names == list(few_digits.label_names)
    images = torch.tensor(few_digits.test_images[:5]).float() / few_digits.scale
    expected = training.classifier()(images)
    assert torch.allclose(model(images), expected, atol=1e-5)
    assert "import models" not in texts_in(tmp_path / OUT)


def test_a_layer_inside_a_residual_block_is_refused_like_any_other(
    few_digits: ImageSplits, tmp_path: Path
) -> None:
    values: dict[str, Value] = {"block": "residual", "stages": "1-1", "width": 2}
    training = train(values, few_digits, epochs=1)
    save_checkpoint(tmp_path / TRIAL, 1, 1, list(training.run()), training.state_dict())
    data = {"name": "digits", "train_examples": 60}
    trial = TrainedTrial("source#0", "cnn", complete("cnn", values), data, tmp_path / TRIAL)
    export(trial, tmp_path / OUT)
    path = tmp_path / OUT / "config.json"
    config = json.loads(path.read_text())
    config["features"][2]["body"][0]["type"] = "Module"
    path.write_text(json.dumps(config))
    with pytest.raises(ValueError, match="names a layer 'Module'"):
        load_by(tmp_path / OUT)


def test_a_folder_with_something_in_it_is_left_alone(
    base: BaseModel, data: Path, tmp_path: Path
) -> None:
    trial = finished(tmp_path / TRIAL, "text_classifier", data, base)
    (tmp_path / OUT).mkdir()
    (tmp_path / OUT / "thesis.tex").write_text("years of work")
    with pytest.raises(FileExistsError, match="not empty"):
        export(trial, tmp_path / OUT)
    assert [path.name for path in (tmp_path / OUT).iterdir()] == ["thesis.tex"]


def own_network(folder: Path, data: ImageSplits, monkeypatch: pytest.MonkeyPatch) -> TrainedTrial:
    """A trial of a network of a user's, in a module of the working folder."""
    (folder / "my_net.py").write_text("from tests.support.networks import resnet as build\n")
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    configuration = complete("network", {"model.depth": 2, "model.width": 4})
    training = network_training(
        configuration, data, epochs=1, seed=0, threat=Threat(examples=4, cheap_examples=4),
        builder=resnet,
    )  # fmt: skip
    save_checkpoint(folder / "trial", 1, 1, list(training.run()), training.state_dict())
    settings = {"name": "digits", "train_examples": len(data.train_labels)}
    return TrainedTrial(
        "mine#0", "network", configuration, settings, folder / "trial",
        network="python:my_net:build",
    )  # fmt: skip


def test_a_users_network_is_loaded_by_its_builder_with_equal_logits(
    few_digits: ImageSplits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = own_network(tmp_path, few_digits, monkeypatch)
    exported = export(trial, tmp_path / OUT)
    assert "from my_net import build" in exported.usage.code
    model, names = load_by(tmp_path / OUT, resnet, None)
    images = torch.rand(3, 1, 8, 8)
    assert torch.equal(model(images), rebuild(trial).model(images))
    assert tuple(names) == few_digits.label_names
    record = json.loads((tmp_path / OUT / "config.json").read_text())
    assert record["builder"] == "my_net:build" and set(record["sources"]) >= {"my_net"}


def test_a_builder_whose_source_has_changed_is_refused_by_the_loader(
    few_digits: ImageSplits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = own_network(tmp_path, few_digits, monkeypatch)
    export(trial, tmp_path / OUT)
    (tmp_path / "my_net.py").write_text("from tests.support.networks import linear as build\n")
    with pytest.raises(ValueError, match=r"linear at .* is not the source of my_net:build.*fix: "):
        load_by(tmp_path / OUT, linear, None)


@pytest.mark.slow
def test_a_head_over_a_pretrained_model_is_loaded_onto_its_base(
    data: Path, base: BaseModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_head.py").write_text("from tests.support.networks import text_head as build\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    configuration = complete("text_network", {"model.hidden": 4})
    own = OwnTextNetwork(base, text_head, LABELS)
    network = own.fresh(3, configuration)
    save_checkpoint(tmp_path / TRIAL, 1, 1, [{}], {"weights": network.state_dict()})
    trial = TrainedTrial(
        "mine#0", "text_network", configuration, {"path": str(data)}, tmp_path / TRIAL, base,
        network="python:my_head:build",
    )  # fmt: skip
    exported = export(trial, tmp_path / OUT)
    assert f'base = "{base.name}"' in exported.usage.code and not exported.is_merged
    assert (tmp_path / OUT / "tokenizer.json").exists()
    model, _ = load_by(tmp_path / OUT, text_head, base.folder)
    assert torch.equal(model(**BATCH), network.eval()(**BATCH))

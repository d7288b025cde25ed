"""An exported adapter is loaded by PEFT itself onto the base, and computes the same."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import AutoPeftModelForSequenceClassification, PeftModel
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
)

from models.networks.base_model import BaseModel, locate_base
from models.weights.checkpoints import save_checkpoint
from models.weights.export import export
from models.weights.initial import InitialWeights, save_initial
from models.weights.rebuild import rebuild
from tests.support.text_folders import write_texts
from tests.support.tiny_models import byte_pairs, tiny_gpt2
from tests.support.trained_trials import classes, entities, finished, tiny_base

BATCH = {"input_ids": torch.tensor([[2, 7, 9, 11, 3]]), "attention_mask": torch.ones(1, 5).long()}
LABELS = ("sad", "calm", "glad")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> BaseModel:
    return tiny_base(tmp_path_factory.mktemp("base") / "bert", "text_classifier")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return classes(tmp_path_factory.mktemp("data") / "moods", *LABELS)


def loaded(kind: Any, base: BaseModel, folder: Path, **options: Any) -> Any:
    plain = kind.from_pretrained(base.folder, **options)
    return PeftModel.from_pretrained(plain, str(folder)).eval()


@pytest.mark.parametrize("method", ["lora", "dora", "adalora", "ia3", "prefix"])
def test_peft_loads_an_adapter_with_its_head_onto_the_base(
    method: str, base: BaseModel, data: Path, tmp_path: Path
) -> None:
    trial = finished(tmp_path / "trial", "text_classifier", data, base, adaptation=method)
    exported = export(trial, tmp_path / "out", "adapter")
    model = loaded(AutoModelForSequenceClassification, base, tmp_path / "out", num_labels=3)
    expected = rebuild(trial).model(**BATCH).logits
    assert torch.allclose(model(**BATCH).logits, expected, atol=1e-5)
    config = json.loads((tmp_path / "out" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == base.name and config["task_type"] == "SEQ_CLS"
    assert config["modules_to_save"] and not exported.is_merged
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"adapter_config.json", "adapter_model.safetensors", "tokenizer.json"} <= names
    assert not names & {"load_model.py", "adapter.json", "model.safetensors", "README.md"}
    assert str(base.folder) not in (tmp_path / "out" / "adapter_config.json").read_text()


def test_adalora_keeps_its_scale_after_ranks_were_pruned(
    base: BaseModel, data: Path, tmp_path: Path
) -> None:
    trial = finished(tmp_path / "trial", "text_classifier", data, base, adaptation="adalora")
    state = rebuild(trial).adapted.state()
    for name in [each for each in state if "lora_E" in each]:
        state[name][::2] = 0.0
        kept = torch.arange(len(state[name])) % 2 == 1
        state[f"allocation.kept.{name}.default"] = kept
    save_checkpoint(tmp_path / "trial", 2, 2, [{"loss.train": 1.0}], {"weights": state})
    export(trial, tmp_path / "out", "adapter")
    model = loaded(AutoModelForSequenceClassification, base, tmp_path / "out", num_labels=3)
    expected = rebuild(trial).model(**BATCH).logits
    assert torch.allclose(model(**BATCH).logits, expected, atol=1e-5)


def test_the_class_of_the_task_finds_the_base_by_its_name(
    base: BaseModel, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = finished(tmp_path / "trial", "text_classifier", data, base, adaptation="lora")
    export(trial, tmp_path / "out", "adapter")
    monkeypatch.chdir(base.folder.parent)
    model = AutoPeftModelForSequenceClassification.from_pretrained(tmp_path / "out", num_labels=3)
    expected = rebuild(trial).model(**BATCH).logits
    assert torch.allclose(model.eval()(**BATCH).logits, expected, atol=1e-5)


def test_a_folder_may_have_an_at_sign_in_its_name(data: Path, tmp_path: Path) -> None:
    base = tiny_base(tmp_path / "bert@2", "text_classifier")
    trial = finished(tmp_path / "trial", "text_classifier", data, base, adaptation="lora")
    export(trial, tmp_path / "out", "adapter")
    config = json.loads((tmp_path / "out" / "adapter_config.json").read_text())
    assert (config["base_model_name_or_path"], config["revision"]) == ("bert@2", None)


def test_the_task_of_tags_and_of_answers_is_named(tmp_path: Path) -> None:
    tagger = tiny_base(tmp_path / "bert", "entity_tagger")
    source = entities(tmp_path / "music", "person", "place")
    trial = finished(tmp_path / "tags", "entity_tagger", source, tagger, adaptation="lora")
    export(trial, tmp_path / "tagger", "adapter")
    model = loaded(AutoModelForTokenClassification, tagger, tmp_path / "tagger", num_labels=5)
    expected = rebuild(trial).model(**BATCH).logits
    assert torch.allclose(model(**BATCH).logits, expected, atol=1e-5)

    decoder = locate_base(str(tiny_gpt2(tmp_path / "gpt2", byte_pairs(["yes and no"]))))
    talk = write_texts(tmp_path / "talk", {"prompt": ["a", "b"], "answer": ["yes", "no"]})
    trial = finished(tmp_path / "answers", "causal_model", talk, decoder, adaptation="lora")
    export(trial, tmp_path / "speaker", "adapter")
    speaker = loaded(AutoModelForCausalLM, decoder, tmp_path / "speaker")
    expected = rebuild(trial).model(**BATCH).logits
    assert torch.allclose(speaker(**BATCH).logits, expected, atol=1e-5)
    for name, task in (("tagger", "TOKEN_CLS"), ("speaker", "CAUSAL_LM")):
        config = json.loads((tmp_path / name / "adapter_config.json").read_text())
        assert config["task_type"] == task


@pytest.mark.parametrize("method", ["full", "adapters"])
def test_what_peft_does_not_have_is_refused_before_anything_is_written(
    method: str, base: BaseModel, data: Path, tmp_path: Path
) -> None:
    trial = finished(tmp_path / "trial", "text_classifier", data, base, adaptation=method)
    with pytest.raises(ValueError, match=f"source#0 is adaptation {method}.*lora, dora.*fix: "):
        export(trial, tmp_path / "out", "adapter")
    assert not (tmp_path / "out").exists()


def test_an_adapter_on_weights_that_travelled_is_refused(
    base: BaseModel, data: Path, tmp_path: Path
) -> None:
    trial = finished(tmp_path / "trial", "text_classifier", data, base, adaptation="lora")
    name = "bert.encoder.layer.0.attention.self.query.weight"
    plain = rebuild(trial).plain
    assert plain is not None
    weights = InitialWeights({name: plain.state_dict()[name] + 1.0}, (), ())
    started = dataclasses.replace(trial, initial=save_initial(tmp_path, weights))
    with pytest.raises(ValueError, match="started from the weights of an earlier trial"):
        export(started, tmp_path / "out", "adapter")
    assert not (tmp_path / "out").exists()

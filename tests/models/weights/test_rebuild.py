"""What a transformer has learned reaches another task, whatever the method, or is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForSequenceClassification

from models.adaptation import adapt
from models.data.loading import load_data
from models.networks.base_model import BaseModel
from models.networks.transformer import LoadedBase
from models.weights.export import export
from models.weights.initial import apply_initial, load_initial, save_initial
from models.weights.rebuild import ExtractedWeights, extract_weights, rebuild
from tests.support.trained_trials import classes, entities, finished, load_by, tiny_base

MERGING = ("full", "lora", "dora", "adalora", "ia3")
BATCH = {"input_ids": torch.tensor([[2, 7, 9, 11, 3]]), "attention_mask": torch.ones(1, 5).long()}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> BaseModel:
    return tiny_base(tmp_path_factory.mktemp("base") / "bert", "text_classifier")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return classes(tmp_path_factory.mktemp("data") / "moods", "sad", "calm", "glad")


def fresh(base: BaseModel, data: Path, configuration: Any, seed: int = 7) -> Any:
    splits = load_data({"path": str(data)}, "classification")
    loaded = LoadedBase(base, "classification", splits.label_names)
    return loaded.fresh(seed, configuration, own_copy=True)


def passed_to(trial: Any, target: Path, folder: Path) -> ExtractedWeights:
    passed = extract_weights(trial, [], {"path": str(target)})
    return replace(passed, weights=load_initial(save_initial(folder, passed.weights)))


@pytest.mark.slow
@pytest.mark.parametrize("method", MERGING)
def test_a_merged_source_computes_in_a_plain_model_what_it_computed_adapted(
    method: str, base: BaseModel, data: Path, tmp_path: Path
) -> None:
    trial = finished(tmp_path / "trial", "text_classifier", data, base, adaptation=method)
    weights = passed_to(trial, data, tmp_path / "weights").weights
    model = fresh(base, data, trial.configuration)
    apply_initial(model, weights, ("sad", "calm", "glad"))
    expected = rebuild(trial).model(**BATCH).logits
    assert torch.allclose(model.eval()(**BATCH).logits, expected, atol=1e-4)
    before = fresh(base, data, trial.configuration)(**BATCH).logits
    assert not torch.allclose(before, expected, atol=1e-2)


@pytest.mark.parametrize("method", MERGING[1:])
def test_only_what_differs_from_the_base_is_extracted(
    method: str, base: BaseModel, data: Path, tmp_path: Path
) -> None:
    trial = finished(tmp_path / "trial", "text_classifier", data, base, adaptation=method)
    weights = passed_to(trial, data, tmp_path / "weights").weights
    assert not any("word_embeddings" in name for name in weights.tensors)
    assert any("attention" in name for name in weights.tensors)


@pytest.mark.parametrize("method", ["prefix", "adapters"])
def test_what_cannot_be_merged_goes_into_the_same_adaptation(
    method: str, base: BaseModel, data: Path, tmp_path: Path
) -> None:
    trial = finished(tmp_path / "trial", "text_classifier", data, base, adaptation=method)
    weights = passed_to(trial, data, tmp_path / "weights").weights
    assert not weights.is_merged
    adapted = adapt(fresh(base, data, trial.configuration), trial.configuration, steps=5, seed=3)
    apply_initial(adapted.model, weights, ("sad", "calm", "glad"))
    expected = rebuild(trial).model(**BATCH).logits
    assert torch.equal(adapted.model.eval()(**BATCH).logits, expected)
    with pytest.raises(ValueError, match="no tensor"):
        apply_initial(fresh(base, data, trial.configuration), weights, ("sad", "calm", "glad"))


@pytest.mark.slow
@pytest.mark.parametrize("second", [*MERGING, "prefix", "adapters"])
def test_weights_frozen_below_an_adaptation_are_extracted_too(
    second: str, base: BaseModel, data: Path, tmp_path: Path
) -> None:
    first = finished(tmp_path / "first", "text_classifier", data, base, adaptation="lora")
    passed = passed_to(first, data, tmp_path / "weights")
    file = save_initial(tmp_path / "weights", passed.weights)
    trial = finished(tmp_path / "second", "text_classifier", data, base, seed=1, adaptation=second)
    started = replace(trial, initial=file)
    expected = rebuild(started).model(**BATCH).logits
    assert second == "full" or not torch.equal(rebuild(trial).model(**BATCH).logits, expected)
    weights = passed_to(started, data, tmp_path / "again").weights
    model: Any = fresh(base, data, trial.configuration)
    if not weights.is_merged:
        model = adapt(model, trial.configuration, steps=5, seed=3).model
    apply_initial(model, weights, ("sad", "calm", "glad"))
    assert torch.allclose(model.eval()(**BATCH).logits, expected, atol=1e-4)
    export(started, tmp_path / "out")
    if weights.is_merged:
        loaded = AutoModelForSequenceClassification.from_pretrained(tmp_path / "out").eval()
    else:
        loaded = load_by(tmp_path / "out", base.folder)
    assert torch.allclose(loaded(**BATCH).logits, expected, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["lora", "adapters"])
def test_rows_of_the_head_are_copied_by_label_name(
    method: str, base: BaseModel, data: Path, tmp_path: Path
) -> None:
    trial = finished(tmp_path / "trial", "text_classifier", data, base, adaptation=method)
    target = classes(tmp_path / "target", "glad", "angry")
    passed = passed_to(trial, target, tmp_path / "weights")
    assert (passed.rows.carried, passed.rows.fresh) == (("glad",), ("angry",))
    model: Any = fresh(base, target, trial.configuration)
    drawn = model.classifier.weight[1].detach().clone()
    if method == "adapters":
        model = adapt(model, trial.configuration, steps=5, seed=3).model
    apply_initial(model, passed.weights, ("glad", "angry"))
    learned = rebuild(trial).adapted.state()["classifier.weight"]
    assert torch.equal(model.classifier.weight[0], learned[2])
    assert torch.equal(model.classifier.weight[1], drawn)


def test_tags_of_an_entity_type_that_both_have_are_copied(tmp_path: Path) -> None:
    base = tiny_base(tmp_path / "bert", "entity_tagger")
    source = entities(tmp_path / "music", "person", "place")
    trial = finished(tmp_path / "trial", "entity_tagger", source, base, adaptation="lora")
    target = entities(tmp_path / "books", "book", "person")
    passed = extract_weights(trial, [], {"path": str(target)})
    assert passed.rows.carried == ("O", "B-person", "I-person")
    assert passed.rows.fresh == ("B-book", "I-book")
    assert passed.overlap.count == 0


@pytest.mark.slow
def test_what_was_trained_on_is_compared_with_the_targets_splits(
    base: BaseModel, data: Path, tmp_path: Path
) -> None:
    trial = finished(tmp_path / "trial", "text_classifier", data, base, adaptation="lora")
    swapped = classes(tmp_path / "swapped", "sad", "glad")
    (swapped / "train.parquet").rename(swapped / "spare")
    (swapped / "test.parquet").rename(swapped / "train.parquet")
    (swapped / "spare").rename(swapped / "test.parquet")
    found = extract_weights(trial, [], {"path": str(swapped)}).overlap
    assert len(found.test) == found.compared > 0 and found.validation == ()
    ancestor = [{"path": str(data)}]
    other = finished(tmp_path / "other", "text_classifier", swapped, base, adaptation="lora")
    clean = extract_weights(other, [], {"path": str(swapped)})
    assert clean.overlap.count == 0
    assert extract_weights(other, ancestor, {"path": str(swapped)}).overlap.count == len(found.test)


def test_a_checkpoint_that_is_gone_is_named(base: BaseModel, data: Path, tmp_path: Path) -> None:
    trial = finished(tmp_path / "trial", "text_classifier", data, base)
    with pytest.raises(FileNotFoundError, match="source#0"):
        rebuild(replace(trial, checkpoints=tmp_path / "gone"))

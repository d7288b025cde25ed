"""Fine-tuned trials pass their weights on to trials on the same base, and are exported with it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import torch
import yaml
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from models.weights.initial import load_initial
from search.optimize.plan import Plan
from search.spec import Spec, spec_from_yaml
from search.transfer.export import export_trial
from search.transfer.pin_weights import pin
from tests.support.source_searches import Shelf
from tests.support.trained_trials import classes, finished, tiny_base

RATE = {"type": "float", "low": 1e-4, "high": 1e-2, "log": True}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    folder = tmp_path_factory.mktemp("shelf")
    tiny_base(folder / "bert", "text_classifier")
    classes(folder / "moods", "sad", "calm", "glad")
    classes(folder / "tones", "glad", "angry")
    return Shelf(folder)


def text_spec(shelf: Shelf, name: str, data: str, method: str, **changes: Any) -> Spec:
    record: dict[str, Any] = {
        "name": name,
        "task": {
            "name": data, "data": {"path": str(shelf.folder / data)},
            "model": "text_classifier", "base": str(shelf.folder / "bert"),
            "settings": {"adaptation": method, "max_length": 32},
        },
        "objectives": [
            {"metric": "accuracy.clean", "direction": "maximize"},
            {"metric": "f1.macro", "direction": "maximize"},
        ],
        "space": {f"{method}.learning_rate": RATE},
        "budget": {"trials": 2, "epochs": 1},
        "scheduler": {"name": "none"},
    }  # fmt: skip
    return spec_from_yaml(yaml.safe_dump(record | changes))


def finished_search(shelf: Shelf, method: str, **changes: Any) -> Plan:
    """A search on moods whose one trial has moved all its weights at random."""
    plan = shelf.plan(text_spec(shelf, f"moods-{method}", "moods", method, **changes))
    base = tiny_base_of(shelf)
    finished(
        plan.checkpoints(0), "text_classifier", shelf.folder / "moods", base, adaptation=method
    )
    shelf.record(plan, [({f"{method}.learning_rate": 1e-3}, [0.8, 0.7])])
    return plan


def tiny_base_of(shelf: Shelf) -> Any:
    from models.networks.base_model import locate_base

    return locate_base(str(shelf.folder / "bert"))


@pytest.mark.slow
def test_a_lora_trial_passes_its_merged_weights_to_any_method(shelf: Shelf) -> None:
    source = finished_search(shelf, "lora")
    spec = text_spec(shelf, "tones", "tones", "ia3", initial_weights={"from": source.search})
    assert list(pin(spec, shelf.uri)[0].space) == ["ia3.learning_rate"]
    plan = shelf.plan(spec)
    weights = load_initial(plan.initial_files()[f"{source.search}#0"])
    assert weights.is_merged
    assert weights.lineage["rows_carried"] == ["glad"]
    assert weights.lineage["rows_initialized"] == ["angry"]
    base = tiny_base_of(shelf)
    assert weights.lineage["base"] == f"bert@{base.digest}"


@pytest.mark.slow
def test_adapters_fix_their_method_and_size(shelf: Shelf) -> None:
    source = finished_search(shelf, "adapters")
    task = text_spec(shelf, "x", "tones", "full").task.model_dump(exclude_none=True)
    task["settings"] = {"max_length": 32}
    space = {
        "adaptation": {"type": "categorical", "choices": ["lora", "adapters"]},
        "lora.learning_rate": RATE, "adapters.learning_rate": RATE,
        "adapters.width": {"type": "int", "low": 8, "high": 64},
    }  # fmt: skip
    named = {"from": source.search}
    pinned, _ = pin(
        text_spec(shelf, "tones", "tones", "full", task=task, space=space, initial_weights=named),
        shelf.uri,
    )
    assert list(pinned.space) == ["adapters.learning_rate"]
    assert not pinned.space["adapters.learning_rate"].when
    assert pinned.task.settings["adaptation"] == "adapters"
    assert pinned.task.settings["adapters.width"] == 48
    other = text_spec(shelf, "tones", "tones", "lora", initial_weights=named)
    with pytest.raises(ValueError, match="has adaptation adapters, task"):
        pin(other, shelf.uri)
    choice = {"type": "categorical", "choices": ["scratch", source.search]}
    free = text_spec(
        shelf, "tones", "tones", "full", task=task, space=space | {"initial_weights": choice}
    )
    with pytest.raises(ValueError, match="fit one adaptation only"):
        pin(free, shelf.uri)


@pytest.mark.slow
def test_another_base_is_refused(shelf: Shelf, tmp_path: Path) -> None:
    source = finished_search(shelf, "lora")
    shutil.copytree(shelf.folder / "bert", tmp_path / "bert")
    other = tmp_path / "bert" / "model.safetensors"
    content = bytearray(other.read_bytes())
    content[-1] ^= 1
    other.write_bytes(bytes(content))
    spec = text_spec(shelf, "tones", "tones", "lora", initial_weights={"from": source.search})
    task = spec.task.model_copy(update={"base": str(tmp_path / "bert")})
    with pytest.raises(ValueError, match="name a trial on the same base"):
        pin(spec.model_copy(update={"task": task}), shelf.uri)


@pytest.mark.slow
def test_a_text_that_was_trained_on_is_shown(shelf: Shelf) -> None:
    source = finished_search(shelf, "lora")
    leaky = classes(shelf.folder / "leaky", "glad", "angry")
    shutil.copy(shelf.folder / "tones" / "train.parquet", leaky / "test.parquet")
    shutil.copy(shelf.folder / "tones" / "validation.parquet", leaky / "train.parquet")
    spec = text_spec(shelf, "leaky", "leaky", "lora", initial_weights={"from": source.search})
    with pytest.raises(ValueError, match=r"test split.*unlearn(?s:.*)ada sings day"):
        shelf.plan(spec)


@pytest.mark.slow
def test_a_source_that_left_these_texts_out_is_accepted(shelf: Shelf) -> None:
    guarded = classes(shelf.folder / "guarded", "glad", "angry")
    some = pq.read_table(shelf.folder / "tones" / "train.parquet").slice(0, 3)
    pq.write_table(some, guarded / "test.parquet")
    shutil.copy(shelf.folder / "tones" / "validation.parquet", guarded / "train.parquet")
    data = {"path": str(shelf.folder / "moods"), "without": [str(guarded)]}
    for changes, leaks in (({}, True), ({"data": data}, False)):
        task = text_spec(shelf, "x", "moods", "lora").task.model_dump(exclude_none=True) | changes
        source = finished_search(shelf, "lora", task=task)
        named = {"from": source.search}
        spec = text_spec(shelf, "guarded", "guarded", "lora", initial_weights=named)
        if leaks:
            with pytest.raises(ValueError, match="3 of its test split"):
                shelf.plan(spec)
        else:
            (lineage,) = [each["lineage"] for each in shelf.plan(spec).initial_weights.values()]
            assert lineage["overlap"] == {"count": 0, "known": 0, "compared": 11}


@pytest.mark.slow
def test_an_exported_trial_is_loaded_by_transformers_alone(shelf: Shelf, tmp_path: Path) -> None:
    source = finished_search(shelf, "lora")
    export_trial(shelf.uri, f"{source.search}#0", tmp_path / "out")
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "out").eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    logits = model(**tokenizer("ada sings", return_tensors="pt")).logits
    assert logits.shape == (1, 3) and bool(torch.isfinite(logits).all())
    card = (tmp_path / "out" / "README.md").read_text()
    assert "Licence: CC0." in card and f"digest {tiny_base_of(shelf).digest}" in card
    assert "The pretrained base alone." in card and "adaptation: lora" in card
    assert str(shelf.folder) not in card

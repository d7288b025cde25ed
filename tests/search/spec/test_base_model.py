"""The pretrained model of a spec: where it may lie, and what it cannot take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from models.networks.base_model import locate_base
from search.spec import SpecError, load_spec, spec_from_yaml, task_id
from tests.support.spec_texts import fine_tuning, place, with_task, write_model


def problems(path: Path, text: str | None = None) -> str:
    if text is not None:
        path.write_text(text)
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    return str(caught.value)


def test_a_model_folder_is_relative_to_the_spec(tmp_path: Path) -> None:
    spec = load_spec(place(tmp_path, fine_tuning()))
    assert spec.task.base == str(tmp_path / "model")
    again = spec_from_yaml(spec.to_yaml(), "elsewhere/spec.yaml")
    assert again == spec and again.to_yaml() == spec.to_yaml()


@pytest.mark.parametrize("base", ["hub:prajjwal1/bert-tiny@v1", "package:some_package"])
def test_hub_and_package_keep_their_names(base: str) -> None:
    assert spec_from_yaml(with_task(base=base)).task.base == base


def test_a_model_that_fine_tunes_needs_a_base(tmp_path: Path) -> None:
    said = problems(place(tmp_path, with_task(base=None)))
    assert "task.base: is missing: model text_classifier starts from a pretrained one" in said
    assert "hub:NAME" in said and "package:MODULE" in said


@pytest.mark.parametrize("trained", [{"model": "cnn"}, {"train": "python:json:loads"}])
def test_a_model_without_a_base_is_told_to_leave_it_out(trained: dict[str, str]) -> None:
    text = yaml.safe_load(fine_tuning())
    del text["task"]["model"]
    text["task"] |= {**trained, "data": "digits", "settings": {}}
    with pytest.raises(SpecError, match=r"task\.base = 'model'.*remove it"):
        spec_from_yaml(yaml.safe_dump(text))


@pytest.mark.parametrize(
    ("base", "said"),
    [
        ("no/such", ["task.base = 'no/such'", "no folder", "package:MODULE"]),
        ("package:no_such_package_at_all", ["no such package is installed"]),
        ("hub:", ["names nothing after hub:", "hub:NAME@REVISION"]),
        (["model"], ["task.base = ['model']", "must be text"]),
        ("data", ["no config.json"]),
    ],
)
def test_a_base_that_is_not_there_is_refused(tmp_path: Path, base: Any, said: list[str]) -> None:
    message = problems(place(tmp_path, with_task(base=base)))
    assert all(words in message for words in said)


def test_a_base_with_pickled_weights_alone_is_refused(tmp_path: Path) -> None:
    path = place(tmp_path, fine_tuning())
    (tmp_path / "model" / "model.safetensors").unlink()
    (tmp_path / "model" / "pytorch_model.bin").write_bytes(b"pickle")
    assert "pickle weights are never loaded" in problems(path)


def test_a_method_that_the_architecture_cannot_take_is_refused_where_it_stands(
    tmp_path: Path,
) -> None:
    path = place(tmp_path, fine_tuning())
    write_model(tmp_path / "model", model_type="distilbert")
    space = {
        "adaptation": {"type": "categorical", "choices": ["full", "prefix"]},
        "prefix.tokens": {"type": "int", "low": 2, "high": 8},
    }
    said = problems(path, fine_tuning(space=space))
    assert "space.adaptation.choices[1] = 'prefix'" in said and "cached keys" in said
    space = {"batch_size": {"type": "int", "low": 2, "high": 8}}
    text = yaml.safe_load(fine_tuning(space=space))
    text["task"]["settings"]["adaptation"] = "prefix"
    assert "task.settings.adaptation = 'prefix'" in problems(path, yaml.safe_dump(text))


def test_an_architecture_that_cannot_do_the_task_is_refused(tmp_path: Path) -> None:
    path = place(tmp_path, with_task(model="causal_model", data="dialogue"))
    said = problems(path)
    assert "a bert cannot be adapted to dialogue" in said and "gpt2" in said


def test_prefix_tuning_with_gradient_checkpointing_is_refused(tmp_path: Path) -> None:
    space = {
        "adaptation": {"type": "categorical", "choices": ["lora", "prefix"]},
        "gradient_checkpointing": {"type": "bool"},
    }
    said = problems(place(tmp_path, fine_tuning(space=space)))
    assert "space.gradient_checkpointing" in said and "leave out one of the two" in said


@pytest.mark.parametrize(
    ("settings", "space", "key"),
    [
        ({}, {}, "task.settings.max_length = 128"),
        ({"max_length": 65}, {}, "task.settings.max_length = 65"),
        ({}, {"max_length": {"type": "int", "low": 16, "high": 96}}, "space.max_length.high = 96"),
        (
            {},
            {"max_length": {"type": "categorical", "choices": [32, 80]}},
            "space.max_length.choices = 80",
        ),
    ],
)
def test_texts_longer_than_the_model_has_positions_are_refused(
    tmp_path: Path, settings: dict[str, Any], space: dict[str, Any], key: str
) -> None:
    text = yaml.safe_load(with_task(settings=settings))
    text["space"] |= space
    said = problems(place(tmp_path, yaml.safe_dump(text)))
    assert key in said and "the 64 tokens that model takes" in said


def test_a_length_that_is_no_number_is_an_error_with_its_key(tmp_path: Path) -> None:
    said = problems(place(tmp_path, with_task(settings={"max_length": "long"})))
    assert "task.settings.max_length = 'long': is not a legal value" in said


def test_positions_of_a_roberta_count_from_behind_its_padding(tmp_path: Path) -> None:
    path = place(tmp_path, with_task(settings={"max_length": 63}))
    write_model(tmp_path / "model", model_type="roberta")
    assert "the 62 tokens" in problems(path)
    path.write_text(with_task(settings={"max_length": 62}))
    load_spec(path)


def test_a_prefix_and_the_text_behind_it_must_fit_into_the_positions(tmp_path: Path) -> None:
    space = {
        "adaptation": {"type": "categorical", "choices": ["full", "prefix"]},
        "prefix.tokens": {"type": "int", "low": 8, "high": 33},
    }
    path = place(tmp_path, fine_tuning(space=space))  # texts of 32 tokens, 64 positions
    assert "space.prefix.tokens.high = 33" in problems(path)
    space["prefix.tokens"]["high"] = 32
    path.write_text(fine_tuning(space=space))
    load_spec(path)


def test_a_rank_that_adalora_would_have_to_grow_to_is_refused(tmp_path: Path) -> None:
    space = {
        "adaptation": {"type": "categorical", "choices": ["full", "adalora"]},
        "adalora.rank": {"type": "int", "low": 2, "high": 16},
        "adalora.initial_rank": {"type": "categorical", "choices": [12, 24]},
    }
    path = place(tmp_path, fine_tuning(space=space))
    said = problems(path)
    assert "space.adalora.rank.high = 16" in said and "may be (12)" in said
    space["adalora.rank"]["high"] = 12
    path.write_text(fine_tuning(space=space))
    load_spec(path)


def test_switches_of_a_transformer_may_be_searched_as_bool(tmp_path: Path) -> None:
    text = yaml.safe_load(fine_tuning())
    text["space"]["full.freeze_embeddings"] = {"type": "bool"}
    text["space"]["gradient_checkpointing"] = {"type": "categorical", "choices": [True, False]}
    spec = load_spec(place(tmp_path, yaml.safe_dump(text)))
    assert spec.space["full.freeze_embeddings"].when == {"adaptation": ("full",)}
    configuration = {"adaptation": "full", "full.freeze_embeddings": True}
    assert spec.complete(configuration)["full.freeze_embeddings"] is True


def test_a_base_changes_the_task_by_its_content_and_not_by_its_place(tmp_path: Path) -> None:
    spec = load_spec(place(tmp_path / "one", fine_tuning()))
    moved = load_spec(place(tmp_path / "two", with_task(base="renamed/model"), "renamed"))
    first = spec.fingerprint(None, locate_base(str(spec.task.base)))
    second = moved.fingerprint(None, locate_base(str(moved.task.base)))
    assert first["base"]["name"] == "model" and len(first["base"]["digest"]) == 12
    assert task_id(first) == task_id(second)
    (tmp_path / "one" / "model" / "vocab.txt").write_text("another\nvocabulary\n")
    assert task_id(spec.fingerprint(None, locate_base(str(spec.task.base)))) != task_id(first)

"""Hyperparameters of one value, and adaptations that need not be written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from search.spec import load_spec, spec_from_yaml
from tests.support.spec_documents import changed
from tests.support.spec_texts import fine_tuning, place

RATE = {"type": "float", "low": 1e-5, "high": 1e-3, "log": True}


def texts(folder: Path, **space: Any) -> Any:
    return load_spec(place(folder, fine_tuning(space=space)))


def test_full_fine_tuning_need_not_be_written(tmp_path: Path) -> None:
    spec = texts(tmp_path, **{"full.learning_rate": RATE})
    assert spec.complete({"full.learning_rate": 1e-4})["adaptation"] == "full"
    assert not spec.search_space().conditions


def test_one_adaptation_may_stand_in_the_space(tmp_path: Path) -> None:
    one = {"type": "categorical", "choices": ["lora"]}
    spec = texts(tmp_path, **{"adaptation": one, "lora.learning_rate": RATE})
    space = spec.search_space()
    assert space.distributions["adaptation"].single()
    # Its one parent always has the value, so the rate is in every trial.
    assert not space.conditions
    assert spec_from_yaml(spec.to_yaml(), "elsewhere.yaml").to_yaml() == spec.to_yaml()


def test_one_choice_keeps_its_type() -> None:
    choices = {"type": "categorical", "choices": [16]}
    space = spec_from_yaml(changed("space/width", choices)).search_space()
    assert space.assemble(lambda name, kind: getattr(kind, "choices", (0.01,))[0])["width"] == 16

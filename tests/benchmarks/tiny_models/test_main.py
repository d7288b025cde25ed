"""The tiny bases that the specs of dialogue and of the vision transformer name."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.tiny_models.__main__ import FOLDER, POSITIONS, main
from models.networks.base_model import locate_base
from search.spec import load_spec
from search.spec.base_model import most_tokens

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    written = tmp_path_factory.mktemp("tiny")
    main([str(written)])
    return written


@pytest.mark.parametrize(
    ("spec", "name", "kind"), [("dialogue", "gpt2", "gpt2"), ("vision_transformer", "vit", "vit")]
)
def test_they_fit_the_specs_that_name_them(folder: Path, spec: str, name: str, kind: str) -> None:
    base = folder / name
    assert locate_base(str(base)).model_type == kind
    checked = load_spec(ROOT / "search" / "specs" / f"{spec}.yaml", [f"task.base={base}"])
    assert checked.task.base == str(base)
    text = (ROOT / "search" / "specs" / f"{spec}.yaml").read_text()
    assert f"base: ../../{FOLDER / name}" in text and "benchmarks.tiny_models" in text


def test_the_causal_model_says_how_long_its_texts_may_be(folder: Path) -> None:
    assert most_tokens(folder / "gpt2") == POSITIONS


def test_the_same_seed_writes_the_same_model(folder: Path, tmp_path: Path) -> None:
    main([str(tmp_path / "same")])
    main([str(tmp_path / "other"), "--seed", "1"])
    for name in ("gpt2", "vit"):
        digest = locate_base(str(folder / name)).digest
        assert locate_base(str(tmp_path / "same" / name)).digest == digest
        assert locate_base(str(tmp_path / "other" / name)).digest != digest

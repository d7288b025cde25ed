"""The examples of training functions: each trains, is cut off and continues from its checkpoint."""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from models.catalog import Threat
from models.data.loading import load_images
from models.training.function import FunctionTraining
from models.training.trial_context import TrialPlace
from search.optimize.function_check import check_function
from search.spec import load_spec
from tests.support.image_trainings import comparable

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES: dict[str, Mapping[str, Any]] = {
    "own_loop": {"width": 4, "learning_rate": 0.01, "noise": 0.1},
    "transformers_trainer": {"learning_rate": 0.01, "weight_decay": 0.0},
    "lightning_trainer": {"width": 8, "learning_rate": 0.01},
}


def test_every_example_is_tested() -> None:
    # A script that searches by itself is run by tests/examples.
    scripts = {path.stem.removeprefix("test_") for path in ROOT.glob("tests/examples/test_*.py")}
    files = {path.stem for path in ROOT.glob("examples/*.py")} - {"__init__"} - scripts
    assert files == EXAMPLES.keys() == {path.stem for path in ROOT.glob("examples/*.yaml")}


def training(example: str, folder: Path, module: str = "") -> FunctionTraining:
    function = importlib.import_module(module or f"examples.{example}").train
    data = load_images({"name": "digits", "train_examples": 64}) if example == "own_loop" else None
    threat = Threat(epsilon=0.1, steps=2, cheap_steps=1, examples=20)
    place = TrialPlace(folder / "files", folder / "own" / "generation_1", data=data, threat=threat)
    return FunctionTraining(function, EXAMPLES[example], epochs=3, seed=3, place=place)


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_continues_in_its_third_epoch(
    example: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert_continues_in_its_third_epoch(example, tmp_path)


def test_lightning_continues_under_its_older_name_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Also where both were imported, of which the callback takes the other one."""
    source = (ROOT / "examples" / "lightning_trainer.py").read_text()
    older = source.replace("import lightning.pytorch as pl", "import pytorch_lightning as pl")
    assert older != source
    (tmp_path / "older_lightning.py").write_text(older)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert_continues_in_its_third_epoch("lightning_trainer", tmp_path, "older_lightning")
    importlib.import_module("lightning.pytorch")
    assert len(list(training("lightning_trainer", tmp_path / "both", "older_lightning").run())) == 3


def assert_continues_in_its_third_epoch(example: str, tmp_path: Path, module: str = "") -> None:
    whole = comparable(list(training(example, tmp_path / "whole", module).run()))
    assert len(whole) == 3
    begun = training(example, tmp_path / "cut", module)
    running = begun.run()
    next(running), next(running)
    state = begun.state_dict()
    running.close()  # the trainer of a library lets it end, too
    again = training(example, tmp_path / "cut", module)
    again.load_state_dict(state)
    found = comparable(list(again.run()))
    assert len(found) == 1 and again.ended
    names = [name for name in whole[-1] if "runtime" not in name and "per_second" not in name]
    assert {name: found[0][name] for name in names} == pytest.approx(
        {name: whole[-1][name] for name in names}, abs=0.1
    )


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_spec_of_an_example_passes_the_checks(
    example: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    spec = load_spec(ROOT / "examples" / f"{example}.yaml")
    check_function(spec)
    assert set(EXAMPLES[example]) == set(spec.space)


def test_lightning_is_found_under_either_name(monkeypatch: pytest.MonkeyPatch) -> None:
    from search import callbacks

    for name in ("lightning.pytorch", "pytorch_lightning"):
        for other in ("lightning.pytorch", "pytorch_lightning"):
            monkeypatch.delitem(sys.modules, other, raising=False)
        module = types.ModuleType(name)
        monkeypatch.setitem(sys.modules, name, module)
        assert callbacks._lightning() is module


def test_lightning_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from search import callbacks

    monkeypatch.setattr(callbacks, "find_spec", lambda name: None)
    for name in ("lightning.pytorch", "pytorch_lightning"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(ImportError, match="fix: pip install lightning"):
        callbacks.LightningCallback(None)  # type: ignore[arg-type]

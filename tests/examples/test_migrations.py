"""The scripts of `examples/migrate/` run before and after; the page shows their edits."""

from __future__ import annotations

import difflib
import importlib.util
import os
import re
import subprocess
import sys
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
import pytest

from models.training.function import FunctionTraining
from models.training.trial_context import TrialPlace
from search.optimize.function_check import check_function
from search.spec import load_spec

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "examples" / "migrate"
PAGE = ROOT / "docs" / "guides" / "migrate.md"
EDITS = {
    "ray_tune_script": "ray_tune_script",
    "optuna_objective": "optuna_objective",
    "optuna_sampler": "optuna_objective",
    "trainer_search": "trainer_search",
    "wandb_script": "wandb_script",
}  # after -> before
# Spec -> a configuration, and the metric of the objective.
CONFIGURATIONS: Mapping[str, tuple[Mapping[str, Any], str]] = {
    "ray_tune_script": ({"learning_rate": 0.01, "width": 16, "dropout": 0.1}, "accuracy"),
    "optuna_objective": ({"learning_rate": 0.01, "width": 16, "dropout": 0.1}, "accuracy"),
    "trainer_search": (
        {"learning_rate": 0.01, "weight_decay": 0.0, "per_device_train_batch_size": 16},
        "eval_accuracy",
    ),
    "sweep_spec": (
        {"learning_rate": 0.01, "width": 16, "dropout": 0.1, "optimizer": "adam"}, "val_accuracy"
    ),
}  # fmt: skip


def edit(after: str) -> str:
    """Returns the lines that change from before to after, with one more on either side."""
    texts = [(FOLDER / "before" / f"{EDITS[after]}.py"), FOLDER / f"{after}.py"]
    lines = [path.read_text().splitlines() for path in texts]
    changed = list(difflib.unified_diff(*lines, n=1, lineterm=""))[2:]
    return "\n".join(re.sub(r"^@@.*@@$", "@@", line) for line in changed)


@pytest.mark.parametrize("after", EDITS)
def test_the_page_shows_the_edit_as_it_was_made(after: str) -> None:
    assert f"```diff\n{edit(after)}\n```" in PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("spec", ["ray_tune_script", "optuna_objective", "trainer_search"])
def test_the_page_shows_the_spec_that_ships(spec: str) -> None:
    text = (FOLDER / f"{spec}.yaml").read_text()
    assert f"```yaml\n{text}```" in PAGE.read_text(encoding="utf-8")


def test_the_page_shows_the_sweep_that_ships() -> None:
    text = (FOLDER / "sweep.yaml").read_text()
    assert f"```text\n{text}```" in PAGE.read_text(encoding="utf-8")


def test_every_file_is_tested() -> None:
    assert {path.stem for path in FOLDER.glob("*.py")} == EDITS.keys()
    specs = {path.stem for path in FOLDER.glob("*.yaml")} - {"sweep"}
    assert specs == CONFIGURATIONS.keys()


@pytest.mark.slow
@pytest.mark.parametrize("spec", CONFIGURATIONS)
def test_an_edited_script_passes_the_checks_and_reports_each_epoch(
    spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(FOLDER)
    checked = load_spec(f"{spec}.yaml")
    check_function(checked)
    configuration, metric = CONFIGURATIONS[spec]
    assert checked.metrics == (metric,) and set(configuration) == set(checked.space)
    _, module, name = str(checked.task.train).split(":")
    place = TrialPlace(tmp_path / "files", tmp_path / "own")
    training = FunctionTraining(
        getattr(loaded(module), name), configuration, epochs=10, seed=3, place=place
    )
    # The objective of Optuna has a number of epochs of its own, that of its spec's budget.
    rows = list(training.run())
    assert len(rows) == 10 and training.ended
    assert 0.5 < rows[-1][metric] <= 1.0


def loaded(module: str) -> Any:
    spec = importlib.util.spec_from_file_location(
        f"migrated_{module.replace('/', '_')}", FOLDER / f"{module}.py"
    )
    assert spec is not None and spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def run_small(script: Path, folder: Path, **smaller: int) -> None:
    """Runs a script as its user does, with smaller numbers."""
    text = script.read_text()
    for name, number in smaller.items():
        text, count = re.subn(rf"\b{name}( ?= ?)\d+", rf"{name}\g<1>{number}", text)
        assert count == 1, name
    (folder / script.name).write_text(text)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, script.name], cwd=folder, env=environment, check=True)


@pytest.mark.slow
def test_the_study_before_is_the_history_of_the_one_after(tmp_path: Path) -> None:
    run_small(FOLDER / "before" / "optuna_objective.py", tmp_path, EPOCHS=1, n_trials=2)
    run_small(FOLDER / "optuna_sampler.py", tmp_path, EPOCHS=1, n_trials=2)
    storage = f"sqlite:///{tmp_path / 'study.db'}"
    earlier, later = (
        optuna.load_study(study_name=name, storage=storage) for name in ("digits", "digits-2")
    )
    assert len(earlier.trials) == len(later.trials) == 2
    # The best known configuration is tried first.
    assert later.trials[0].params == pytest.approx(earlier.best_params)


@pytest.mark.long
@pytest.mark.slow
def test_the_script_of_ray_tune_ran_before_its_edit(tmp_path: Path) -> None:
    run_small(
        FOLDER / "before" / "ray_tune_script.py", tmp_path,
        EPOCHS=1, num_samples=1, grace_period=1,
    )  # fmt: skip


@pytest.mark.slow
def test_the_script_of_a_trainer_ran_before_its_edit(tmp_path: Path) -> None:
    run_small(
        FOLDER / "before" / "trainer_search.py", tmp_path, n_trials=1, num_train_epochs=1
    )  # fmt: skip


@pytest.mark.slow
def test_the_script_of_a_sweep_logged_before_its_edit(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what it asks of wandb, which is no dependency of the tests."""
    logged: list[dict[str, float]] = []
    configuration = {**CONFIGURATIONS["sweep_spec"][0], "epochs": 1}
    wandb = types.ModuleType("wandb")
    wandb.init = lambda: types.SimpleNamespace(config=configuration)  # type: ignore[attr-defined]
    wandb.log = logged.append  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    loaded("before/wandb_script").train()
    assert [set(row) for row in logged] == [{"val/accuracy"}]

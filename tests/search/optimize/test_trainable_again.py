"""A worker that runs one trial after another keeps nothing of the last one."""

from __future__ import annotations

import threading
import weakref
from pathlib import Path
from typing import Any

import pytest

from models.catalog import Threat
from search.optimize import trainable as trial_module
from search.optimize.trainable import TrialTrainable
from tests.support.stepped_trials import config_of, left, run, task_of, trial_of

pytestmark = pytest.mark.usefixtures("quick_collection")


def test_a_worker_takes_another_trial_and_keeps_nothing_of_the_last(tmp_path: Path) -> None:
    trial = trial_of(task_of(tmp_path, "sometimes_broken"), config_of(tmp_path, fault="raises"))
    assert run(trial)[-1]["failure"]
    second = config_of(tmp_path, number=1, x=0.5, fault="none")
    assert trial.reset_config(second)
    results = run(trial)
    assert [result["epoch"] for result in results] == [1, 2, 3]
    assert [result["metrics"]["left"] for result in results] == [left(0.5, e) for e in (1, 2, 3)]
    assert all(result["failure"] == "" and result["earlier_epochs"] == [] for result in results)
    assert (tmp_path / "checkpoints" / "1" / "generation_1" / "epoch_0003.json").exists()


def test_a_worker_that_takes_an_interrupted_trial_continues_from_its_checkpoint(
    tmp_path: Path,
) -> None:
    trial_of(task_of(tmp_path), config_of(tmp_path, number=1)).step()
    trial = trial_of(task_of(tmp_path), config_of(tmp_path, number=0))
    trial.step()
    trial.reset_config(config_of(tmp_path, number=1))
    result = trial.step()
    assert (result["epoch"], len(result["earlier_epochs"])) == (2, 1)


def test_the_last_training_is_freed_before_the_next_one_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = trial_of(task_of(tmp_path), config_of(tmp_path))
    trial.step()
    last = weakref.ref(trial._training)
    was_alive = []
    make = trial_module.training_of

    def watched(*arguments: Any) -> Any:
        was_alive.append(last() is not None)
        return make(*arguments)

    monkeypatch.setattr(trial_module, "training_of", watched)
    trial.reset_config(config_of(tmp_path, number=1))
    assert was_alive == [False]


def test_a_function_that_is_stopped_is_cleaned_up_before_the_worker_takes_its_next_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def train(configuration: Any, trial: Any) -> None:
        try:
            for _ in range(trial.epochs):
                seen.append(f"trains {trial.seed}")
                trial.report({"left": 1, "right": 1})
        finally:
            seen.append(f"closes {trial.seed}")

    monkeypatch.setattr("tests.support.functions.two_hills", train)
    trial = trial_of(task_of(tmp_path), config_of(tmp_path, number=1))
    trial.step()
    assert trial.reset_config(config_of(tmp_path, number=2))
    trial.step()
    trial.cleanup()
    assert seen == ["trains 1", "closes 1", "trains 2", "closes 2"]


def test_a_function_that_refuses_to_end_costs_its_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = threading.Event()

    def train(configuration: Any, trial: Any) -> None:
        try:
            trial.report({"left": 1, "right": 1})
        finally:
            free.wait()

    monkeypatch.setattr("models.training.function_thread._PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr("tests.support.functions.two_hills", train)
    trial = trial_of(task_of(tmp_path), config_of(tmp_path, number=1))
    trial.step()
    assert trial.reset_config(config_of(tmp_path, number=2)) is False
    free.set()


def test_a_function_that_ended_early_does_not_train_again_after_a_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def train(configuration: Any, trial: Any) -> None:
        calls.append(trial.epoch)
        trial.report({"left": 1, "right": 1}, checkpoint={"epoch": 1})

    monkeypatch.setattr("tests.support.functions.two_hills", train)
    results = run(trial_of(task_of(tmp_path), config_of(tmp_path)))
    assert [(each["epoch"], each["done"], each["ended"]) for each in results] == [
        (1, False, False), (1, True, True),
    ]  # fmt: skip
    (again,) = run(trial_of(task_of(tmp_path), config_of(tmp_path)))
    assert (again["epoch"], again["ended"], again["failure"]) == (1, True, "")
    assert calls == [0]


def test_a_function_gets_the_data_and_the_threat_of_its_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(configuration: Any, trial: Any) -> None:
        trial.report({"left": trial.threat.epsilon, "right": trial.data})

    monkeypatch.setattr("tests.support.functions.two_hills", train)
    trial = object.__new__(TrialTrainable)
    task = task_of(tmp_path, threat=Threat(epsilon=0.25))
    trial.setup(config_of(tmp_path), task=task, data=7)  # type: ignore[arg-type]
    metrics = trial.step()["metrics"]
    assert (metrics["left"], metrics["right"]) == (0.25, 7.0)

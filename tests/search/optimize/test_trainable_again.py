"""A worker that runs one trial after another keeps nothing of the last one."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any

import pytest

from search.optimize import trainable as trial_module
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

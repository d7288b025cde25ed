"""What goes wrong in a training is the result of its own trial, with the reason last."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from search.optimize.outcome import outcome_of
from tests.support.stepped_trials import config_of, run, task_of, trial_of

pytestmark = pytest.mark.usefixtures("quick_collection")


def test_an_exception_becomes_a_result_with_its_traceback(tmp_path: Path) -> None:
    config = config_of(tmp_path, fault="raises")
    first, second = run(trial_of(task_of(tmp_path, "sometimes_broken"), config))
    assert first["failure"] == "" and not first["done"]
    assert second["done"] and second["epoch"] == 1
    assert second["failure"].startswith("Traceback (most recent call last)")
    assert "in sometimes_broken" in second["failure"]
    last_line = second["failure"].strip().splitlines()[-1]
    assert last_line == "RuntimeError: this trial is broken <b>on purpose</b>"


def test_a_trial_that_cannot_start_is_a_result_too(tmp_path: Path) -> None:
    (result,) = run(trial_of(task_of(tmp_path, "no_such_function"), config_of(tmp_path)))
    assert (result["epoch"], result["metrics"], result["done"]) == (0, {}, True)
    assert "functions.py defines no no_such_function" in result["failure"]


def test_running_out_of_memory_is_the_last_line(tmp_path: Path) -> None:
    config = config_of(tmp_path, fault="memory")
    result = run(trial_of(task_of(tmp_path, "sometimes_broken"), config))[-1]
    assert result["failure"].splitlines()[-1] == "out of memory"
    assert "Traceback" in result["failure"]


@pytest.mark.parametrize(
    "message",
    [
        "CUDA out of memory. Tried to allocate 2.00 GiB",
        "DefaultCPUAllocator: can't allocate memory",
    ],
)
def test_torchs_ways_of_running_out_of_memory_are_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, message: str
) -> None:
    def training(*_: Any, **__: Any) -> Any:
        raise RuntimeError(message)
        yield {}

    monkeypatch.setattr("tests.support.functions.two_hills", training)
    result = trial_of(task_of(tmp_path), config_of(tmp_path)).step()
    assert result["failure"].splitlines()[-1] == "out of memory"


def test_a_training_that_ends_early_fails_and_says_when(tmp_path: Path) -> None:
    trial = trial_of(task_of(tmp_path), config_of(tmp_path))
    trial.step()
    trial._epochs = iter(())
    result = trial.step()
    assert result["done"] and result["failure"] == "the training ended after 1 epoch"


def test_an_objective_that_becomes_nan_fails_the_trial_at_once(tmp_path: Path) -> None:
    config = config_of(tmp_path, fault="nan")
    result = run(trial_of(task_of(tmp_path, "sometimes_broken"), config))[-1]
    ended = outcome_of(result, ("left", "right"), 3)
    assert (ended.state, ended.epoch) == ("failed", 2)


def test_a_trial_that_was_interrupted_after_nan_does_not_continue(tmp_path: Path) -> None:
    task, config = task_of(tmp_path, "sometimes_broken"), config_of(tmp_path, fault="nan")
    run(trial_of(task, config))  # and the report of its second epoch is lost
    (result,) = run(trial_of(task, config))
    assert (result["epoch"], result["done"]) == (2, True)
    assert outcome_of(result, ("left", "right"), 3).state == "failed"


def test_a_training_that_gave_up_names_what_diverged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    epochs = [{"loss.train": 0.5, "left": 0.1}, {"loss.train": math.nan, "left": 0.1}]
    monkeypatch.setattr("tests.support.functions.two_hills", lambda *_, **__: iter(epochs))
    result = run(trial_of(task_of(tmp_path), config_of(tmp_path)))[-1]
    assert result["failure"] == "the training ended after 2 epochs: not finite: loss.train"


def test_a_metric_that_no_store_accepts_fails_its_own_trial_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "tests.support.functions.two_hills", lambda *_, **__: iter([{"top@1": 0.5, "left": 0.5}])
    )
    result = trial_of(task_of(tmp_path), config_of(tmp_path)).step()
    assert result["done"] and "top@1" in result["failure"]


def test_a_trial_that_does_not_report_an_objective_fails_before_the_scheduler_sees_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.support.functions.two_hills", lambda *_, **__: iter([{"left": 0.5}]))
    task = task_of(tmp_path, epochs=9, scheduler="multi_objective_asha")
    result = trial_of(task, config_of(tmp_path)).step()
    assert result["done"] and "reported no right" in result["failure"]


def test_a_metric_that_is_no_number_fails_the_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "tests.support.functions.two_hills", lambda *_, **__: iter([{"left": "good"}])
    )
    result = trial_of(task_of(tmp_path), config_of(tmp_path)).step()
    assert result["done"] and "'good'" in result["failure"]

"""A trial on its worker, without Ray: set up, stepped, killed and set up again by hand."""

from __future__ import annotations

import gc
import math
import threading
import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from search.optimize import trial as trial_module
from search.optimize.held_out import HeldOut, judge_trial
from search.optimize.outcome import outcome_of
from search.optimize.trainings import FunctionTraining, TaskOnWorker
from search.optimize.trial import Trial
from tests.small_disks import fill, make_room, small_disk


@pytest.fixture(autouse=True, scope="module")
def quick_collection() -> Iterator[None]:
    """Every trial collects garbage; among all that torch and ray have loaded it takes a second."""
    gc.freeze()
    yield
    gc.unfreeze()


def task_of(folder: Path, function: str = "two_hills", **changes: Any) -> TaskOnWorker:
    fields: dict[str, Any] = {
        "model": f"python:tests.functions:{function}", "objectives": ("left", "right"),
        "epochs": 3, "threat": None, "storage": folder, "generation": 1, "threads": 1,
        "uses_gpu": False,
    }  # fmt: skip
    return TaskOnWorker(**fields | changes)


def config_of(folder: Path, number: int = 0, **configuration: Any) -> dict[str, Any]:
    return {
        "number": number, "configuration": {"x": 0.0} | configuration, "seed": number,
        "checkpoints": str(folder / "checkpoints" / str(number)),
    }  # fmt: skip


def trial_of(task: TaskOnWorker, config: dict[str, Any]) -> Trial:
    """A trial in a new process, as far as Trial can tell."""
    trial = object.__new__(Trial)
    trial.setup(config, task=task)
    return trial


def run(trial: Trial) -> list[dict[str, Any]]:
    """Steps until it is done."""
    results = [trial.step()]
    while not results[-1]["done"]:
        results.append(trial.step())
        assert len(results) < 20, "it never ends"
    return results


def left(x: float, epoch: int, epochs: int = 3) -> float:
    return epoch / epochs * math.exp(-(x**2))


def test_every_step_is_an_epoch_and_the_last_one_is_done(tmp_path: Path) -> None:
    results = run(trial_of(task_of(tmp_path), config_of(tmp_path, x=0.5)))
    assert [(result["epoch"], result["done"]) for result in results] == [
        (1, False), (2, False), (3, True),
    ]  # fmt: skip
    assert [result["metrics"]["left"] for result in results] == [left(0.5, e) for e in (1, 2, 3)]
    assert all(result["failure"] == "" and result["earlier_epochs"] == [] for result in results)


def test_every_epoch_tells_how_long_it_took(tmp_path: Path) -> None:
    result = trial_of(task_of(tmp_path), config_of(tmp_path)).step()
    assert 0 <= result["metrics"]["seconds.epoch"] < 60


def test_every_epoch_is_checkpointed_before_it_is_reported(tmp_path: Path) -> None:
    trial = trial_of(task_of(tmp_path, generation=4), config_of(tmp_path))
    for epoch in (1, 2, 3):
        trial.step()
        place = tmp_path / "checkpoints" / "0" / "generation_4"
        assert (place / f"epoch_000{epoch}.json").exists()


def test_after_a_crash_it_goes_on_and_tells_the_epochs_that_nobody_heard_of(tmp_path: Path) -> None:
    crashed = trial_of(task_of(tmp_path), config_of(tmp_path))
    crashed.step()
    crashed.step()
    result = trial_of(task_of(tmp_path), config_of(tmp_path)).step()
    assert (result["epoch"], result["done"]) == (3, True)
    assert result["metrics"]["left"] == left(0.0, 3)
    assert [(epoch, entry["left"]) for epoch, entry in result["earlier_epochs"]] == [
        (1, left(0.0, 1)), (2, left(0.0, 2)),
    ]  # fmt: skip


def test_earlier_epochs_are_told_once(tmp_path: Path) -> None:
    trial_of(task_of(tmp_path), config_of(tmp_path)).step()
    again = trial_of(task_of(tmp_path), config_of(tmp_path))
    assert [len(again.step()["earlier_epochs"]) for _ in range(2)] == [1, 0]


def test_a_crash_between_the_last_epoch_and_its_report_trains_nothing_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(trial_of(task_of(tmp_path), config_of(tmp_path)))
    again = trial_of(task_of(tmp_path), config_of(tmp_path))
    monkeypatch.setattr(again, "_epochs", iter(()))  # training would fail now
    result = again.step()
    assert (result["epoch"], result["done"], result["failure"]) == (3, True, "")
    assert [epoch for epoch, _ in result["earlier_epochs"]] == [1, 2]
    assert result["metrics"]["left"] == left(0.0, 3)


def test_the_next_generation_goes_on_from_the_last_ones_checkpoints(tmp_path: Path) -> None:
    trial_of(task_of(tmp_path, generation=1), config_of(tmp_path)).step()
    result = trial_of(task_of(tmp_path, generation=2), config_of(tmp_path)).step()
    assert result["epoch"] == 2


def test_a_checkpoint_of_another_configuration_is_not_continued(tmp_path: Path) -> None:
    # Its run was deleted in the MLflow page, so a resumed search gives its number away again.
    run(trial_of(task_of(tmp_path), config_of(tmp_path, number=3, x=0.5)))
    result = trial_of(task_of(tmp_path), config_of(tmp_path, number=3, x=2.0)).step()
    assert (result["epoch"], result["metrics"]["left"]) == (1, left(2.0, 1))


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
    assert "AttributeError" in result["failure"] and "no_such_function" in result["failure"]


def test_running_out_of_memory_is_said_last(tmp_path: Path) -> None:
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

    monkeypatch.setattr("tests.functions.two_hills", training)
    result = trial_of(task_of(tmp_path), config_of(tmp_path)).step()
    assert result["failure"].splitlines()[-1] == "out of memory"


def test_a_training_that_ends_early_fails_and_says_when(tmp_path: Path) -> None:
    trial = trial_of(task_of(tmp_path), config_of(tmp_path))
    trial.step()
    trial._epochs = iter(())
    result = trial.step()
    assert result["done"] and result["failure"] == "the training ended after 1 epochs"


def test_an_objective_that_becomes_nan_fails_the_trial_at_once(tmp_path: Path) -> None:
    config = config_of(tmp_path, fault="nan")
    result = run(trial_of(task_of(tmp_path, "sometimes_broken"), config))[-1]
    ended = outcome_of(result, ("left", "right"), 3)
    assert (ended.state, ended.epoch) == ("failed", 2)


def test_a_training_that_gave_up_names_what_diverged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    epochs = [{"loss.train": 0.5, "left": 0.1}, {"loss.train": math.nan, "left": 0.1}]
    monkeypatch.setattr("tests.functions.two_hills", lambda *_, **__: iter(epochs))
    result = run(trial_of(task_of(tmp_path), config_of(tmp_path)))[-1]
    assert result["failure"] == "the training ended after 2 epochs: not finite: loss.train"


def test_a_metric_that_no_store_takes_fails_its_own_trial_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "tests.functions.two_hills", lambda *_, **__: iter([{"top@1": 0.5, "left": 0.5}])
    )
    result = trial_of(task_of(tmp_path), config_of(tmp_path)).step()
    assert result["done"] and "top@1" in result["failure"]


def test_a_trial_that_does_not_report_an_objective_fails_before_the_scheduler_sees_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.functions.two_hills", lambda *_, **__: iter([{"left": 0.5}]))
    task = replace(task_of(tmp_path), compared=("left", "right"))
    result = trial_of(task, config_of(tmp_path)).step()
    assert result["done"] and "reported no right" in result["failure"]


def test_a_metric_that_is_no_number_fails_the_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.functions.two_hills", lambda *_, **__: iter([{"left": "good"}]))
    result = trial_of(task_of(tmp_path), config_of(tmp_path)).step()
    assert result["done"] and "'good'" in result["failure"]


def test_a_newer_generation_fences_a_trial_off_before_it_writes(tmp_path: Path) -> None:
    trial = trial_of(task_of(tmp_path, generation=1), config_of(tmp_path))
    trial.step()
    (tmp_path / "generation-2").touch()
    result = trial.step()
    assert result["done"] and result["failure"] == "another driver has taken this search over"
    place = tmp_path / "checkpoints" / "0" / "generation_1"
    assert [path.name for path in place.iterdir()] == ["epoch_0001.json"]


def test_its_own_generation_does_not_fence_a_trial_off(tmp_path: Path) -> None:
    (tmp_path / "generation-1").touch()
    (tmp_path / "generation-2").touch()
    assert trial_of(task_of(tmp_path, generation=2), config_of(tmp_path)).step()["failure"] == ""


def test_a_worker_takes_on_another_trial_and_keeps_nothing_of_the_last(tmp_path: Path) -> None:
    trial = trial_of(task_of(tmp_path, "sometimes_broken"), config_of(tmp_path, fault="raises"))
    assert run(trial)[-1]["failure"]
    second = config_of(tmp_path, number=1, x=0.5, fault="none")
    assert trial.reset_config(second)
    results = run(trial)
    assert [result["epoch"] for result in results] == [1, 2, 3]
    assert [result["metrics"]["left"] for result in results] == [left(0.5, e) for e in (1, 2, 3)]
    assert all(result["failure"] == "" and result["earlier_epochs"] == [] for result in results)
    assert (tmp_path / "checkpoints" / "1" / "generation_1" / "epoch_0003.json").exists()


def test_a_worker_that_takes_on_an_interrupted_trial_goes_on_from_its_checkpoint(
    tmp_path: Path,
) -> None:
    trial_of(task_of(tmp_path), config_of(tmp_path, number=1)).step()
    trial = trial_of(task_of(tmp_path), config_of(tmp_path, number=0))
    trial.step()
    trial.reset_config(config_of(tmp_path, number=1))
    result = trial.step()
    assert (result["epoch"], len(result["earlier_epochs"])) == (2, 1)


def test_the_last_training_is_gone_before_the_next_one_is_made(
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


def test_a_function_is_run_again_from_its_start_and_its_known_epochs_are_skipped() -> None:
    seen = []

    def function(configuration: Any, *, epochs: int, seed: int) -> Any:
        for epoch in range(1, epochs + 1):
            seen.append((configuration["x"], seed, epoch))
            yield {"epoch_seen": epoch}

    training = FunctionTraining(function, {"x": 1}, epochs=3, seed=7)
    training.load_state_dict({"epoch": 2})
    assert list(training.run()) == [{"epoch_seen": 3}]
    assert seen == [(1, 7, 1), (1, 7, 2), (1, 7, 3)]
    assert training.state_dict() is None


def test_a_function_cannot_change_the_configuration_that_is_recorded(tmp_path: Path) -> None:
    configuration = {"x": 1}

    def function(given: dict[str, Any], *, epochs: int, seed: int) -> Any:
        given["x"] = 99
        yield {}

    list(FunctionTraining(function, configuration, epochs=1, seed=0).run())
    assert configuration == {"x": 1}


def test_a_users_function_has_no_test_split(tmp_path: Path) -> None:
    assert judge_trial(task_of(tmp_path), config_of(tmp_path), None) == HeldOut()


def test_a_checkpoint_waits_for_storage_that_is_full_for_a_while(tmp_path: Path) -> None:
    with small_disk(tmp_path, kilobytes=64) as disk:
        trial = trial_of(task_of(disk), config_of(disk))
        trial.step()
        fill(disk)
        timer = threading.Timer(0.5, make_room, [disk])
        timer.start()
        results = run(trial)
        timer.join()
        assert [(result["epoch"], result["failure"]) for result in results] == [(2, ""), (3, "")]
        assert trial_of(task_of(disk), config_of(disk)).step()["epoch"] == 3


def test_storage_that_stays_full_fails_the_trial_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.optimize.trial.STORAGE_PATIENCE_SECONDS", 0.2)
    with small_disk(tmp_path, kilobytes=64) as disk:
        trial = trial_of(task_of(disk), config_of(disk))
        trial.step()
        fill(disk)
        result = trial.step()
        assert result["done"] and "the storage has refused for 0 s" in result["failure"]
        assert "No space left on device" in result["failure"].splitlines()[-1]


def test_a_worker_whose_clock_is_years_off_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial_of(task_of(tmp_path), config_of(tmp_path)).step()
    monkeypatch.setattr("time.time", lambda: 0.0)
    results = run(trial_of(task_of(tmp_path), config_of(tmp_path)))
    assert [(result["epoch"], result["failure"]) for result in results] == [(2, ""), (3, "")]
    assert not any("time" in key for key in results[-1]), "events are stamped by the driver alone"

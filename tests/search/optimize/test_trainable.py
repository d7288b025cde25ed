"""A trial step by step: its epochs and checkpoints, and that it continues after any end."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from models.catalog import Threat, complete
from models.data.loading import load_images
from search.objectives import Objective
from search.optimize.trainable import TrialTrainable
from tests.support.small_disks import fill, make_room, small_disk
from tests.support.stepped_trials import config_of, left, run, task_of, trial_of

pytestmark = pytest.mark.usefixtures("quick_collection")


def test_every_step_is_an_epoch_and_the_last_one_is_done(tmp_path: Path) -> None:
    results = run(trial_of(task_of(tmp_path), config_of(tmp_path, x=0.5)))
    assert [(result["epoch"], result["done"]) for result in results] == [
        (1, False), (2, False), (3, True),
    ]  # fmt: skip
    assert [result["metrics"]["left"] for result in results] == [left(0.5, e) for e in (1, 2, 3)]
    assert all(result["failure"] == "" and result["earlier_epochs"] == [] for result in results)


def test_seconds_so_far_add_up_over_epochs_also_where_a_trial_was_cut_off(tmp_path: Path) -> None:
    trial_of(task_of(tmp_path), config_of(tmp_path)).step()
    results = run(trial_of(task_of(tmp_path), config_of(tmp_path)))
    entries = [entry for _, entry in results[0]["earlier_epochs"]]
    entries += [result["metrics"] for result in results]
    assert len(entries) == 3
    seconds = 0.0
    for before, entry in zip([{"seconds.cpu": 0.0}, *entries], entries, strict=False):
        seconds += entry["seconds.epoch"]
        assert entry["seconds.total"] == pytest.approx(seconds)
        assert entry["seconds.cpu"] >= before["seconds.cpu"] >= 0
        assert "seconds.gpu" not in entry, "it has no GPU"


def test_a_trial_is_charged_for_the_gpus_that_it_holds(tmp_path: Path) -> None:
    task = task_of(tmp_path)
    resources = task.spec.resources.model_copy(update={"gpus": 0.5})
    on_gpu = replace(task, spec=task.spec.model_copy(update={"resources": resources}))
    metrics = trial_of(on_gpu, config_of(tmp_path)).step()["metrics"]
    assert metrics["seconds.gpu"] == pytest.approx(0.5 * metrics["seconds.total"])


def test_a_users_function_may_report_its_work_which_is_unknown_otherwise(tmp_path: Path) -> None:
    for function, work in (("hills_with_work", 7e9), ("two_hills", None)):
        task = task_of(tmp_path / function, function)
        result = trial_of(task, config_of(tmp_path / function)).step()
        assert result["metrics"].get("work.epoch") == work
        assert result["device"] == task.device_name != ""


@pytest.mark.slow
def test_the_work_of_an_epoch_is_that_of_all_its_parts(tmp_path: Path) -> None:
    """The last epoch of a trial that could be on the front has a confirmation."""
    threat = Threat(steps=1, cheap_steps=1, examples=10, cheap_examples=10)
    goals = (Objective("accuracy.clean", "maximize"), Objective(threat.metric(), "maximize"))
    task = task_of(tmp_path, model="cnn", threat=threat, epochs=2, objectives=goals)
    config = config_of(tmp_path) | {"configuration": complete("cnn", {"width": 4})}
    trial = object.__new__(TrialTrainable)
    trial.setup(config, task=task, data=load_images({"name": "digits"}))
    first, last = (result["metrics"] for result in run(trial))
    assert first["work.epoch"] == first["work.train"] + first["work.evaluation"] > 0
    parts = ("work.train", "work.evaluation", "work.confirmation")
    assert last["work.epoch"] == sum(last[part] for part in parts)


def test_every_epoch_is_checkpointed_before_it_is_reported(tmp_path: Path) -> None:
    trial = trial_of(task_of(tmp_path, generation=4), config_of(tmp_path))
    for epoch in (1, 2, 3):
        trial.step()
        place = tmp_path / "checkpoints" / "0" / "generation_4"
        assert (place / f"epoch_000{epoch}.json").exists()


def test_after_a_crash_it_continues_and_reports_the_epochs_that_were_not_reported(
    tmp_path: Path,
) -> None:
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


def test_the_next_generation_continues_from_the_last_ones_checkpoints(tmp_path: Path) -> None:
    trial_of(task_of(tmp_path, generation=1), config_of(tmp_path)).step()
    result = trial_of(task_of(tmp_path, generation=2), config_of(tmp_path)).step()
    assert result["epoch"] == 2


def test_a_checkpoint_of_another_configuration_is_not_continued(tmp_path: Path) -> None:
    # Its run was deleted in the MLflow page, so a resumed search reuses its number.
    run(trial_of(task_of(tmp_path), config_of(tmp_path, number=3, x=0.5)))
    result = trial_of(task_of(tmp_path), config_of(tmp_path, number=3, x=2.0)).step()
    assert (result["epoch"], result["metrics"]["left"]) == (1, left(2.0, 1))


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


@pytest.mark.slow
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
    monkeypatch.setattr("search.optimize.trainable.STORAGE_PATIENCE_SECONDS", 0.2)
    with small_disk(tmp_path, kilobytes=64) as disk:
        trial = trial_of(task_of(disk), config_of(disk))
        trial.step()
        fill(disk)
        result = trial.step()
        assert result["done"] and "the storage has failed for 0 s" in result["failure"]
        assert "No space left on device" in result["failure"].splitlines()[-1]


def test_a_worker_whose_clock_is_years_off_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial_of(task_of(tmp_path), config_of(tmp_path)).step()
    monkeypatch.setattr("time.time", lambda: 0.0)
    results = run(trial_of(task_of(tmp_path), config_of(tmp_path)))
    assert [(result["epoch"], result["failure"]) for result in results] == [(2, ""), (3, "")]
    assert not any("time" in key for key in results[-1]), "events are stamped by the driver alone"

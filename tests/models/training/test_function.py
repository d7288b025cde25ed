"""A user's own training function: both forms, where it continues, and how it ends."""

from __future__ import annotations

import itertools
import logging
import os
import signal
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from models.training import function_thread
from models.training.function import FunctionExit, FunctionTraining
from models.training.function_thread import StillRunning
from models.training.trial_context import TrialContext, TrialPlace


def training_of(function: Any, folder: Path, *, epochs: int = 3) -> FunctionTraining:
    place = TrialPlace(folder / "files", folder / "own" / "generation_1")
    return FunctionTraining(function, {"x": 1}, epochs=epochs, seed=7, place=place)


def continued(function: Any, folder: Path, state: Any) -> FunctionTraining:
    training = training_of(function, folder)
    training.load_state_dict(state)
    return training


def interrupted(function: Any, folder: Path) -> FunctionTraining:
    """A training that continues from the state of another one after two of three epochs."""
    training = training_of(function, folder)
    running = training.run()
    next(running), next(running)
    state = training.state_dict()
    running.close()
    return continued(function, folder, state)


def counts(configuration: Any, trial: TrialContext) -> None:
    """Reports every epoch with its state, a number that only training changes."""
    total = trial.checkpoint["total"] if trial.checkpoint else 0
    for _ in range(trial.epoch, trial.epochs):
        total += 1
        trial.report({"total": total}, checkpoint={"total": total})


def test_a_function_reports_one_epoch_after_another(tmp_path: Path) -> None:
    training = training_of(counts, tmp_path)
    assert [(entry, training.ended) for entry in training.run()] == [
        ({"total": 1.0}, False), ({"total": 2.0}, False), ({"total": 3.0}, True),
    ]  # fmt: skip


def test_between_two_epochs_the_function_waits(tmp_path: Path) -> None:
    seen = []

    def train(configuration: Any, trial: TrialContext) -> None:
        for epoch in range(trial.epochs):
            seen.append(epoch)
            trial.report({"x": epoch})

    running = training_of(train, tmp_path).run()
    next(running)
    assert seen == [0]
    running.close()
    assert seen == [0]


def test_it_continues_from_its_own_state_and_trains_no_epoch_again(tmp_path: Path) -> None:
    again = interrupted(counts, tmp_path)
    assert list(again.run()) == [{"total": 3.0}] and again.ended


def test_a_state_is_a_copy_that_the_function_cannot_change(tmp_path: Path) -> None:
    def train(configuration: Any, trial: TrialContext) -> None:
        weights = torch.zeros(1)
        for _ in range(trial.epochs):
            weights += 1
            trial.report({"x": weights.sum()}, checkpoint={"weights": weights})

    training = training_of(train, tmp_path)
    running = training.run()
    next(running)
    state: Any = training.state_dict()
    next(running)
    assert state["saved"]["weights"].item() == 1.0
    running.close()


def test_without_a_checkpoint_it_runs_again_and_reports_no_epoch_twice(tmp_path: Path) -> None:
    seen = []

    def train(configuration: Any, trial: TrialContext) -> None:
        for epoch in range(trial.epoch, trial.epochs):
            seen.append(epoch)
            trial.report({"epoch_seen": epoch})

    again = continued(train, tmp_path, {"epoch": 2, "returned": False})
    assert list(again.run()) == [{"epoch_seen": 2.0}]
    assert seen == [0, 1, 2]


def test_epochs_after_its_last_checkpoint_are_trained_again(tmp_path: Path) -> None:
    started = []

    def train(configuration: Any, trial: TrialContext) -> None:
        started.append(trial.epoch)
        for epoch in range(trial.epoch, trial.epochs):
            trial.report({"x": epoch}, checkpoint={"epoch": epoch} if epoch == 0 else None)

    assert list(interrupted(train, tmp_path).run()) == [{"x": 2.0}]
    assert started == [0, 1]


def writes(configuration: Any, trial: TrialContext) -> None:
    """Keeps the count of its epochs in a folder."""
    known = 0
    if trial.checkpoint is not None:
        assert isinstance(trial.checkpoint, Path)
        known = int((trial.checkpoint / "count").read_text())
    folder = trial.folder / "mine"
    folder.mkdir(exist_ok=True)
    for epoch in range(known + 1, trial.epochs + 1):
        (folder / "count").write_text(str(epoch))
        trial.report({"count": epoch}, checkpoint=folder)


def test_a_checkpoint_folder_is_copied_and_is_where_it_continues(tmp_path: Path) -> None:
    training = training_of(writes, tmp_path)
    running = training.run()
    next(running), next(running)
    state = training.state_dict()
    next(running)  # the function writes into its folder again
    running.close()
    again = continued(writes, tmp_path, state)
    assert list(again.run()) == [{"count": 3.0}]


def test_the_newest_two_copies_of_checkpoint_folders_are_kept(tmp_path: Path) -> None:
    training = training_of(writes, tmp_path, epochs=5)
    for _ in training.run():
        training.state_dict()
    kept = sorted(path.name[:10] for path in (tmp_path / "own" / "generation_1").iterdir())
    assert kept == ["epoch_0004", "epoch_0005"]


def test_a_checkpoint_folder_that_is_gone_is_named(tmp_path: Path) -> None:
    state = {"epoch": 1, "returned": False, "saved_epoch": 1, "folder": "generation_1/epoch_0001-a"}
    with pytest.raises(FileNotFoundError, match="-a is gone; fix: "):
        training_of(writes, tmp_path).load_state_dict(state)


def test_a_function_that_returns_before_its_budget_has_ended(tmp_path: Path) -> None:
    def train(configuration: Any, trial: TrialContext) -> None:
        trial.report({"x": 1})

    training = training_of(train, tmp_path)
    assert list(training.run()) == [{"x": 1.0}] and training.ended
    again = continued(train, tmp_path, training.state_dict())
    assert again.ended and list(again.run()) == []


def test_what_follows_the_last_report_runs_before_the_trial_ends(tmp_path: Path) -> None:
    done = []

    def train(configuration: Any, trial: TrialContext) -> None:
        while not trial.should_stop:
            trial.report({"x": 1})
        done.append("exported")

    assert len(list(training_of(train, tmp_path).run())) == 3
    assert done == ["exported"]


def test_a_stopped_function_unwinds_its_finally_blocks_and_nothing_else(tmp_path: Path) -> None:
    seen = []

    def train(configuration: Any, trial: TrialContext) -> None:
        try:
            for _ in range(trial.epochs):
                try:
                    trial.report({"x": 1})
                except Exception:
                    seen.append("caught")
        finally:
            seen.append(f"closed, should_stop {trial.should_stop}")
        seen.append("went on")

    before = threading.active_count()
    running = training_of(train, tmp_path).run()
    next(running)
    running.close()
    assert seen == ["closed, should_stop True"]
    assert threading.active_count() == before


def test_a_function_that_refuses_to_end_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(function_thread, "_PATIENCE_SECONDS", 0.05)
    free = threading.Event()

    def train(configuration: Any, trial: TrialContext) -> None:
        try:
            trial.report({"x": 1})
        finally:
            free.wait()

    running = training_of(train, tmp_path).run()
    next(running)
    with pytest.raises(StillRunning, match="fix: let trial"):
        running.close()
    free.set()


def test_an_exception_keeps_its_traceback(tmp_path: Path) -> None:
    def breaks() -> None:
        raise ZeroDivisionError("on purpose")

    def train(configuration: Any, trial: TrialContext) -> None:
        trial.report({"x": 1})
        breaks()

    running = training_of(train, tmp_path).run()
    next(running)
    with pytest.raises(ZeroDivisionError) as raised:
        next(running)
    frames = [frame.name for frame in traceback.extract_tb(raised.value.__traceback__)]
    assert frames[-2:] == ["train", "breaks"]


@pytest.mark.parametrize("error", [SystemExit(2), KeyboardInterrupt()])
def test_what_would_end_the_process_is_an_exception(tmp_path: Path, error: BaseException) -> None:
    def train(configuration: Any, trial: TrialContext) -> None:
        raise error

    with pytest.raises(FunctionExit, match="fix: return to end the trial") as raised:
        list(training_of(train, tmp_path).run())
    assert raised.value.__cause__ is error


def test_a_caller_that_is_interrupted_meanwhile_does_not_wait_for_the_function(
    tmp_path: Path,
) -> None:
    """A worker that gets SIGTERM in the middle of an epoch ends, and the trial has not failed."""
    free, begun = threading.Event(), threading.Event()

    def train(configuration: Any, trial: TrialContext) -> None:
        begun.set()
        free.wait()

    def interrupt(*_: Any) -> None:
        raise SystemExit(1)

    before = signal.signal(signal.SIGUSR1, interrupt)
    threading.Thread(target=lambda: begun.wait() and os.kill(os.getpid(), signal.SIGUSR1)).start()
    try:
        with pytest.raises(SystemExit):
            list(training_of(train, tmp_path).run())
    finally:
        signal.signal(signal.SIGUSR1, before)
        free.set()


def test_a_report_from_another_process_is_refused(tmp_path: Path) -> None:
    def train(configuration: Any, trial: TrialContext) -> None:
        trial._thread._process = -1  # type: ignore[union-attr]
        trial.report({"x": 1})

    with pytest.raises(RuntimeError, match="such as rank 0"):
        list(training_of(train, tmp_path).run())


def test_more_epochs_than_the_budget_are_refused_by_name(tmp_path: Path) -> None:
    def train(configuration: Any, trial: TrialContext) -> None:
        for _ in range(trial.epochs):
            trial.report({"x": 1}, checkpoint={})

    state = {"epoch": 2, "returned": False, "saved_epoch": 2, "saved": {"x": 1}}
    with pytest.raises(ValueError) as raised:
        list(continued(train, tmp_path, state).run())
    assert str(raised.value) == (
        "reported epoch 4 of a budget of 3 (budget.epochs); it continued from its checkpoint of "
        "epoch 2; fix: `for epoch in range(trial.epoch, trial.epochs)`"
    )


def test_it_sees_its_trial(tmp_path: Path) -> None:
    def train(configuration: Any, trial: TrialContext) -> None:
        configuration["x"] = 99  # its own copy
        assert (trial.epochs, trial.seed, trial.device, trial.data) == (3, 7, "cpu", None)
        assert trial.folder == tmp_path / "files" and trial.folder.is_dir()
        assert trial.epoch == 0 and trial.checkpoint is None and not trial.should_stop
        logging.getLogger("mine").info("begun")
        trial.report({"x": 1})

    training = training_of(train, tmp_path)
    list(training.run())
    assert training._configuration == {"x": 1}


def generator(configuration: Any, *, epochs: int, seed: int) -> Iterator[dict[str, float]]:
    for epoch in range(1, epochs + 1):
        yield {"epoch_seen": epoch}


def test_a_generator_is_run_again_and_its_known_epochs_are_skipped(tmp_path: Path) -> None:
    again = continued(generator, tmp_path, {"epoch": 2, "returned": False})
    assert list(again.run()) == [{"epoch_seen": 3.0}]


def test_a_generator_with_a_state_continues_from_it(tmp_path: Path) -> None:
    seen = []

    def train(configuration: Any, *, epochs: int, seed: int, state: Any = None) -> Any:
        for epoch in range(state["epoch"] if state else 0, epochs):
            seen.append(epoch)
            yield {"x": epoch}, {"epoch": epoch + 1}

    assert list(interrupted(train, tmp_path).run()) == [{"x": 2.0}]
    assert seen == [0, 1, 2]


def test_a_generator_that_yields_more_ends_at_its_budget_and_is_closed(tmp_path: Path) -> None:
    closed = []

    def train(configuration: Any, *, epochs: int, seed: int) -> Any:
        try:
            yield from ({"epoch_seen": epoch} for epoch in itertools.count(1))
        finally:
            closed.append(True)

    training = training_of(train, tmp_path, epochs=2)
    assert len(list(training.run())) == 2 and training.ended and closed == [True]

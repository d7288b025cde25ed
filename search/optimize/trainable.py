"""TrialTrainable: a trial on a worker, which trains, checkpoints and reports one epoch a step.

It runs in Ray actors, which are reused for the next trial (a new one takes seconds). It reports
failures as results, so that an exception in a trial neither ends the actor nor hides its traceback.
It decides nothing: see searcher.py and scheduler.py.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import math
import os
import re
import time
import traceback
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ray import tune

from models.adversarial.checks.search_warnings import doubts, search_warnings
from models.scores.cost_names import CPU_SECONDS, GPU_SECONDS, SECONDS_SO_FAR
from models.training.function_thread import StillRunning
from models.training.protocol import AttackableTraining, TabulatedTraining, Training
from models.weights.checkpoints import KEPT, newest_checkpoint, save_checkpoint, take_folder
from search.history.plurals import counted
from search.history.work import SECONDS, WORK
from search.optimize.outcome import (
    DEVICE,
    EARLIER,
    ENDED,
    EPOCH,
    FAILURE,
    METRICS,
    TABLES,
    WARNINGS,
    costs_fix,
)
from search.optimize.trial_log import log_file, logged
from search.optimize.watchdog import STORAGE_PATIENCE_SECONDS, Watchdog, patiently
from search.optimize.worker_task import TaskOnWorker, WorkersBase, training_of
from search.tracking.ownership import newest_generation

if TYPE_CHECKING:
    from models.data.loading import Splits

# The names that MLflow accepts, without '/', which Ray uses to flatten results.
METRIC_NAME = re.compile(r"[\w\-. :]{1,250}", re.ASCII)
_PARTS_OF_WORK = ("work.train", "work.evaluation", "work.confirmation")
Result = TypeVar("Result")


class TrialTrainable(tune.Trainable):  # type: ignore[misc]  # ray has no types
    """Ray's view of a trial. `config`: number, complete configuration, checkpoints, seed."""

    def setup(self, config: dict[str, Any], task: TaskOnWorker, data: Splits | None = None) -> None:
        """Starts an actor's first trial; `task` and `data` come from the object store."""
        self._task, self._data = task, data
        self._base = WorkersBase()
        self._watchdog: Watchdog | None = None
        self._training: Training | None = None
        self._epochs: Iterator[dict[str, float]] = iter(())
        self._number = config["number"]
        self._log: Path | None = None
        self._is_free = True  # whether nothing of an earlier trial runs on
        gc.freeze()  # what is imported stays: `_release` collects what trials leave, twice each
        self._start(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Starts another trial in the same process; False if it needs a new one."""
        self._release()  # the last trial's tensors go first, if it was stopped early
        if not self._is_free:
            return False
        self._start(new_config)
        return True

    def cleanup(self) -> None:
        """Called by Ray before it ends the process, which would skip the training's own cleanup."""
        self._release()

    def _release(self) -> None:
        """Ends the training and frees its memory: an idle worker must not keep a GPU full."""
        epochs = self._epochs
        # The suspended generator refers to the training as well.
        self._training, self._epochs = None, iter(())
        if isinstance(epochs, Generator):
            with logged(self._log):
                try:
                    epochs.close()  # runs the `finally` of a user's own loop
                except (Exception, SystemExit, KeyboardInterrupt) as error:
                    # The trial's results stay valid.
                    self._is_free = not isinstance(error, StillRunning)
                    text = "trial %d: its cleanup failed"
                    logging.getLogger(__name__).exception(text, self._number)
        gc.collect()

    def _start(self, config: dict[str, Any]) -> None:
        began = time.perf_counter()
        self._folder, self._number = Path(config["checkpoints"]), config["number"]
        self._log = log_file(self._folder) if self._task.spec.task.code else None
        self._done: list[dict[str, float]] = []
        self._told = 0  # epochs of `_done` that the driver has been told of
        self._failure = ""
        self._tables: dict[str, str] = {}
        if self._watchdog is not None:
            self._watchdog.close()  # of this worker's last trial
        self._watchdog = None
        with self._failing():
            identity = {"configuration": config["configuration"], "seed": config["seed"]}
            self._stored(lambda: take_folder(self._folder, identity))
            with logged(self._log):
                self._set_up(config)
            self._setup_seconds = time.perf_counter() - began

    @contextlib.contextmanager
    def _failing(self) -> Iterator[None]:
        """Turns an exception into the trial's failure, and stops watching in any case."""
        try:
            yield
        except Exception as error:
            # The last line of a failure says whether memory ran out.
            kind = "\nout of memory" if _is_out_of_memory(error) else ""
            self._failure = traceback.format_exc() + kind
        finally:
            if self._watchdog is not None:
                self._watchdog.stop_watching()

    def _set_up(self, config: Mapping[str, Any]) -> None:
        """Makes the training and restores its newest checkpoint."""
        task, checkpoint = self._task, self._stored(lambda: newest_checkpoint(self._folder))
        if checkpoint is not None:
            self._done = list(checkpoint.metrics)
        self._watchdog = Watchdog(self._folder, task.generation, task.epoch_seconds)
        if not self._may_begin(self._watchdog):
            return
        self._watchdog.watch()
        self._training = training_of(task, config, self._data, self._base)
        if checkpoint is not None:
            self._training.load_state_dict(checkpoint.load_state())
        self._epochs = self._training.run()

    def _may_begin(self, watchdog: Watchdog) -> bool:
        """Notes which epoch begins; False, with the failure, if it has killed too many workers."""
        epoch = len(self._done) + 1
        if epoch <= self._task.epochs:  # otherwise only its report is missing
            self._failure = self._stored(lambda: watchdog.begin(epoch))
        return not self._failure

    def _stored(self, action: Callable[[], Result]) -> Result:
        """Retries an action on the storage, for less time than would count as a hang."""
        return patiently(action, min(STORAGE_PATIENCE_SECONDS, self._task.epoch_seconds / 2))

    def step(self) -> dict[str, Any]:
        """Trains one epoch and checkpoints it, or reports why it cannot."""
        with self._failing():
            newest = self._stored(lambda: newest_generation(self._task.storage))
            if newest > self._task.generation:
                self._failure = "another driver has taken this search over"
            watchdog = self._watchdog
            if not self._failure and watchdog is not None and self._may_begin(watchdog):
                with logged(self._log):
                    self._train_an_epoch(watchdog)
                if self._is_finished() and isinstance(self._training, TabulatedTraining):
                    self._tables = self._training.tables()
        report = self._report()
        if report["done"]:
            self._release()
        return report

    def _train_an_epoch(self, watchdog: Watchdog) -> None:
        if self._is_finished() or self._has_diverged():
            return  # restored from its last epoch: only the report was lost
        training = self._training
        assert training is not None, "set up before a step"
        watchdog.watch()
        began, cpu_began = time.perf_counter(), _cpu_seconds()
        metrics = next(self._epochs, None)
        if metrics is None:
            last = self._done[-1] if self._done else {}
            diverged = ", ".join(name for name, value in last.items() if math.isnan(value))
            if last and training.ended and not diverged:
                self._checkpoint(training)  # a user's function has ended before its budget
                return
            because = f": not finite: {diverged}" if diverged else ""
            self._failure = f"the training ended after {counted(len(self._done), 'epoch')}{because}"
            return
        entry = {name: float(value) for name, value in metrics.items() if name != EPOCH}
        is_last = len(self._done) + 1 >= self._task.epochs or training.ended
        if is_last and isinstance(training, AttackableTraining):
            entry |= self._confirmed(training, entry)
        _check_names(entry, () if is_last else self._task.compared)
        parts = [entry[name] for name in _PARTS_OF_WORK if name in entry]
        if parts:  # a user's own function reports the sum, if it knows it
            entry.setdefault(WORK, sum(parts))
        wall = time.perf_counter() - began
        entry.setdefault(SECONDS, wall)
        entry = self._seconds_so_far(wall, _cpu_seconds() - cpu_began) | entry
        if self._task.base is not None:
            entry["seconds.setup"] = self._setup_seconds
        self._done.append(entry)
        watchdog.watch()  # anew: patience with the storage must not look like a hang
        self._checkpoint(training)

    def _seconds_so_far(self, wall: float, cpu: float) -> dict[str, float]:
        """Returns the seconds of all epochs done, each once, with those of the newest one."""
        newest = {SECONDS_SO_FAR: wall, CPU_SECONDS: cpu}
        if gpus := self._task.spec.resources.gpus:
            newest[GPU_SECONDS] = gpus * wall  # a trial holds its GPUs, whether it uses them or not
        before = self._done[-1] if self._done else {}
        return {name: before.get(name, 0.0) + value for name, value in newest.items()}

    def _checkpoint(self, training: Training) -> None:
        kept = 1 if self._is_finished() else KEPT
        self._stored(
            lambda: save_checkpoint(
                self._folder, self._task.generation, len(self._done), self._done,
                training.state_dict(), kept=kept,
            )
        )  # fmt: skip

    def _confirmed(
        self, training: AttackableTraining, entry: Mapping[str, float]
    ) -> dict[str, float]:
        """Returns the results of a stronger attack, if it is to confirm the robust accuracy.

        It runs before the checkpoint and the report, so that the accuracy that it replaces is never
        used as an objective.
        """
        objectives = self._task.spec.metrics
        if any(name not in entry for name in objectives):
            return {}  # the report says which are missing
        standing, found = self._task.standing(), {}
        if standing.must_confirm(self._number, [entry[name] for name in objectives]):
            began = time.perf_counter()
            found = {name: float(value) for name, value in training.confirm().items()}
            found["seconds.confirmation"] = time.perf_counter() - began
        values = [{**entry, **found}[name] for name in objectives]
        is_in_doubt = self._task.spec.excludes_doubtful and bool(doubts(found))
        if all(map(math.isfinite, values)) and not is_in_doubt:
            standing.note(self._number, values)
        return found

    def _has_ended(self) -> bool:
        """Whether the training itself has ended, by early stopping."""
        return self._training is not None and self._training.ended

    def _is_finished(self) -> bool:
        return len(self._done) >= self._task.epochs or (bool(self._done) and self._has_ended())

    def _has_diverged(self) -> bool:
        """Whether an objective is NaN, which ends a trial: it cannot become finite again."""
        metrics = self._done[-1] if self._done else {}
        return any(math.isnan(metrics.get(name, 0.0)) for name in self._task.spec.metrics)

    def _report(self) -> dict[str, Any]:
        epoch = len(self._done)
        earlier, self._told = self._done[self._told : epoch - 1], epoch
        metrics = self._done[-1] if self._done else {}
        return {
            EPOCH: epoch,
            METRICS: metrics,
            EARLIER: [[epoch - len(earlier) + index, entry] for index, entry in enumerate(earlier)],
            FAILURE: self._failure,
            DEVICE: self._task.device_name,
            ENDED: self._has_ended(),
            TABLES: self._tables,
            WARNINGS: {each.name: each.as_markdown() for each in search_warnings(metrics)},
            "done": bool(self._failure) or self._has_diverged() or self._is_finished(),
        }


def _cpu_seconds() -> float:
    """Returns the CPU seconds of this process on all cores, and of its children that have ended."""
    return sum(os.times()[:4])


def _check_names(metrics: Mapping[str, float], compared: tuple[str, ...]) -> None:
    """Checks what would fail later: in the scheduler, or in the tracking store.

    Raises:
        ValueError: A name is not allowed, or a metric of `compared` is missing.
    """
    for name in metrics:
        if not METRIC_NAME.fullmatch(name):
            raise ValueError(
                f"metric {name!r} has no valid name; fix: use at most 250 letters, digits, '_', "
                "'-', '.', ' ' and ':'"
            )
    missing = [name for name in compared if name not in metrics]
    if missing:
        raise ValueError(
            f"reported no {', '.join(missing)}, which the scheduler compares after every epoch; it "
            f"reported {', '.join(metrics) or 'nothing'}{costs_fix(missing)}"
        )


def _is_out_of_memory(error: Exception) -> bool:
    text = f"{type(error).__name__} {error}".lower()
    return (
        isinstance(error, MemoryError)
        or "outofmemory" in text
        or "out of memory" in text
        or "can't allocate memory" in text
    )

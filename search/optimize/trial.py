"""A trial on a worker: train, checkpoint, report, one epoch a step.

This runs in Ray actors, which are used again for the next trial (a fresh one costs seconds).
It reports failures as results instead of dying from them: an exception in one trial neither
costs an actor nor hides its traceback. Not for deciding anything: see searcher.py, scheduler.py.
"""

from __future__ import annotations

import gc
import importlib
import math
import re
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray import tune

from models.catalog import Threat
from models.checkpoints import newest_checkpoint, save_checkpoint, take_folder
from search.optimize.outcome import EARLIER, EPOCH, FAILURE, METRICS
from search.tracking.ownership import newest_generation

# What MLflow takes, less '/', which Ray uses to flatten results.
METRIC_NAME = re.compile(r"[\w\-. :]{1,250}", re.ASCII)


@dataclass(frozen=True)
class TaskOnWorker:
    """What every trial of a search shares, except the data (which lie in the object store)."""

    model: str
    objectives: tuple[str, ...]
    epochs: int
    threat: Threat | None
    storage: Path
    generation: int
    threads: int
    uses_gpu: bool
    compared: tuple[str, ...] = ()  # what the scheduler needs after every epoch


class Trial(tune.Trainable):  # type: ignore[misc]  # ray has no types
    """Ray's view of a trial. `config`: number, complete configuration, checkpoints, seed."""

    def setup(self, config: dict[str, Any], task: TaskOnWorker, data: Any = None) -> None:
        """Called once an actor; `task` and `data` come from the object store."""
        self._task, self._data = task, data
        self._start(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Takes on another trial in the same process."""
        self._start(new_config)
        return True

    def _start(self, config: dict[str, Any]) -> None:
        # The suspended generator holds on to the training as well.
        self._training: Any = None
        self._epochs: Iterator[dict[str, float]] = iter(())
        gc.collect()  # the last trial's tensors go before the next one's come
        self._folder = Path(config["checkpoints"])
        self._done: list[dict[str, float]] = []
        self._told = 0  # epochs of `_done` that the driver has been told of
        self._failure = ""
        try:
            identity = {"configuration": config["configuration"], "seed": config["seed"]}
            take_folder(self._folder, identity)
            self._training = _training(self._task, config, self._data)
            checkpoint = newest_checkpoint(self._folder)
            if checkpoint is not None:
                self._done = list(checkpoint.metrics)
                self._training.load_state_dict(
                    checkpoint.load_state() or {"epoch": checkpoint.epoch}
                )
            self._epochs = self._training.run()
        except Exception:
            self._failure = traceback.format_exc()

    def step(self) -> dict[str, Any]:
        """Trains one epoch and checkpoints it; or tells why it cannot."""
        if newest_generation(self._task.storage) > self._task.generation:
            self._failure = "another driver has taken this search over"
        if not self._failure:
            try:
                self._train_an_epoch()
            except MemoryError:
                self._failure = f"out of memory\n{traceback.format_exc()}out of memory"
            except Exception as error:
                kind = "\nout of memory" if _is_out_of_memory(error) else ""
                self._failure = traceback.format_exc() + kind
        return self._report()

    def _train_an_epoch(self) -> None:
        if len(self._done) >= self._task.epochs:
            return  # restored from its last epoch: only the report was lost
        began = time.perf_counter()
        metrics = next(self._epochs, None)
        if metrics is None:
            last = self._done[-1] if self._done else {}
            diverged = ", ".join(name for name, value in last.items() if math.isnan(value))
            because = f": not finite: {diverged}" if diverged else ""
            self._failure = f"the training ended after {len(self._done)} epochs{because}"
            return
        entry = {name: float(value) for name, value in metrics.items() if name != EPOCH}
        _check_names(entry, self._task.compared)
        entry.setdefault("seconds.epoch", time.perf_counter() - began)
        self._done.append(entry)
        save_checkpoint(
            self._folder, self._task.generation, len(self._done), self._done,
            self._training.state_dict(),
        )  # fmt: skip

    def _report(self) -> dict[str, Any]:
        epoch = len(self._done)
        earlier, self._told = self._done[self._told : epoch - 1], epoch
        metrics = self._done[-1] if self._done else {}
        # NaN ends a trial: nothing after it can become finite again.
        diverged = any(math.isnan(metrics.get(name, 0.0)) for name in self._task.objectives)
        return {
            EPOCH: epoch,
            METRICS: metrics,
            EARLIER: [[epoch - len(earlier) + index, entry] for index, entry in enumerate(earlier)],
            FAILURE: self._failure,
            "done": bool(self._failure) or diverged or epoch >= self._task.epochs,
        }


def held_out_metrics(task: TaskOnWorker, config: dict[str, Any], data: Any) -> dict[str, float]:
    """Metrics of a finished trial's last checkpoint on the test split; {} if the model has none.

    Raises:
        FileNotFoundError: the trial has no complete checkpoint.
    """
    training = _training(task, config, data)
    if not hasattr(training, "evaluate_test"):
        return {}
    checkpoint = newest_checkpoint(Path(config["checkpoints"]))
    if checkpoint is None or checkpoint.epoch < task.epochs:
        raise FileNotFoundError(f"no checkpoint of epoch {task.epochs} in {config['checkpoints']}")
    training.load_state_dict(checkpoint.load_state())
    metrics: dict[str, float] = training.evaluate_test()
    return metrics


class FunctionTraining:
    """A user's own training function: a generator of one metrics dict an epoch.

    It has no state of its own to save: after an interruption it is run again from its first epoch
    and what was already reported is skipped.
    """

    def __init__(
        self,
        function: Callable[..., Iterator[Mapping[str, float]]],
        configuration: Mapping[str, Any],
        *,
        epochs: int,
        seed: int,
    ) -> None:
        self._function, self._configuration = function, dict(configuration)
        self._epochs, self._seed = epochs, seed
        self.epoch = 0

    def run(self) -> Iterator[dict[str, float]]:
        """Yields the metrics of the epochs that are still to be reported."""
        already = self.epoch
        epochs = self._function(self._configuration, epochs=self._epochs, seed=self._seed)
        for index, metrics in enumerate(epochs, start=1):
            if index > already:
                self.epoch = index
                yield dict(metrics)

    def state_dict(self) -> None:
        """Nothing: the metrics of a checkpoint tell its epoch."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Remembers how many epochs to skip."""
        self.epoch = int(state["epoch"])


def _training(task: TaskOnWorker, config: dict[str, Any], data: Any) -> Any:
    configuration = config["configuration"]
    if task.model.startswith("python:"):
        module, _, name = task.model.removeprefix("python:").partition(":")
        function = getattr(importlib.import_module(module), name)
        return FunctionTraining(function, configuration, epochs=task.epochs, seed=config["seed"])
    import torch

    from models.training import Training

    assert task.threat is not None, "only a user's function has no threat"
    torch.set_num_threads(task.threads)
    return Training(
        configuration, data, epochs=task.epochs, seed=config["seed"], threat=task.threat,
        device="cuda" if task.uses_gpu else "cpu",
    )  # fmt: skip


def _check_names(metrics: Mapping[str, float], compared: tuple[str, ...]) -> None:
    """What would otherwise fail far from its cause: in the scheduler, or in the tracking store."""
    for name in metrics:
        if not METRIC_NAME.fullmatch(name):
            raise ValueError(
                f"metric {name!r}: use at most 250 letters, digits, '_', '-', '.', ' ' and ':'"
            )
    missing = [name for name in compared if name not in metrics]
    if missing:
        raise ValueError(
            f"reported no {', '.join(missing)}, which the scheduler compares after every epoch; it "
            f"reported {', '.join(metrics) or 'nothing'}"
        )


def _is_out_of_memory(error: Exception) -> bool:
    text = f"{type(error).__name__} {error}".lower()
    return "outofmemory" in text or "out of memory" in text or "can't allocate memory" in text

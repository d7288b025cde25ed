"""What a search of the twentieth benchmark costs until its goal, relative to a cold search.

Costs have three units, the last axis of every array here: trials, compute, and whether the goal was
missed. Compute is seconds of training on recorded tasks and FLOP in real training. A search that
misses its goal costs all its trials and one of their mean cost in addition.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmarks.harness.statistics import Estimate, Floats, bootstrap_ratio
from benchmarks.transfer.recorded_tasks import Rows, Task

Flags = NDArray[np.bool_]

TRIALS, COMPUTE, MISSED = range(3)
# What costs are relative to: names of methods of the transfer benchmark.
COLD_TPE, OWN_COLD = "tpe", "twentieth-cold"


def cost_of(reaches: ArrayLike, costs: ArrayLike) -> tuple[float, float, float]:
    """Return trials, compute and whether the goal was missed (0 or 1) of one search.

    Args:
        reaches: Whether each trial reaches the goal, or one before it has.
        costs: The compute of each trial.
    """
    compute = np.asarray(costs, dtype=np.float64)
    found = np.flatnonzero(reaches)
    if len(found):
        return float(found[0] + 1), float(compute[: found[0] + 1].sum()), 0.0
    return float(len(compute) + 1), float(compute.sum() + compute.mean()), 1.0


def mean_of(values: Floats, chosen: Flags) -> Estimate:
    """Return the mean over chosen searches and its interval over the sequences that have any.

    Args:
        values: Shape `(sequences, searches)`.
        chosen: Which searches, the same shape; none makes all three numbers NaN.
    """
    counts = chosen.sum(axis=1)
    some = counts > 0
    if not some.any():
        return float("nan"), float("nan"), float("nan")
    return bootstrap_ratio((values * chosen).sum(axis=1)[some], counts[some])


@dataclass(frozen=True)
class Recorded:
    """What was measured on recorded tasks.

    Attributes:
        tables: Task -> values and seconds of all rows.
        numbers: The number of every sequence.
        tasks: The tasks of every sequence, in order.
        rows: What every search tried, shape `(sequences, searches, trials)`.
        cold: COLD_TPE or OWN_COLD -> task -> rows by seed, shape `(seeds, trials)`.
    """

    tables: Mapping[str, Task]
    numbers: Sequence[int]
    tasks: Sequence[Sequence[str]]
    rows: Rows
    cold: Mapping[str, Mapping[str, Sequence[Sequence[int]]]]

    def goal(self, task: str) -> float:
        """Return the regret that cold TPE has at its end, the mean of its seeds."""
        table = self.tables[task]
        return float(np.mean([table.regret(rows)[-1] for rows in self.cold[COLD_TPE][task]]))

    def usual(self, method: str) -> dict[str, Floats]:
        """Return what a cold search of each task costs by the same rule, the mean of its seeds.

        Empty if a task has no such search.
        """
        if not all(len(each) for each in self.cold[method].values()):
            return {}
        return {
            task: np.mean([self._cost(task, rows) for rows in each], axis=0)
            for task, each in self.cold[method].items()
        }

    def costs(self, method: str = COLD_TPE, *, revalidates: bool = False) -> Floats:
        """Return every search's cost, shape `(sequences, searches, 3)`.

        Args:
            method: The cold searches that trials and compute are relative to.
            revalidates: By the rule that a search of a task that was searched before first trains
                the best known configuration again: if that reaches the goal, the search costs this
                trial, otherwise this trial more. Else an exact repetition counts for nothing.
        """
        usual = self.usual(method)
        own = np.array(
            [
                [self._cost(task, rows) for task, rows in zip(tasks, searches, strict=True)]
                for tasks, searches in zip(self.tasks, self.rows, strict=True)
            ]
        )
        if revalidates:
            first = self._incumbents()
            known = self.recurs()[..., None]
            reaches = first[..., MISSED : MISSED + 1] == 0
            # If the incumbent misses the goal, so does the search unless a later trial reaches it.
            first_alone = first * [1.0, 1.0, 0.0]
            own = np.where(known, np.where(reaches, first, own + first_alone), own)
        divisors = [[[*usual[task][:MISSED], 1.0] for task in tasks] for tasks in self.tasks]
        return np.asarray(own / np.array(divisors))

    def incumbents(self) -> Floats:
        """Return the cost of the best known configuration alone, relative to cold TPE's.

        Shape `(sequences, searches, 3)`; NaN where the task was not searched before.
        """
        usual = self.usual(COLD_TPE)
        divisors = [[[*usual[task][:MISSED], 1.0] for task in tasks] for tasks in self.tasks]
        return np.asarray(self._incumbents() / np.array(divisors))

    def recurs(self) -> Flags:
        """Return whether a search's task was searched before in its sequence."""
        return np.array([[t in tasks[:k] for k, t in enumerate(tasks)] for tasks in self.tasks])

    def is_of(self, task: str) -> Flags:
        """Return whether a search is of a task."""
        return np.array([[each == task for each in tasks] for tasks in self.tasks])

    def _cost(self, task: str, rows: ArrayLike) -> tuple[float, float, float]:
        table = self.tables[task]
        # A tolerance of rounding: the goal is a mean.
        reaches = table.regret(rows) <= self.goal(task) + 1e-12
        return cost_of(reaches, table.seconds[np.asarray(rows)])

    def _incumbents(self) -> Floats:
        """Return one trial, its seconds, and whether it misses the goal; NaN without any."""
        found = np.full((*self.rows.shape[:2], 3), np.nan)
        for sequence, tasks in enumerate(self.tasks):
            known: dict[str, list[int]] = {}
            for place, task in enumerate(tasks):
                if task in known:
                    table, before = self.tables[task], np.array(known[task])
                    best = int(before[table.accuracy[before].argmax()])
                    misses = self._cost(task, [best])[MISSED]
                    found[sequence, place] = 1.0, table.seconds[best], misses
                known.setdefault(task, []).extend(self.rows[sequence, place].tolist())
        return found


def trained_costs(done: Sequence[Mapping[str, Any]]) -> dict[str, Floats]:
    """Return the costs of real searches by arm, shape `(repetitions, places, 3)`; compute is FLOP.

    A task's goal is the median, over repetitions, of its cold searches' last hypervolume.
    """
    last: dict[str, list[float]] = {}
    for each in done:
        for task, volumes in zip(each["tasks"], each["volumes"]["cold"], strict=True):
            last.setdefault(task, []).append(volumes[-1])
    goals = {task: float(np.median(values)) for task, values in last.items()}
    return {
        arm: np.array(
            [
                [
                    cost_of(np.asarray(volumes) >= goals[task] - 1e-12, work)
                    for task, volumes, work in zip(
                        each["tasks"], each["volumes"][arm], each["work"][arm], strict=True
                    )
                ]
                for each in done
            ]
        )
        for arm in ("warm", "cold")
    }


def whole_work(done: Sequence[Mapping[str, Any]]) -> Floats:
    """Return the FLOP of all trials of every cold search, shape `(repetitions, places)`."""
    return np.array([[sum(work) for work in each["work"]["cold"]] for each in done])

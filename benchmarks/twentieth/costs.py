"""What a search of the twentieth benchmark costs: trials to a goal, relative to a cold search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.statistics import Floats
from benchmarks.memory.protocol import trials_to


@dataclass(frozen=True)
class Recorded:
    """What was measured on recorded tasks.

    Attributes:
        tasks: The tasks of every sequence, in order.
        regret: Shape `(sequences, searches, trials)`.
        cold: "tpe" or "twentieth-cold" -> task -> regret, shape `(seeds, trials)`.
    """

    tasks: Sequence[Sequence[str]]
    regret: Floats
    cold: Mapping[str, Mapping[str, Floats]]

    def goal(self, task: str) -> float:
        """Return what cold TPE has at its end, the mean of its seeds."""
        return float(self.cold["tpe"][task][:, -1].mean())

    def costs(self) -> Floats:
        """Return trials to the goal over cold TPE's mean, shape `(sequences, searches)`."""
        usual = {task: self._cost_of("tpe", task) for task in self.cold["tpe"]}
        return np.array(
            [
                [
                    first_at_most(curve, self.goal(task)) / usual[task]
                    for task, curve in zip(tasks, curves, strict=True)
                ]
                for tasks, curves in zip(self.tasks, self.regret, strict=True)
            ]
        )

    def own_cold(self) -> float:
        """Return the same of our sampler without history, mean of tasks; NaN if it was not run."""
        tasks = self.cold["tpe"]
        if not all(len(curves) for curves in self.cold["twentieth-cold"].values()):
            return float("nan")
        return float(
            np.mean([self._cost_of("twentieth-cold", t) / self._cost_of("tpe", t) for t in tasks])
        )

    def recurs(self) -> NDArray[np.bool_]:
        """Return whether a search's task was searched before in its sequence."""
        return np.array([[t in tasks[:k] for k, t in enumerate(tasks)] for tasks in self.tasks])

    def reached(self) -> Floats:
        """Return whether a search reached its goal at all, as 0 and 1."""
        goals = np.array([[self.goal(task) for task in tasks] for tasks in self.tasks])
        return (self.regret.min(axis=2) <= goals + 1e-12).astype(np.float64)

    def _cost_of(self, method: str, task: str) -> float:
        goal = self.goal(task)
        return float(np.mean([first_at_most(c, goal) for c in self.cold[method][task]]))


def first_at_most(curve: Floats, goal: float) -> int:
    """Return the first trial (from 1) with at most `goal`; one more than all if there is none."""
    reached = np.flatnonzero(np.asarray(curve) <= goal + 1e-12)
    return int(reached[0]) + 1 if len(reached) else len(curve) + 1


def trained_costs(done: Sequence[Mapping[str, Any]]) -> dict[str, Floats]:
    """Return trials to the goal in real searches by arm, shape `(repetitions, places)`.

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
                    trials_to(volumes, goals[task])
                    for task, volumes in zip(each["tasks"], each["volumes"][arm], strict=True)
                ]
                for each in done
            ],
            dtype=np.float64,
        )
        for arm in ("warm", "cold")
    }

"""Candidates: which configurations a model is asked about at a proposal.

A pool drawn once a search, with what past tasks found best in it, so that what these predict there
is computed once; fresh draws; and the neighbours of the best of this search. The best of all of
them by the acquisition is proposed: with some 2,000 candidates, moves from the best included,
regret on HPOBench was that of 4,000.

Source: Hutter, Hoos, Leyton-Brown 2011, "Sequential model-based optimization for general algorithm
configuration", section 4.3 (random and neighbouring candidates).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from search.apply.candidate_grid import CandidateGrid
from search.apply.task_models import TaskModel
from search.objectives import pareto
from search.space import Value

Floats = NDArray[np.float64]

POOLED = 1500
FRESH = 300
# Of every past task, its best enter the pool.
BEST_OF_A_TASK = 20
# Around each of the best own trials, so many neighbours.
CENTRES = 5
NEIGHBOURS = 60


class Candidates:
    """Draws candidates and keeps what past tasks predict of the pool."""

    def __init__(
        self, positions: CandidateGrid, tasks: Sequence[TaskModel], objectives: int, seed: int
    ) -> None:
        self._positions, self._tasks, self._objectives = positions, tasks, objectives
        generator = np.random.default_rng(seed)
        best = [
            positions.of(task.trials[index].configuration)
            for task in tasks
            for index in pareto.order(task.judged)[:BEST_OF_A_TASK]
        ]
        drawn = positions.draw(generator, POOLED)
        self._pool = np.unique(np.vstack([drawn, *best]) if best else drawn, axis=0)
        self._pool_points = positions.encoded(self._pool)
        self._pool_predictions = self.task_predictions(self._pool_points)

    def task_predictions(self, points: Floats) -> Floats:
        """What every past task predicts, `(points, tasks, objectives)`."""
        if not self._tasks:
            return np.empty((len(points), 0, self._objectives))
        return np.stack([task.predict(points) for task in self._tasks], axis=1)

    def around(
        self, best: Sequence[Mapping[str, Value]], generator: np.random.Generator
    ) -> tuple[Floats, Floats, Floats]:
        """Candidates: positions, encoded points, and what past tasks predict of them."""
        near = [
            self._positions.near(self._positions.of(each), generator, NEIGHBOURS) for each in best
        ]
        # Neighbours on a coarse grid meet again and again.
        fresh = np.unique(np.vstack([self._positions.draw(generator, FRESH), *near]), axis=0)
        points = self._positions.encoded(fresh)
        return (
            np.vstack([self._pool, fresh]),
            np.vstack([self._pool_points, points]),
            np.concatenate([self._pool_predictions, self.task_predictions(points)]),
        )

"""Candidates: the configurations that a model is asked about at a proposal.

They are a pool drawn once a search, with the best trials of past tasks in it, so that the tasks'
predictions there are computed once; fresh draws; and neighbours of this search's best trials. The
one with the highest acquisition value is proposed. With some 2,000 candidates, neighbours included,
regret on HPOBench was that of 4,000.

Source: Hutter, Hoos, Leyton-Brown 2011, "Sequential model-based optimization for general algorithm
configuration", section 4.3 (random and neighbouring candidates).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from search.apply.candidate_grid import CandidateGrid, Floats
from search.apply.task_models import TaskModel
from search.objectives import pareto
from search.space import Value

POOLED = 1500
FRESH = 300
# So many of the best trials of each past task are in the pool.
BEST_OF_A_TASK = 20
# Neighbours are drawn around so many of this search's best trials, so many each.
CENTRES = 5
NEIGHBOURS = 60


class Candidates:
    """Draws candidates and keeps the past tasks' predictions for the pool.

    Attributes:
        pool: Encoded random configurations of the space, `(POOLED, columns)`.
    """

    def __init__(
        self, grid: CandidateGrid, tasks: Sequence[TaskModel], objectives: int, seed: int
    ) -> None:
        self._grid, self._tasks, self._objectives = grid, tasks, objectives
        best = [
            grid.of(task.trials[index].configuration)
            for task in tasks
            for index in pareto.order(task.objective_losses)[:BEST_OF_A_TASK]
        ]
        drawn = grid.draw(np.random.default_rng(seed), POOLED)
        self._pool = np.unique(np.vstack([drawn, *best]), axis=0)
        self.pool = grid.encoded(drawn)
        self._pool_points = grid.encoded(self._pool)
        self._pool_predictions = self.task_predictions(self._pool_points)

    def task_predictions(self, points: Floats) -> Floats:
        """Returns the prediction of every past task, `(points, tasks, objectives)`."""
        if not self._tasks or not len(points):
            return np.empty((len(points), len(self._tasks), self._objectives))
        return np.stack([task.predict(points) for task in self._tasks], axis=1)

    def around(
        self, best: Sequence[Mapping[str, Value]], generator: np.random.Generator
    ) -> tuple[Floats, Floats, Floats]:
        """Returns candidates: positions, encoded points, and the past tasks' predictions."""
        near = [self._grid.near(self._grid.of(each), generator, NEIGHBOURS) for each in best]
        # Neighbours on a coarse grid coincide often.
        fresh = np.unique(np.vstack([self._grid.draw(generator, FRESH), *near]), axis=0)
        points = self._grid.encoded(fresh)
        return (
            np.vstack([self._pool, fresh]),
            np.vstack([self._pool_points, points]),
            np.concatenate([self._pool_predictions, self.task_predictions(points)]),
        )

"""Portfolio: the first configurations, those that together serve the earlier tasks best.

Each past task's model predicts every candidate. Predictions are scaled so that 0 is the best the
task's model knows and 1 its average; configurations are then taken greedily, each the one that
raises most the mean over tasks of the hypervolume the portfolio dominates. With one objective that
is the mean over tasks of the best so far. It trusts every task equally and does not look at what
the present search finds.

Sources: Wistuba, Schilling, Schmidt-Thieme 2015, "Sequential model-free hyperparameter tuning";
Winkelmolen et al. 2020, "Practical and sample efficient zero-shot HPO" (greedy, surrogates for what
was not tried); the greedy choice is within 1 - 1/e of the best: Nemhauser et al. 1978.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.apply.candidate_grid import CandidateGrid
from search.apply.source import Context, Proposal, origin
from search.apply.task_models import TaskModel
from search.objectives import pareto
from search.space import SearchSpace, Value
from search.space.encoding import encode

Floats = NDArray[np.float64]

# Candidates are each task's best. With 60 of them a portfolio of ten, predicted by neighbours, took
# half as long again and was no better: lost hypervolume at 20 trials .190 against .193 (s.e. .014;
# HPOBench-MLP, 8 by 3). Not measured again since processes predict.
CANDIDATES_PER_TASK = 20
# A task whose model sees no difference between configurations must not be blown up to one.
_LEAST_DEPTH = 0.2


@dataclass(frozen=True)
class Choice:
    """A configuration of the portfolio: whose it was, and how much each task gains by it."""

    configuration: Mapping[str, Value]
    task: str
    run_id: str
    gains: Mapping[str, float]


class Portfolio:
    """A source: proposes its configurations in order, each once, and then nothing.

    It proposes `size` of them, and further ones while too few trials have ended for a model to
    speak. What was handed out already is recognised in the context's `tried`, so a resumed
    search neither repeats nor skips one.
    """

    def __init__(
        self, tasks: Sequence[TaskModel], positions: CandidateGrid, size: int, reserve: int = 0
    ) -> None:
        """Chooses the portfolio; no tasks, no portfolio.

        Args:
            tasks: Whose best are the candidates.
            positions: Of the target space.
            size: How many trials it may take.
            reserve: Further ones for trials that run at once.
        """
        self._size = size
        self._trials = sum(len(task.trials) for task in tasks)
        self.choices = choose(tasks, positions, size + reserve) if size else []

    def propose(self, context: Context) -> Proposal | None:
        """The next configuration that was not tried."""
        ended = sum(trial.state in ("complete", "stopped") for trial in context.trials)
        for index, choice in enumerate(self.choices):
            if index >= self._size and ended >= self._size:
                return None
            if not context.tried.holds(context.space, choice.configuration):
                return Proposal(choice.configuration, self._origin(choice))
        return None

    def _origin(self, choice: Choice) -> dict[str, Any]:
        return origin(
            "portfolio",
            runs=[choice.run_id],
            # A late choice may gain nothing by any task's model; it is still somebody's best.
            tasks=choice.gains if any(choice.gains.values()) else {choice.task: 1.0},
            prior_trials=self._trials,
        )


def choose(tasks: Sequence[TaskModel], positions: CandidateGrid, size: int) -> list[Choice]:
    """The portfolio, best first; shorter than `size` if there are fewer distinct candidates."""
    candidates = _candidates(tasks, positions)
    if not candidates or size < 1:
        return []
    points = encode(positions.space, [configuration for configuration, *_ in candidates])
    predicted = np.stack([_scaled(task, points) for task in tasks])
    names = [task.name for task in tasks]
    return [
        Choice(*candidates[index], dict(zip(names, gains, strict=True)))
        for index, gains in _greedy(predicted, size)
    ]


def _scaled(task: TaskModel, points: Floats) -> Floats:
    """Predicted losses, `(candidates, objectives)`: 0 is the best of the points, 1 the average.

    What is predicted to violate a constraint is like the average, so nothing is gained by it; where
    all of it is, the nearest to keeping it is best.
    """
    predicted = task.predict(points)
    count = predicted.shape[1] - len(task.ceilings)
    scores, is_predictable = predicted[:, :count], np.array(task.is_predictable)
    off = np.maximum(predicted[:, count:] - task.ceilings, 0.0)[:, is_predictable[count:]].sum(
        axis=1
    )
    if off.any() and (off > 0).all():
        nearest = (off - off.min()) / max(float(np.ptp(off)), _LEAST_DEPTH)
        return np.repeat(nearest[:, None], count, axis=1)
    depth = np.maximum(-scores[off == 0].min(axis=0), _LEAST_DEPTH)
    # An objective that cannot be foreseen is the same everywhere.
    scaled = np.where(is_predictable[:count], np.clip(1.0 + scores / depth, 0.0, 1.0), 0.5)
    return np.where(off[:, None] > 0, 1.0, scaled)


def _candidates(
    tasks: Sequence[TaskModel], positions: CandidateGrid
) -> list[tuple[dict[str, Value], str, str]]:
    """Each task's best inside the space, completed where history lacked something, each once.

    Returns:
        Configuration, task and run id.
    """
    space: SearchSpace = positions.space
    found: dict[str, tuple[dict[str, Value], str, str]] = {}
    for task in tasks:
        for index in pareto.order(task.judged)[:CANDIDATES_PER_TASK]:
            trial = task.trials[index]
            configuration = dict(trial.configuration)
            if not space.contains(configuration):
                configuration = positions.configuration(positions.of(configuration))
            found.setdefault(space.key(configuration), (configuration, task.name, trial.run_id))
    return list(found.values())


def _greedy(predicted: Floats, size: int) -> list[tuple[int, list[float]]]:
    """Indices of candidates, each with the hypervolume that every task gains by it.

    Args:
        predicted: Losses, shape `(tasks, candidates, objectives)`.
        size: How many to choose at most.
    """
    reference = np.ones(predicted.shape[2])
    covered = np.zeros(len(predicted))
    chosen: list[tuple[int, list[float]]] = []

    def gains(index: int) -> Floats:
        members = [*(taken for taken, _ in chosen), index]
        volumes = [pareto.hypervolume(rows[members], reference) for rows in predicted]
        return np.maximum(np.array(volumes) - covered, 0.0)

    # A candidate's gain only falls as the portfolio grows, so an old gain is an upper bound, and
    # most candidates need no new one (lazy greedy, Minoux 1978).
    bounds = [float(gains(index).mean()) for index in range(predicted.shape[1])]
    while len(chosen) < min(size, predicted.shape[1]):
        is_fresh: set[int] = set()
        while (best := int(np.argmax(bounds))) not in is_fresh:
            bounds[best] = float(gains(best).mean())
            is_fresh.add(best)
        gained = gains(best)
        covered = covered + gained
        chosen.append((best, gained.tolist()))
        bounds[best] = -1.0
    return chosen

"""Portfolio: the first configurations, those that together are best on the earlier tasks.

Candidates are the best trials of past tasks, those of fronts first. Each task's model predicts
every candidate. Predictions are scaled so that 0 is the best that the task's model predicts and 1
its average. Configurations are chosen greedily: each next one increases most the hypervolume that
the portfolio dominates, averaged over tasks and divided by its price (`price.py`). With one
objective the hypervolume is that of the best value so far. All tasks count equally, and the results
of the present search do not count.

Sources: Wistuba, Schilling, Schmidt-Thieme 2015, "Sequential model-free hyperparameter tuning";
Winkelmolen et al. 2020, "Practical and sample efficient zero-shot HPO" (greedy, with surrogates);
Nemhauser et al. 1978 (the greedy choice is within 1 - 1/e of the best); Minoux 1978 (lazy greedy).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.apply.candidate_grid import CandidateGrid, Floats
from search.apply.failure_risk import FailureMemory, with_risk
from search.apply.price import log_price
from search.apply.proposal_source import Context, Proposal, origin
from search.apply.task_models import TaskModel
from search.extract.costs import CostModel
from search.objectives import pareto
from search.space import Value
from search.space.encoding import encode

Flags = NDArray[np.bool_]

# Candidates are so many of the best trials of each task. Those of its front come first, with one
# objective its best trial alone: models are smooth and predict the peaks away that tasks share.
# With no such order a search on TaskSet cost .063 of a cold one in the median, with it .052 (72
# sequences from 100 on, 11 tasks).
CANDIDATES_PER_TASK = 20
# The least range of scores: tiny predicted differences must not be scaled up to [0, 1].
_LEAST_DEPTH = 0.2
# Random configurations whose mean cost is part of every price: it is then known to some percent.
_PRICED = 500


@dataclass(frozen=True)
class Choice:
    """A configuration of the portfolio: where it was tried, and how much each task gains by it."""

    configuration: Mapping[str, Value]
    task: str
    run_id: str
    gains: Mapping[str, float]


class Portfolio:
    """A source: proposes its configurations in order, each once, and then nothing.

    It proposes `size` of them, and further ones while fewer than `size` trials have ended. What was
    proposed before is in the context's `tried`, so a resumed search neither repeats nor skips one.
    """

    def __init__(
        self,
        tasks: Sequence[TaskModel],
        grid: CandidateGrid,
        size: int,
        reserve: int = 0,
        costs: CostModel | None = None,
        failures: FailureMemory | None = None,
    ) -> None:
        """Chooses the portfolio; it is empty without tasks.

        Args:
            tasks: Past tasks; their best trials are the candidates.
            grid: The grid of the target space.
            size: How many trials it may take.
            reserve: How many more for trials that run at once.
            costs: Predicts what a trial costs; None if that does not count.
            failures: The risk of a failure; None if that does not count.
        """
        self._size, self._failures = size, failures
        self._trials = sum(len(task.trials) for task in tasks)
        self.choices = choose(tasks, grid, size + reserve, costs) if size else []

    def propose(self, context: Context) -> Proposal | None:
        """Returns the next configuration that was not tried and will not very probably fail."""
        risk = None if self._failures is None else self._failures.at(context)
        ended = sum(trial.state in ("complete", "stopped") for trial in context.trials)
        for index, choice in enumerate(self.choices):
            # The portfolio of a space that has changed since is another list, but counts.
            if max(index, context.from_portfolio) >= self._size <= ended:
                return None
            if risk is not None and risk.is_too_high(choice.configuration):
                continue
            if not context.tried.holds(context.space, choice.configuration):
                # A late choice may gain nothing by any task's model; it is still one task's best.
                tasks = choice.gains if any(choice.gains.values()) else {choice.task: 1.0}
                made = origin(
                    "portfolio", runs=[choice.run_id], tasks=tasks, prior_trials=self._trials
                )
                return with_risk(Proposal(choice.configuration, made), risk)
        return None


def choose(
    tasks: Sequence[TaskModel], grid: CandidateGrid, size: int, costs: CostModel | None = None
) -> list[Choice]:
    """Returns the portfolio, best first; shorter than `size` if there are fewer candidates."""
    candidates, is_front = _candidates(tasks, grid)
    if not candidates or size < 1:
        return []
    points = encode(grid.space, [configuration for configuration, *_ in candidates])
    predicted = np.stack([_scaled(task, points) for task in tasks])
    names = [task.name for task in tasks]
    pool = grid.encoded(grid.draw(np.random.default_rng(0), _PRICED))
    prices = np.exp(log_price(costs, points, pool))
    return [
        Choice(*candidates[index], dict(zip(names, gains, strict=True)))
        for index, gains in _greedy(predicted, size, prices, is_front)
    ]


def _scaled(task: TaskModel, points: Floats) -> Floats:
    """Returns predicted losses, `(candidates, objectives)`: 0 is the best point, 1 the average.

    A point that is predicted to be infeasible counts like the average, so it adds nothing; where
    all points are, the least infeasible one is best.
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
    # An objective that cannot be predicted is the same everywhere.
    scaled = np.where(is_predictable[:count], np.clip(1.0 + scores / depth, 0.0, 1.0), 0.5)
    return np.where(off[:, None] > 0, 1.0, scaled)


def _candidates(
    tasks: Sequence[TaskModel], grid: CandidateGrid
) -> tuple[list[tuple[dict[str, Value], str, str]], Flags]:
    """Returns each task's best trials, moved into the space and completed, without duplicates.

    Returns:
        Configuration, task and run id of each; and whether it is on the front of its task.
    """
    found: dict[str, tuple[dict[str, Value], str, str]] = {}
    of_a_front: set[str] = set()
    for task in tasks:
        front = pareto.front(task.objective_losses)
        for index in pareto.order(task.objective_losses)[:CANDIDATES_PER_TASK]:
            trial = task.trials[index]
            configuration = dict(trial.configuration)
            if not grid.space.contains(configuration):
                configuration = grid.configuration(grid.of(configuration))
            key = grid.space.key(configuration)
            found.setdefault(key, (configuration, task.name, trial.run_id))
            if front[index]:
                of_a_front.add(key)
    return list(found.values()), np.array([key in of_a_front for key in found], dtype=bool)


def _greedy(
    predicted: Floats, size: int, prices: Floats, is_first: Flags
) -> list[tuple[int, list[float]]]:
    """Returns indices of candidates, each with the hypervolume that every task gains by it.

    Args:
        predicted: Losses, shape `(tasks, candidates, objectives)`.
        size: How many to choose at most.
        prices: What a trial of each candidate costs, `(candidates,)`.
        is_first: Candidates that are chosen before all others, `(candidates,)`.
    """
    reference = np.ones(predicted.shape[2])
    covered = np.zeros(len(predicted))
    chosen: list[tuple[int, list[float]]] = []

    def gains(index: int) -> Floats:
        members = [*(taken for taken, _ in chosen), index]
        volumes = [pareto.hypervolume(rows[members], reference) for rows in predicted]
        return np.maximum(np.array(volumes) - covered, 0.0)

    # A candidate's gain only falls as the portfolio grows, so an old gain is an upper bound, and
    # most candidates need no new one (lazy greedy).
    count = predicted.shape[1]
    bounds = np.array([float(gains(index).mean()) / prices[index] for index in range(count)])
    left = np.ones(count, dtype=bool)
    while len(chosen) < min(size, count):
        eligible = left & is_first if (left & is_first).any() else left
        is_fresh: set[int] = set()
        while (best := int(np.argmax(np.where(eligible, bounds, -1.0)))) not in is_fresh:
            bounds[best] = float(gains(best).mean()) / prices[best]
            is_fresh.add(best)
        gained = gains(best)
        covered = covered + gained
        chosen.append((best, gained.tolist()))
        left[best] = False
    return chosen

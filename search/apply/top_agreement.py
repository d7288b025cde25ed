"""Agreement at the top: where the best configurations of a past task lie for the other tasks.

Past tasks can order a space alike and still differ in their best configurations, and a search that
trusts them then never tries its own best. Each past task is therefore held out: the mean prediction
of the others is made for random configurations and for its best ones, and the quantile of these
says how far down the others' list a search of that task would have had to go. The models are those
that the search uses anyway (`task_models.py`). Not for weighing tasks against the present one
(`guard.py`), nor for the agreement with it (`search/extract/rank_agreement.py`).

Source: leave-one-task-out as in Feurer et al. 2018, "Scalable meta-learning for Bayesian
optimization"; quantiles in place of a correlation since only the head of the order is searched.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import spearmanr

from search.apply.candidate_grid import CandidateGrid
from search.apply.gaussian_process import Floats
from search.apply.task_models import TaskModel
from search.experience import TopAgreement
from search.objectives import Objective
from search.space import SearchSpace
from search.space.encoding import encode

# Random configurations that quantiles are of: a quantile of 5 % is then known to half of that.
DRAWN = 1000
# The best of a task is one lucky trial; the median of so many is not.
BEST = 3


def top_agreements(
    tasks: Sequence[TaskModel], space: SearchSpace, objectives: Sequence[Objective]
) -> tuple[TopAgreement, ...]:
    """Returns for each objective and past task where its best lie; the farthest off first.

    Args:
        tasks: Past tasks; one whose results do not predict each other in an objective is left out.
        space: The target space.
        objectives: The searched objectives, in the order of the models.
    """
    if not space.distributions or len(tasks) < 2:
        return ()
    grid = CandidateGrid(space)
    pool = grid.encoded(grid.draw(np.random.default_rng(0), DRAWN))
    found: list[TopAgreement] = []
    for column, objective in enumerate(objectives):
        known = [task for task in tasks if task.is_predictable[column]]
        if len(known) < 2:
            continue
        predicted = np.stack([task.predict(pool)[:, column] for task in known])
        each = [
            _held_out(place, known, predicted, space, column, objective.metric)
            for place in range(len(known))
        ]
        found += sorted(each, key=lambda one: (-one.quantile, one.task))
    return tuple(found)


def _held_out(
    place: int,
    tasks: Sequence[TaskModel],
    predicted: Floats,
    space: SearchSpace,
    column: int,
    metric: str,
) -> TopAgreement:
    task, others = tasks[place], [each for each in tasks if each is not tasks[place]]
    best = np.argsort(task.losses[:, column], kind="stable")[:BEST]
    points = encode(space, [task.trials[row].configuration for row in best])
    of_best = np.mean([each.predict(points)[:, column] for each in others], axis=0)
    of_pool = np.delete(predicted, place, axis=0).mean(axis=0)
    quantile = float(np.median([(of_pool < each).mean() for each in of_best]))
    is_flat = not np.ptp(of_pool) or not np.ptp(predicted[place])
    correlation = 0.0 if is_flat else float(spearmanr(predicted[place], of_pool).statistic)
    runs = tuple(task.trials[row].run_id for row in best)
    return TopAgreement(metric, task.name, quantile, correlation, len(others), runs)

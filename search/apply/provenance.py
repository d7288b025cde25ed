"""What a model's proposal comes from: past tasks with their weights, and the nearest good runs.

The record goes into the trial's origin, which the ledger and `twentieth show` read. It describes a
proposal after it was made and has no part in making it: that is `transfer_model.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from search.apply.gaussian_process import Floats, Process
from search.apply.guard import GuardedObjective, guard_record
from search.apply.own_data import ObservedData
from search.apply.scores import normal_scores
from search.apply.source import origin
from search.apply.task_models import TaskModel
from search.apply.task_weights import weights
from search.history import Trial

# The record of a proposal names so many past runs: of the weightiest tasks the nearest good ones.
RUNS_NAMED = 3


@dataclass(frozen=True)
class Past:
    """What a model knows of earlier searches.

    Attributes:
        tasks: Past tasks with their models.
        left_out: Task -> why it is none of them.
        same_task: Prior trials of this very task with comparable values.
    """

    tasks: Sequence[TaskModel]
    left_out: Mapping[str, str]
    same_task: Sequence[Trial]


def origin_of(
    point: Floats,
    past: Past,
    seen: ObservedData,
    judgements: Sequence[GuardedObjective],
    models: Sequence[Process],
) -> dict[str, Any]:
    """Where a proposal comes from, JSON-able; see `Proposal.origin`.

    Args:
        point: The proposal, encoded, `(columns,)`.
        past: What the model knows of earlier searches.
        seen: What was measured on this task.
        judgements: The guard's, one an objective.
        models: The processes that proposed it, one an objective.
    """
    counts = _weights(judgements, models, len(past.tasks))
    heaviest = [int(i) for i in np.argsort(-np.abs(counts)).tolist() if counts[i] != 0][:RUNS_NAMED]
    is_weighted = bool(heaviest)
    step = "history-model" if is_weighted else "prior-model" if past.same_task else "model"
    runs = [_nearest(past.tasks[index], point) for index in heaviest]
    task_weights = {past.tasks[i].name: float(counts[i]) for i in np.flatnonzero(counts).tolist()}
    made = origin(
        step,
        runs=[*_nearest_of_this_task(past.same_task, seen, point), *runs],
        tasks=task_weights or {trial.task: 1.0 for trial in past.same_task},
        sampler="transfer",
        prior_trials=len(past.same_task),
    )
    if past.tasks or past.left_out:
        names = [task.name for task in past.tasks]
        made["guard"] = guard_record(judgements, names, seen.own, past.left_out)
    return made


def _weights(
    judgements: Sequence[GuardedObjective], models: Sequence[Process], tasks: int
) -> Floats:
    """How much each past task counts, over all objectives; below 0 if mostly in reverse."""
    each = np.zeros((len(models), tasks))
    for row, judgement, model in zip(each, judgements, models, strict=True):
        if judgement.members:
            row[list(judgement.members)] = weights(model)
    # A task may count for one objective and in reverse for another: that is no weight of 0.
    size: Floats = np.abs(each).mean(axis=0)
    return np.where(each.sum(axis=0) < 0, -size, size)


def _nearest_of_this_task(
    same_task: Sequence[Trial], seen: ObservedData, point: Floats
) -> list[str]:
    """Runs of the nearest prior trials of this very task, of its better half."""
    prior = len(same_task)
    scores = normal_scores(seen.losses[:prior]).mean(axis=1)
    better = np.flatnonzero(scores <= np.median(scores)) if prior else np.empty(0, dtype=int)
    distance = ((seen.points[better] - point) ** 2).sum(axis=1)
    nearest = better[np.argsort(distance, kind="stable")[:RUNS_NAMED]]
    return [same_task[index].run_id for index in nearest.tolist()]


def _nearest(task: TaskModel, point: Floats) -> str:
    """The run of the task's better half that is nearest to a point."""
    better = np.flatnonzero(task.scores.mean(axis=1) <= np.median(task.scores.mean(axis=1)))
    distance = ((task.points[better] - point) ** 2).sum(axis=1)
    nearest = int(better[int(distance.argmin())])
    return task.trials[nearest].run_id

"""Provenance of a model's proposal: past tasks with their weights, and the nearest good runs.

The record goes into the trial's origin, which the ledger and `twentieth show` read. It describes a
proposal that `transfer_model.py` has made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from search.apply.gaussian_process import Floats, Process
from search.apply.guard import GuardedObjective, guard_record
from search.apply.own_data import ObservedData
from search.apply.proposal_source import origin
from search.apply.scores import normal_scores
from search.apply.task_models import TaskModel
from search.apply.task_weights import task_weights
from search.history import Trial

# A record names so many past runs: the nearest good ones of the tasks with the largest weights.
RUNS_NAMED = 3


@dataclass(frozen=True)
class Past:
    """Earlier searches as a model uses them.

    Attributes:
        tasks: Past tasks with their models.
        left_out: Task -> why it is not among them.
        same_task: Prior trials of this task with comparable values.
    """

    tasks: Sequence[TaskModel]
    left_out: Mapping[str, str]
    same_task: Sequence[Trial]


def origin_of(
    point: Floats,
    past: Past,
    data: ObservedData,
    decisions: Sequence[GuardedObjective],
    models: Sequence[Process],
) -> dict[str, Any]:
    """Returns where a proposal comes from, JSON-able; see `Proposal.origin`.

    Args:
        point: The proposal, encoded, `(columns,)`.
        past: Earlier searches.
        data: The results on this task.
        decisions: Decisions of the guard, one for each objective.
        models: The processes that proposed it, one for each objective.
    """
    weights = _weights(decisions, models, len(past.tasks))
    order = np.argsort(-np.abs(weights)).tolist()
    heaviest = [index for index in order if weights[index] != 0][:RUNS_NAMED]
    step = "history-model" if heaviest else "prior-model" if past.same_task else "model"
    same = len(past.same_task)
    scores = normal_scores(data.losses[:same]).mean(axis=1)
    nearest = [past.same_task[row] for row in _nearest(scores, data.points[:same], point)]
    for index in heaviest:
        task = past.tasks[index]
        near = _nearest(task.scores.mean(axis=1), task.points, point)
        nearest.append(task.trials[near[0]])
    by_task = {past.tasks[i].name: float(weights[i]) for i in np.flatnonzero(weights).tolist()}
    made = origin(
        step,
        runs=[trial.run_id for trial in nearest],
        tasks=by_task or {trial.task: 1.0 for trial in past.same_task},
        sampler="transfer",
        prior_trials=len(past.same_task),
    )
    if past.tasks or past.left_out:
        names = [task.name for task in past.tasks]
        made["guard"] = guard_record(decisions, names, data.own, past.left_out)
    return made


def _weights(
    decisions: Sequence[GuardedObjective], models: Sequence[Process], tasks: int
) -> Floats:
    """Returns the weight of each past task over all objectives; negative if mostly inverted."""
    each = np.zeros((len(models), tasks))
    for row, decision, model in zip(each, decisions, models, strict=True):
        if decision.members:
            row[list(decision.members)] = task_weights(model)
    # A task may count for one objective and inverted for another: that is no weight of 0.
    size: Floats = np.abs(each).mean(axis=0)
    return np.where(each.sum(axis=0) < 0, -size, size)


def _nearest(scores: Floats, points: Floats, point: Floats) -> list[int]:
    """Returns the trials of the better half that are nearest to a point, `RUNS_NAMED` at most."""
    if not len(scores):
        return []
    better = np.flatnonzero(scores <= np.median(scores))
    distance = ((points[better] - point) ** 2).sum(axis=1)
    nearest: list[int] = better[np.argsort(distance, kind="stable")[:RUNS_NAMED]].tolist()
    return nearest

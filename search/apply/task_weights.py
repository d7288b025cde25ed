"""Task weights: how a model of this task is built on the predictions of past tasks.

The objective here is modelled as a combination of the past tasks' predictions plus a function of
its own: `f(x) = c * mean_t(x) + sum_t d_t * (prediction_t(x) - mean(x)) + own(x)`, with normal
priors on `c` and `d`, so it is one Gaussian process with two linear blocks. A task that disagrees
gets no weight, or a negative one: inverted history is informative too. The priors are learned
beforehand from the history, by fitting each of its tasks in turn on all others.

Sources: Wang et al. 2024, "Pre-trained Gaussian processes for Bayesian optimization" (a prior
learned from past tasks); Feurer et al. 2018, "Scalable meta-learning for Bayesian optimization
using ranking-weighted Gaussian process ensembles" (weights from the results of this task).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from search.apply.gaussian_process import Floats, Process
from search.apply.gp_fit import Prior, fit, usual_prior
from search.apply.task_models import TaskModel

# Variances at the start of learning the prior, and the prior itself with one past task: the task's
# own function, its noise, what all tasks share, and how they differ.
_OWN, _NOISE, _SHARED, _DIFFERENT = 0.3, 0.02, 0.5, 0.5
# So many tasks are fitted on the others, chosen by hand to bound the time of the first proposal.
_FITTED = 8
# The least spread of the prior, since this task may be unlike all past ones. With 0.5 regret after
# inverted history was .062 and .038 at 20 and 50 trials, with 1.0 .056 and .033; after true history
# .053 and .055 at 20 (s.e. .004).
_LEAST_SPREAD = 1.0


def blocks(task_predictions: Floats) -> list[Floats]:
    """Returns the linear features of points: the mean over tasks, and each task's deviation.

    Args:
        task_predictions: Shape `(points, tasks)`; at least one task.
    """
    shared = task_predictions.mean(axis=1, keepdims=True)
    if task_predictions.shape[1] == 1:
        return [shared]
    return [shared, (task_predictions - shared) / np.sqrt(task_predictions.shape[1])]


def task_weights(process: Process) -> Floats:
    """Returns the signed weight of each task; absolute values sum to 1 or are all 0."""
    counts = process.coefficients(0)
    if len(process.blocks) > 1:
        own = process.coefficients(1)
        tasks = len(own)
        counts = counts / tasks + (own - own.mean()) / np.sqrt(tasks)
    total = np.abs(counts).sum()
    return counts / total if total > 0 else counts


def learned_prior(tasks: Sequence[TaskModel], groups: NDArray[np.int64], objective: int) -> Prior:
    """Learns the prior of a model on these tasks, for one objective.

    Args:
        tasks: Those whose results in this objective are predictable; at least one.
        groups: Encoded column -> hyperparameter.
        objective: The objective's column.
    """
    start = _start(tasks, groups, objective)
    if len(tasks) == 1:
        return start
    fitted = []
    for task in tasks[:_FITTED]:
        others = np.column_stack(
            [other.predict(task.points)[:, objective] for other in tasks if other is not task]
        )
        scores = task.scores[:, objective]
        features = blocks(others)
        prior = start if len(features) == 2 else without_differences(start)
        parameters = fit(task.points, scores, groups, prior, features).parameters
        fitted.append(parameters if len(features) == 2 else np.r_[parameters, start.means[-1]])
    return Prior(np.mean(fitted, axis=0), np.maximum(np.std(fitted, axis=0), _LEAST_SPREAD))


def _start(tasks: Sequence[TaskModel], groups: NDArray[np.int64], objective: int) -> Prior:
    lengths = int(groups.max(initial=-1)) + 1
    usual = usual_prior(lengths, min(len(tasks), 2))
    means = usual.means.copy()
    for group in range(lengths):
        found = [
            task.processes[objective].parameters[position]
            for task in tasks
            for position in np.flatnonzero(np.unique(groups[task.columns]) == group)
        ]
        means[group] = np.mean(found) if found else means[group]
    means[lengths:] = np.log([_OWN, _NOISE, _SHARED, _DIFFERENT])[: len(means) - lengths]
    return Prior(means, usual.spreads)


def without_differences(prior: Prior) -> Prior:
    """Returns the prior of a model on one task, which has one block only."""
    return Prior(prior.means[:-1], prior.spreads[:-1])

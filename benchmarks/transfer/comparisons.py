"""What the transfer benchmark compares: everything is paired over seeds, and tasks go first.

Curves have shape `(tasks, seeds, trials)`; smaller is better. Intervals cover 95 % over seeds, with
the tasks as they are: they describe these tasks, not others.
"""

from __future__ import annotations

import numpy as np

from benchmarks.harness.statistics import (
    Estimate,
    Floats,
    bootstrap_ratio,
    bootstrap_weights,
    mean_interval,
    percentile_interval,
)


def difference(curves: Floats, others: Floats, trial: int) -> Estimate:
    """Return how much more `curves` has than `others` after a trial (from 1), paired by seed."""
    return mean_interval(_by_seed(curves, trial) - _by_seed(others, trial))


def level(curves: Floats, trial: int) -> Estimate:
    """Return what is reached after a trial (from 1)."""
    return mean_interval(_by_seed(curves, trial))


def ratio(curves: Floats, others: Floats, trial: int) -> Estimate:
    """Return the quotient of the two means after a trial, paired by seed."""
    return bootstrap_ratio(_by_seed(curves, trial), _by_seed(others, trial))


def trials_to(means: Floats, goals: Floats) -> float:
    """Return the median over tasks of the first trial at which a task's mean is at its goal.

    Args:
        means: Shape `(..., tasks, trials)`.
        goals: Shape `(..., tasks)`.

    Returns:
        Trials from 1; one more than there are where the goal is not reached.
    """
    reached = means <= goals[..., None] + 1e-12
    first = np.where(reached.any(axis=-1), reached.argmax(axis=-1) + 1, means.shape[-1] + 1)
    return np.median(first, axis=-1)  # type: ignore[no-any-return]


def trials_to_cold(curves: Floats, cold: Floats) -> Estimate:
    """Return `trials_to` what the cold search has at its end, with a bootstrap over seeds.

    With as many cold seeds as others, seeds are drawn in pairs; otherwise each side by itself.
    """
    middle = float(trials_to(curves.mean(axis=1), cold[..., -1].mean(axis=1)))
    own = bootstrap_weights(curves.shape[1], 0)
    is_paired = curves.shape[1] == cold.shape[1]
    theirs = own if is_paired else bootstrap_weights(cold.shape[1], 1)
    means = np.einsum("bs,tsk->btk", own, curves)
    goals = np.einsum("bs,ts->bt", theirs, cold[..., -1])
    return (middle, *percentile_interval(trials_to(means, goals)))


def _by_seed(curves: Floats, trial: int) -> Floats:
    """Return the mean over tasks after a trial, one a seed."""
    return np.asarray(curves[..., trial - 1].mean(axis=0))

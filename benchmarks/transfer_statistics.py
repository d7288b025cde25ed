"""Statistics of benchmarks/transfer.py: everything is paired over seeds, and tasks go first.

Curves have shape `(tasks, seeds, trials)`; smaller is better. Intervals cover 95 % over seeds, with
the tasks as they are: what they say is about these tasks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Floats = NDArray[np.float64]
Estimate = tuple[float, float, float]

_RESAMPLES = 2000


def mean_interval(sample: ArrayLike) -> Estimate:
    """Mean of one number a seed, and its interval by Student's t; infinite with fewer than two."""
    values = np.asarray(sample, dtype=np.float64)
    middle = float(values.mean())
    if len(values) < 2:
        return middle, -np.inf, np.inf
    error = float(values.std(ddof=1) / np.sqrt(len(values)))
    half = float(stats.t.ppf(0.975, len(values) - 1)) * error
    return middle, middle - half, middle + half


def difference(curves: Floats, others: Floats, trial: int) -> Estimate:
    """How much more `curves` has than `others` after a trial (from 1), paired by seed."""
    apart = curves[..., trial - 1].mean(axis=0) - others[..., trial - 1].mean(axis=0)
    return mean_interval(apart)


def level(curves: Floats, trial: int) -> Estimate:
    """What is reached after a trial (from 1)."""
    return mean_interval(curves[..., trial - 1].mean(axis=0))


def ratio(curves: Floats, others: Floats, trial: int) -> Estimate:
    """The quotient of the two means after a trial, with its bootstrap interval, paired by seed."""
    pairs = np.stack([each[..., trial - 1].mean(axis=0) for each in (curves, others)])
    drawn = pairs[:, _resamples(pairs.shape[1])].mean(axis=2)
    low, high = np.percentile(drawn[0] / drawn[1], [2.5, 97.5])
    middle = pairs[0].mean() / pairs[1].mean()
    return float(middle), float(low), float(high)


def trials_to(means: Floats, goals: Floats) -> float:
    """The median over tasks of the first trial at which a task's mean curve is at its goal.

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
    """`trials_to` what the cold search has at its end, and its bootstrap interval over seeds.

    With as many cold seeds as others, seeds are drawn in pairs; otherwise each side by itself.
    """
    middle = float(trials_to(curves.mean(axis=1), cold[..., -1].mean(axis=1)))
    own = _weights(curves.shape[1], 0)
    is_paired = curves.shape[1] == cold.shape[1]
    theirs = own if is_paired else _weights(cold.shape[1], 1)
    means = np.einsum("bs,tsk->btk", own, curves)
    goals = np.einsum("bs,ts->bt", theirs, cold[..., -1])
    low, high = np.percentile(trials_to(means, goals), [2.5, 97.5])
    return middle, float(low), float(high)


def _resamples(seeds: int, stream: int = 0) -> NDArray[np.int64]:
    return np.random.default_rng(stream).integers(0, seeds, (_RESAMPLES, seeds))


def _weights(seeds: int, stream: int) -> Floats:
    drawn = _resamples(seeds, stream)
    return np.stack([np.bincount(row, minlength=seeds) for row in drawn]) / seeds

"""Intervals of a benchmark's numbers: bootstrap and Student's t. The only place that has them.

All intervals cover 95 %. Seeds are fixed, so a report that is written again has the same numbers.
Not for what is compared with what: every claim has that in a file of its own.

Source: Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13 (percentiles).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Floats = NDArray[np.float64]
# A value, and the lower and upper end of its interval.
Estimate = tuple[float, float, float]

_PERCENTILES = (2.5, 97.5)
_RESAMPLES = 10_000
# Resamples of whole curves: 2,000 of 100 seeds x 100 trials still fit in memory.
CURVE_RESAMPLES = 2000


def bootstrap(
    values: ArrayLike, statistic: Callable[..., Any] = np.median, seed: int = 0
) -> Estimate:
    """Return a statistic of a sample and its percentile bootstrap interval.

    With few values the interval is too narrow: percentile intervals of a median of ten cover about
    0.9.

    Args:
        values: Shape `(sample,)`; NaN makes all three numbers NaN.
        statistic: Takes an array and `axis`.
        seed: Of the resampling.
    """
    sample = np.asarray(values, dtype=np.float64)
    drawn = sample[resamples(len(sample), _RESAMPLES, seed)]
    return (float(statistic(sample, axis=0)), *percentile_interval(statistic(drawn, axis=1)))


def bootstrap_ratio(numerators: ArrayLike, denominators: ArrayLike) -> Estimate:
    """Return the quotient of two means and its bootstrap interval; the samples are paired."""
    pairs = np.stack([np.asarray(numerators), np.asarray(denominators)])
    drawn = pairs[:, resamples(pairs.shape[1])].mean(axis=2)
    return (float(pairs[0].mean() / pairs[1].mean()), *percentile_interval(drawn[0] / drawn[1]))


def bootstrap_weights(size: int, seed: int) -> Floats:
    """Return how much each member counts in each resample, shape `(resamples, size)`."""
    drawn = resamples(size, seed=seed)
    return np.stack([np.bincount(row, minlength=size) for row in drawn]) / size


def percentile_interval(drawn: ArrayLike) -> tuple[float, float]:
    """Return the ends of the interval of a statistic that was computed on every resample."""
    low, high = np.percentile(np.asarray(drawn), _PERCENTILES)
    return float(low), float(high)


def mean_interval(sample: ArrayLike) -> Estimate:
    """Return a mean and its interval by Student's t; infinite with fewer than two values."""
    values = np.asarray(sample, dtype=np.float64)
    middle = float(values.mean())
    if len(values) < 2:
        return middle, -np.inf, np.inf
    error = float(values.std(ddof=1) / np.sqrt(len(values)))
    half = float(stats.t.ppf(0.975, len(values) - 1)) * error
    return middle, middle - half, middle + half


def resamples(size: int, count: int = CURVE_RESAMPLES, seed: int = 0) -> NDArray[np.int64]:
    """Return the indices of `count` resamples with replacement, shape `(count, size)`."""
    return np.random.default_rng(seed).integers(0, size, (count, size))

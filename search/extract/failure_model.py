"""Failure model: the probability that a configuration fails, by Bayesian logistic regression.

The log odds of a failure are a level of the task plus a quadratic function of the encoded
configuration, which tasks share: memory grows with a sum of logarithms, and a training diverges
beyond a learning rate. What is believed of the coefficients is Gaussian, so what one set of trials
taught is the prior for the next set, and the evidence of that set says whether it was right. Not
for which failures count (`failures.py`) nor for what a search makes of it.

Source: MacKay 1992, "The evidence framework applied to classification networks" (Laplace's
approximation, its evidence, and the moderated probability, equation 10).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

# Before any trial: a failure has odds of 1 to 12, known within a factor of 7.
LEVEL, LEVEL_DEVIATION = -2.5, 2.0
# Standard deviations of the coefficients of positions in [-1, 1], and of squares and products.
# Twice and three times as much made no difference to benchmarks/failures beyond its error.
SLOPE_DEVIATION, CURVE_DEVIATION = 3.0, 1.5
# How much tasks differ: in the level, and in each coefficient. With 3 and 2 a fifth more of the
# first ten trials fail on a related task (benchmarks/failures), with less the guard has more to do.
TASK_LEVEL_DEVIATION, TASK_SLOPE_DEVIATION = 2.0, 1.0
# With more encoded columns there are no products, and with still more no squares, which would cost
# more time than a proposal may.
CROSSED_AT_MOST, SQUARED_AT_MOST = 9, 25
# Newton's method ends when no coefficient moves by more.
TOLERANCE, MOST_STEPS = 1e-8, 100


@dataclass(frozen=True, eq=False)
class Belief:
    """What is believed of the coefficients, a Gaussian; the first one is the level.

    Attributes:
        mean: Shape `(coefficients,)`.
        covariance: Shape `(coefficients, coefficients)`.
    """

    mean: Floats
    covariance: Floats

    def probability(self, features: Floats) -> Floats:
        """Return the probability that a configuration fails, `(n,)`, from `features_of`."""
        odds = features @ self.mean
        variance = np.einsum("ij,ij->i", features @ self.covariance, features)
        return np.asarray(expit(odds / np.sqrt(1.0 + np.pi / 8.0 * variance)))

    def for_another_task(self) -> Belief:
        """Return the same belief about another task, which is less certain."""
        away = np.full(len(self.mean), TASK_SLOPE_DEVIATION**2)
        away[0] = TASK_LEVEL_DEVIATION**2
        return Belief(self.mean, self.covariance + np.diag(away))


def features_of(points: Floats) -> Floats:
    """Return 1, the positions in [-1, 1], of fewer columns their squares, of few their products."""
    places = 2.0 * points - 1.0
    ones = np.ones((len(places), 1))
    if places.shape[1] > SQUARED_AT_MOST:
        return np.hstack([ones, places])
    if places.shape[1] > CROSSED_AT_MOST:
        return np.hstack([ones, places, places**2])
    first, second = np.triu_indices(places.shape[1])
    return np.hstack([ones, places, places[:, first] * places[:, second]])


def before_any_trial(columns: int) -> Belief:
    """Return what is believed before any trial, of configurations with so many columns."""
    coefficients = features_of(np.zeros((1, columns))).shape[1]
    deviations = np.full(coefficients, CURVE_DEVIATION)
    deviations[0], deviations[1 : columns + 1] = LEVEL_DEVIATION, SLOPE_DEVIATION
    mean = np.zeros(coefficients)
    mean[0] = LEVEL
    return Belief(mean, np.diag(deviations**2))


def learn(belief: Belief, features: Floats, has_failed: Flags) -> tuple[Belief, float]:
    """Return what is believed after the outcomes of trials, and their log evidence.

    Args:
        belief: What was believed before.
        features: Of the trials, `(n, coefficients)`; n may be 0.
        has_failed: Shape `(n,)`.
    """
    # In terms of z, where mean + root @ z are the coefficients: z is standard normal before.
    root = np.linalg.cholesky(belief.covariance)
    moved, offset, target = features @ root, features @ belief.mean, has_failed.astype(np.float64)

    def objective(z: Floats) -> float:
        odds = offset + moved @ z
        return float(0.5 * z @ z + np.logaddexp(0.0, odds).sum() - target @ odds)

    z = np.zeros(len(belief.mean))
    hessian = np.eye(len(z))
    for _ in range(MOST_STEPS):
        chance = expit(offset + moved @ z)
        hessian = np.eye(len(z)) + (moved.T * (chance * (1.0 - chance))) @ moved
        step = np.linalg.solve(hessian, z + moved.T @ (chance - target))
        before, length = objective(z), 1.0
        while objective(z - length * step) > before and length > TOLERANCE:
            length /= 2.0
        z = z - length * step
        if np.abs(length * step).max() < TOLERANCE:
            break
    half = np.linalg.solve(np.linalg.cholesky(hessian), root.T)
    evidence = -objective(z) - 0.5 * np.linalg.slogdet(hessian)[1]
    return Belief(belief.mean + root @ z, half.T @ half), float(evidence)


def learn_from_tasks(
    belief: Belief, features: Floats, has_failed: Flags, tasks: Sequence[str]
) -> Belief:
    """Return what is believed of a further task after the outcomes of trials of other tasks.

    Each task has a level of its own, and what tasks share is that of all of them.

    Args:
        belief: What was believed before.
        features: Of the trials, `(n, coefficients)`.
        has_failed: Shape `(n,)`.
        tasks: The task of each trial.
    """
    names = sorted(set(tasks))
    own = np.array([[task == name for name in names] for task in tasks], dtype=np.float64)
    size = len(belief.mean)
    covariance = np.diag(np.full(size + len(names), TASK_LEVEL_DEVIATION**2))
    covariance[:size, :size] = belief.covariance
    wide = Belief(np.r_[belief.mean, np.zeros(len(names))], covariance)
    found, _ = learn(wide, np.hstack([features, own]), has_failed)
    return Belief(found.mean[:size], found.covariance[:size, :size]).for_another_task()

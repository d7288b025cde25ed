"""Acquisition: expected improvement for one objective, of the hypervolume for two.

All values are losses. It ranks candidates; it is no measure of results.

Sources: Jones et al. 1998, "Efficient global optimization of expensive black-box functions",
equation 15 (expected improvement); Ament et al. 2023, "Unexpected improvements to expected
improvement", section 4.1 (its logarithm); Emmerich et al. 2016, "A multicriteria generalization of
Bayesian global optimization" (exact for two objectives); Knowles 2006, "ParEGO" (more than two);
Gardner et al. 2014, "Bayesian optimization with inequality constraints"; Letham et al. 2019,
"Constrained Bayesian optimization with noisy experiments", and Daulton et al. 2021, "Parallel
Bayesian optimization of multiple noisy objectives" (the trials' own values are uncertain).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfcx, log_ndtr, ndtr

from search.objectives import pareto

Floats = NDArray[np.float64]

# The reference point of the hypervolume lies so far beyond the worst score of the trials.
REFERENCE_MARGIN = 0.1
# Samples of the scalarised posterior of three or more objectives. Adding 5 % of the sum keeps the
# Chebyshev norm from rewarding points that are only weakly optimal (Knowles 2006, section 3).
SAMPLES = 64
SUM_SHARE = 0.05


@dataclass(frozen=True, eq=False)
class Draws:
    """Draws of the true values of the trials, and predictions at the candidates given each.

    Attributes:
        known: Shape `(draws, n, objectives)`.
        means: Shape `(draws, candidates, objectives)`.
        variances: Shape `(candidates, objectives)`.
    """

    known: Floats
    means: Floats
    variances: Floats


@dataclass(frozen=True, eq=False)
class Predicted:
    """Predictions of the models, at the candidates and at the trials.

    Attributes:
        means: Shape `(candidates, columns)`: the objectives, then the constraints.
        variances: The same.
        known: Means at the trials, `(n, columns)`. Running trials count with their predicted
            values, so that their neighbours promise no improvement over them.
        ceilings: The largest feasible value of each constraint.
        is_feasible: Which of the trials keep all constraints, `(n,)`.
        difference_variances: With one objective, of each candidate's value less that of the trial
            that is predicted to be best, `(candidates,)`. None: the trials' values count as known.
        draws: With two objectives. None: the same.
    """

    means: Floats
    variances: Floats
    known: Floats
    ceilings: Floats
    is_feasible: NDArray[np.bool_]
    difference_variances: Floats | None = None
    draws: Draws | None = None

    def improvement(self, rows: slice | list[int] = slice(None)) -> tuple[Floats, Floats, float]:
        """Returns what the improvement of one objective depends on, at some candidates.

        These are their means, the variances of their difference from the best trial, and its mean.
        A candidate near the best trial shares its uncertainty, so the difference has little and
        promises nothing; by its own variance it would be measured again and again under noise.
        """
        variances = self.variances[:, 0]
        if self.difference_variances is not None:
            variances = self.difference_variances
        return self.means[rows, 0], variances[rows], float(self.known[self.is_feasible, 0].min())


def log_acquisition_value(predicted: Predicted, generator: np.random.Generator) -> Floats:
    """Returns the logarithm of each candidate's acquisition value, `(candidates,)`.

    Larger is better, -inf is nothing. Under constraints it is the improvement over the feasible
    trials times the probability of being feasible; that probability alone while no trial is
    feasible. Its scale depends on the number of objectives, so it compares candidates of one call
    only.

    Args:
        predicted: Predictions of the models.
        generator: Draws the scalarisation of three or more objectives.
    """
    count = predicted.means.shape[1] - len(predicted.ceilings)
    slack = predicted.ceilings - predicted.means[:, count:]
    log_feasible = log_ndtr(slack / np.sqrt(predicted.variances[:, count:])).sum(axis=1)
    if not predicted.is_feasible.any():
        return np.asarray(log_feasible)
    if count == 1:
        return np.asarray(log_expected_improvement(*predicted.improvement()) + log_feasible)
    feasible = predicted.is_feasible
    if count == 2:
        improvement = np.mean([
            expected_hypervolume_improvement(
                means, variances, known[feasible], known.max(axis=0) + REFERENCE_MARGIN
            )
            for known, means, variances in _drawn(predicted)
        ], axis=0)  # fmt: skip
    else:
        means, variances = predicted.means[:, :count], predicted.variances[:, :count]
        known = predicted.known[feasible, :count]
        improvement = expected_scalar_improvement(means, variances, known, generator)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(improvement) + log_feasible)


def _drawn(predicted: Predicted) -> Iterator[tuple[Floats, Floats, Floats]]:
    """Yields values of the trials and predictions given these, of two objectives."""
    draws = predicted.draws
    if draws is None:
        yield predicted.known[:, :2], predicted.means[:, :2], predicted.variances[:, :2]
        return
    for known, means in zip(draws.known, draws.means, strict=True):
        yield known, means, draws.variances


def log_expected_improvement(means: Floats, variances: Floats, best: float) -> Floats:
    """Returns log E[max(best - f, 0)], `(candidates,)`; finite for every candidate."""
    spreads = np.sqrt(variances)
    ahead = (best - means) / spreads
    result = np.empty_like(ahead)
    near = ahead > -1.0
    z = ahead[near]
    result[near] = np.log(np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi) + z * ndtr(z))
    z = ahead[~near]
    # phi(z) + z * Phi(z) = phi(z) * (1 - |z| * mills ratio); far out that is phi(z) / z^2.
    rest = 1.0 - np.sqrt(np.pi / 2.0) * erfcx(-z / np.sqrt(2.0)) * np.abs(z)
    floor = 0.5 / np.maximum(z**2, 1.0)
    rest = np.where(z < -1e3, 2.0 * floor, np.maximum(rest, 1e-3 * floor))
    result[~near] = -0.5 * z**2 - 0.5 * np.log(2.0 * np.pi) + np.log(rest)
    return result + np.log(spreads)


def expected_hypervolume_improvement(
    means: Floats, variances: Floats, known: Floats, reference: Floats
) -> Floats:
    """Returns the expected gain of dominated hypervolume, `(candidates,)`.

    The front cuts the plane into strips. The two objectives are independent, so the gain in a strip
    is a product of two expected improvements.

    Args:
        means: Shape `(candidates, 2)`.
        variances: The same.
        known: Losses so far, `(n, 2)`.
        reference: Shape `(2,)`, worse than anything of interest.
    """
    inside = known[(known < reference).all(axis=1)]
    front = np.unique(inside[pareto.front(inside)], axis=0) if len(inside) else inside
    edges = np.r_[front[:, 0], reference[0]]  # right ends of the strips
    heights = np.r_[reference[1], front[:, 1]]
    spreads = np.sqrt(variances)
    across = _improvement(edges[None, :], means[:, :1], spreads[:, :1])
    widths = np.diff(across, axis=1, prepend=0.0)
    below = _improvement(heights[None, :], means[:, 1:], spreads[:, 1:])
    return np.asarray((widths * below).sum(axis=1))


def expected_scalar_improvement(
    means: Floats, variances: Floats, known: Floats, generator: np.random.Generator
) -> Floats:
    """Returns the expected improvement of a random scalarisation, `(candidates,)`."""
    weights = generator.dirichlet(np.ones(means.shape[1]))
    lowest = known.min(axis=0)
    draws = generator.standard_normal((SAMPLES, 1, means.shape[1]))
    sampled = _scalar(means + np.sqrt(variances) * draws - lowest, weights)
    best = _scalar(known - lowest, weights).min()
    return np.asarray(np.maximum(best - sampled, 0.0).mean(axis=0))


def _scalar(losses: Floats, weights: Floats) -> Floats:
    weighted = losses * weights
    return np.asarray(weighted.max(axis=-1) + SUM_SHARE * weighted.sum(axis=-1))


def _improvement(bound: Floats, means: Floats, spreads: Floats) -> Floats:
    """Returns E[max(bound - f, 0)], broadcast."""
    z = (bound - means) / spreads
    density = np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi)
    return np.asarray(spreads * (density + z * ndtr(z)))

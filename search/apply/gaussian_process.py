"""A Gaussian process for a few hundred trials: a Matérn kernel plus linear features.

The covariance of two trials is `matern(x, x') + sum_b weight_b * features_b(x) . features_b(x')`:
the first part makes near configurations alike, the others are linear in given features, here the
predictions of earlier tasks. The parameters are given; `gp_fit.py` fits them. Written out because a
proposal should take less than a tenth of a second: for 100 trials of five hyperparameters
scikit-learn's fit, without the linear parts, took 110 ms and this one 6 ms.

Sources: Rasmussen and Williams 2006, "Gaussian processes for machine learning", sections 2.2, 2.7
(linear features) and 5.4.2 (leave-one-out).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, solve_triangular

Floats = NDArray[np.float64]

# Keeps a covariance of repeated configurations positive definite.
JITTER = 1e-6
# Variance of drawn values around the function, as a share of its own: draws at points that nearly
# coincide must not bend the function between them.
_NUGGET = 1e-4
# Rounding leaves a variance near 0 now and then below it.
_LEAST_VARIANCE = 1e-10


@dataclass(frozen=True)
class Process:
    """A process of known parameters; see `assemble`, and `gp_fit.fit`.

    Attributes:
        points: Shape `(n, columns)`.
        groups: Column -> its lengthscale.
        blocks: Features of the points, each `(n, any)`.
        parameters: Logarithms, in the order of `gp_fit.Prior.means`.
        offset: The mean of the process, which was subtracted from the values.
        evidence: Log posterior of the parameters, up to a constant that depends on the number of
            values.
        factor: Lower Cholesky factor of the covariance with noise, `(n, n)`.
        solved: The inverse of that covariance times the values without the offset, `(n,)`.
        variances: Of each value in addition to the noise, `(n,)`: 0 where it was measured.
    """

    points: Floats
    groups: NDArray[np.int64]
    blocks: tuple[Floats, ...]
    parameters: Floats
    offset: float
    evidence: float
    factor: Floats
    solved: Floats
    variances: Floats

    @property
    def noise(self) -> float:
        """Variance of the noise."""
        return float(np.exp(self.parameters[self._lengths + 1]))

    @property
    def block_weights(self) -> Floats:
        """Variance of the coefficients of each block."""
        weights: Floats = np.exp(self.parameters[self._lengths + 2 :])
        return weights

    @property
    def _lengths(self) -> int:
        return int(self.groups.max(initial=-1)) + 1

    def predict(self, points: Floats, blocks: Sequence[Floats] = ()) -> tuple[Floats, Floats]:
        """Returns mean and variance of the function, without noise, each `(m,)`."""
        cross, known = self._given_values(points, blocks)
        variance = self._prior_variance(blocks) - (known**2).sum(axis=0)
        return self.offset + cross @ self.solved, np.maximum(variance, _LEAST_VARIANCE)

    def difference_variance(self, points: Floats, blocks: Sequence[Floats], row: int) -> Floats:
        """Returns the variance of f(points) - f(one of the own points), without noise, `(m,)`.

        Args:
            points: Shape `(m, columns)`.
            blocks: Features of the points.
            row: Which own point.
        """
        held = [block[[row]] for block in self.blocks]
        cross, known = self._given_values(points, blocks)
        there, known_there = self._given_values(self.points[[row]], held)
        prior = self._prior_variance(blocks) + there[0, row] - 2.0 * cross[:, row]
        taken = ((known - known_there) ** 2).sum(axis=0)
        return np.asarray(np.maximum(prior - taken, _LEAST_VARIANCE))

    def sampled(
        self, points: Floats, blocks: Sequence[Floats], draws: Floats
    ) -> tuple[Floats, Floats, Floats]:
        """Returns draws of the function at the own points, and what points are given each of them.

        Args:
            points: Shape `(m, columns)`.
            blocks: Features of the points.
            draws: Standard normal numbers, `(draws, n)`.

        Returns:
            The function's values at the own points, `(draws, n)`; its means at the points given
            these, `(draws, m)`; and its variances there, which no value changes, `(m,)`.
        """
        prior = self._covariance(self.points, self.blocks)
        cross = self._covariance(points, blocks)
        nugget = _NUGGET * np.exp(self.parameters[self._lengths]) * np.eye(len(prior))
        known = solve_triangular(self.factor, prior, lower=True, check_finite=False)
        root = np.linalg.cholesky(prior - known.T @ known + nugget)
        values = self.offset + prior @ self.solved + draws @ root.T
        factor = np.linalg.cholesky(prior + nugget)
        solved = cho_solve((factor, True), (values - self.offset).T, check_finite=False)
        taken = solve_triangular(factor, cross.T, lower=True, check_finite=False)
        variance = self._prior_variance(blocks) - (taken**2).sum(axis=0)
        means = self.offset + (cross @ solved).T
        return values, means, np.maximum(variance, _LEAST_VARIANCE)

    def _given_values(self, points: Floats, blocks: Sequence[Floats]) -> tuple[Floats, Floats]:
        """Returns covariances with the own points, `(m, n)`, and those over the factor, `(n, m)`.

        Products of the latter are what the values take off a covariance between two points.
        """
        cross = self._covariance(points, blocks)
        return cross, solve_triangular(self.factor, cross.T, lower=True, check_finite=False)

    def _prior_variance(self, blocks: Sequence[Floats]) -> Floats:
        """Returns the variance before any value: a number, or `(m,)` if there are features."""
        signal = np.exp(self.parameters[self._lengths])
        return np.asarray(signal + sum(
            weight * (block**2).sum(axis=1)
            for weight, block in zip(self.block_weights, blocks, strict=True)
        ))  # fmt: skip

    def mean(self, points: Floats, blocks: Sequence[Floats] = ()) -> Floats:
        """Returns the mean alone."""
        return np.asarray(self.offset + self._covariance(points, blocks) @ self.solved)

    def coefficients(self, block: int) -> Floats:
        """Returns the posterior mean of a block's coefficients, `(features,)`."""
        return np.asarray(self.block_weights[block] * (self.blocks[block].T @ self.solved))

    def left_out_means(self) -> Floats:
        """Returns the leave-one-out prediction at each point, `(n,)`."""
        inverse = cho_solve((self.factor, True), np.eye(len(self.points)), check_finite=False)
        values = self.factor @ (self.factor.T @ self.solved)
        return np.asarray(self.offset + values - self.solved / np.diag(inverse))

    def fantasize(self, points: Floats, blocks: Sequence[Floats] = ()) -> Process:
        """Returns the process given its own predictions as values at the points.

        Running trials lower the variance around them, so other proposals go elsewhere (the kriging
        believer of Ginsbourger et al. 2010).
        """
        if not len(points):
            return self
        fantasies = self.mean(points, blocks)
        values = self.factor @ (self.factor.T @ self.solved) + self.offset
        return assemble(
            np.vstack([self.points, points]), np.r_[values, fantasies], self.groups,
            [np.vstack(pair) for pair in zip(self.blocks, blocks, strict=True)],
            self.parameters, self.offset, self.evidence,
            np.r_[self.variances, np.zeros(len(points))],
        )  # fmt: skip

    def _covariance(self, points: Floats, blocks: Sequence[Floats]) -> Floats:
        lengths = np.exp(self.parameters[: self._lengths])[self.groups]
        cross = matern(points / lengths, self.points / lengths)
        cross *= np.exp(self.parameters[self._lengths])
        for weight, block, own in zip(self.block_weights, blocks, self.blocks, strict=True):
            cross += weight * (block @ own.T)
        return cross


def matern(first: Floats, second: Floats) -> Floats:
    """Returns the Matérn-5/2 correlation between points already divided by lengthscales."""
    # In place: fresh arrays of this size cost more than the arithmetic, and a proposal computes one
    # for each past task and objective.
    distance = (first**2).sum(axis=1)[:, None] + (second**2).sum(axis=1)[None, :]
    work = first @ second.T
    work *= 2.0
    distance -= work
    np.maximum(distance, 0.0, out=distance)
    distance *= 5.0
    np.sqrt(distance, out=distance)
    result = np.add(distance, 1.0, out=work)  # then 1 + d + d^2 / 3, times exp(-d)
    square = distance**2
    square /= 3.0
    result += square
    np.negative(distance, out=distance)
    np.exp(distance, out=distance)
    result *= distance
    return np.asarray(result)


def assemble(
    points: Floats,
    values: Floats,
    groups: NDArray[np.int64],
    blocks: Sequence[Floats],
    parameters: Floats,
    offset: float,
    evidence: float = np.nan,
    variances: Floats | None = None,
) -> Process:
    """Returns the process of given parameters; see `Process` and `gp_fit.fit`.

    A value that is predicted, not measured, has a variance of its own; None is 0 for all.

    Raises:
        ValueError: A value or a point is not finite.
    """
    own = np.zeros(len(points)) if variances is None else variances
    process = Process(
        points, groups, tuple(blocks), parameters, offset, evidence, np.empty((0, 0)), np.empty(0),
        own,
    )  # fmt: skip
    covariance = process._covariance(points, blocks)
    covariance[np.diag_indices_from(covariance)] += process.noise + own + JITTER
    factor = _factor(covariance)
    solved = cho_solve((factor, True), values - offset, check_finite=False)
    return replace(process, factor=factor, solved=np.asarray(solved))


def _factor(covariance: Floats) -> Floats:
    """Returns the lower Cholesky factor; the diagonal grows until there is one."""
    for growth in (0.0, 1e-4, 1e-2, 1.0):
        try:
            grown = covariance + growth * np.diag(np.diag(covariance))
            factor = np.asarray(np.linalg.cholesky(grown), dtype=np.float64)
        except np.linalg.LinAlgError:
            continue
        if np.isfinite(factor).all():  # some LAPACKs let NaN through
            return factor
    raise ValueError("the covariance of the trials is not finite: a value or a point is not finite")

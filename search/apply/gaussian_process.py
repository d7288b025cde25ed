"""A Gaussian process for a few hundred trials: a Matérn kernel, and functions it may lean on.

The covariance of two trials is `matern(x, x') + sum_b weight_b * features_b(x) . features_b(x')`:
the first part knows that near configurations do alike, the others are linear in given features,
here what earlier tasks predict. Its parameters are given; `gp_fit.py` fits them. Written out
because a proposal should cost less than a tenth of a second: for 100 trials of five hyperparameters
scikit-learn's fit, without the linear parts, took 110 ms and this one 6 ms.

Sources: Rasmussen and Williams 2006, "Gaussian processes for machine learning", sections 2.2, 2.7
(linear features) and 5.4.2 (leave-one-out).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, solve_triangular

Floats = NDArray[np.float64]

# Keeps a covariance of repeated configurations positive definite.
JITTER = 1e-6


@dataclass(frozen=True)
class Process:
    """A process of known parameters; see `assemble`, and `process_fit.fit`.

    Attributes:
        points: Shape `(n, columns)`.
        groups: Column -> its lengthscale.
        blocks: Features of the points, each `(n, any)`.
        parameters: Logarithms, in the order of `process_fit.Prior.means`.
        offset: What was subtracted from the values.
        evidence: Log posterior of the parameters, up to a constant of the number of values.
    """

    points: Floats
    groups: NDArray[np.int64]
    blocks: tuple[Floats, ...]
    parameters: Floats
    offset: float
    evidence: float
    factor: Floats
    solved: Floats

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
        """Mean and variance of the function, without noise, each `(m,)`."""
        cross = self._covariance(points, blocks)
        signal = np.exp(self.parameters[self._lengths])
        own = signal + sum(
            weight * (block**2).sum(axis=1)
            for weight, block in zip(self.block_weights, blocks, strict=True)
        )
        known = solve_triangular(self.factor, cross.T, lower=True, check_finite=False)
        variance = np.maximum(own - (known**2).sum(axis=0), 1e-10)
        return self.offset + cross @ self.solved, variance

    def mean(self, points: Floats, blocks: Sequence[Floats] = ()) -> Floats:
        """The mean alone."""
        return np.asarray(self.offset + self._covariance(points, blocks) @ self.solved)

    def coefficients(self, block: int) -> Floats:
        """Posterior mean of a block's coefficients, `(features,)`."""
        return np.asarray(self.block_weights[block] * (self.blocks[block].T @ self.solved))

    def left_out_means(self) -> Floats:
        """What the process would predict at each point without its value, `(n,)`."""
        inverse = cho_solve((self.factor, True), np.eye(len(self.points)), check_finite=False)
        values = self.factor @ (self.factor.T @ self.solved)
        return np.asarray(self.offset + values - self.solved / np.diag(inverse))

    def fantasize(self, points: Floats, blocks: Sequence[Floats] = ()) -> Process:
        """The process after values equal to its own predictions were seen at the points.

        Trials under way lower the variance around them, so others go elsewhere (the kriging
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
        )  # fmt: skip

    def _covariance(self, points: Floats, blocks: Sequence[Floats]) -> Floats:
        lengths = np.exp(self.parameters[: self._lengths])[self.groups]
        cross = matern(points / lengths, self.points / lengths)
        cross *= np.exp(self.parameters[self._lengths])
        for weight, block, own in zip(self.block_weights, blocks, self.blocks, strict=True):
            cross += weight * (block @ own.T)
        return cross


def matern(first: Floats, second: Floats) -> Floats:
    """Matérn correlation of smoothness 5/2 between points already divided by lengthscales."""
    squares = (first**2).sum(axis=1)[:, None] + (second**2).sum(axis=1)[None, :]
    squares -= 2.0 * (first @ second.T)
    distance = np.sqrt(5.0 * np.maximum(squares, 0.0))
    return np.asarray((1.0 + distance + distance**2 / 3.0) * np.exp(-distance))


def assemble(
    points: Floats,
    values: Floats,
    groups: NDArray[np.int64],
    blocks: Sequence[Floats],
    parameters: Floats,
    offset: float,
    evidence: float = np.nan,
) -> Process:
    """The process of known parameters."""
    empty = np.empty((0, 0))
    process = Process(
        points, groups, tuple(blocks), parameters, offset, evidence, empty, np.empty(0)
    )
    covariance = process._covariance(points, blocks)
    covariance[np.diag_indices_from(covariance)] += process.noise + JITTER
    factor = _factor(covariance)
    solved = cho_solve((factor, True), values - offset, check_finite=False)
    return Process(
        points, groups, tuple(blocks), parameters, offset, evidence, factor, np.asarray(solved)
    )


def _factor(covariance: Floats) -> Floats:
    """The Cholesky factor; the diagonal grows until there is one, for points all but equal."""
    for growth in (0.0, 1e-4, 1e-2, 1.0):
        try:
            grown = covariance + growth * np.diag(np.diag(covariance))
            factor = np.asarray(np.linalg.cholesky(grown), dtype=np.float64)
        except np.linalg.LinAlgError:
            continue
        if np.isfinite(factor).all():  # some LAPACKs let NaN through
            return factor
    raise ValueError("a covariance of trials is not finite: some value of theirs is not")

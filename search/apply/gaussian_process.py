"""A Gaussian process for a few hundred trials: a Matérn kernel, and functions it may lean on.

The covariance of two trials is `matern(x, x') + sum_b weight_b * features_b(x) . features_b(x')`:
the first part knows that near configurations do alike, the others are linear in given features,
here what earlier tasks predict. Parameters are fitted to the maximum of their posterior. Written
out because a proposal should cost less than a tenth of a second: for 100 trials of five
hyperparameters scikit-learn's fit, without the linear parts, took 110 ms and this one 6 ms.

Sources: Rasmussen and Williams 2006, "Gaussian processes for machine learning", sections 2.2, 2.7
(linear features), 5.4.1 (gradients) and 5.4.2 (leave-one-out); Hvarfner et al. 2024, "Vanilla
Bayesian optimization performs great in high dimensions" (lengthscales that grow with dimension).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, solve_triangular
from scipy.optimize import minimize

Floats = NDArray[np.float64]

# Keeps a covariance of repeated configurations positive definite.
JITTER = 1e-6
# Steps of the optimizer: judgement, few enough for a fit of 100 trials to take milliseconds.
STEPS = 25
_SPREAD_BOUND = 5.0  # parameters stay within so many standard deviations of their prior


@dataclass(frozen=True)
class Prior:
    """A normal prior on the logarithms of the parameters.

    Attributes:
        means: Lengthscales (one a group), signal variance, noise variance, a weight a block.
        spreads: Their standard deviations.
    """

    means: Floats
    spreads: Floats


def usual_prior(groups: int, blocks: int = 0) -> Prior:
    """For values of about unit variance: smooth, little noise, one block counts like the kernel."""
    length = np.log(0.5) + 0.5 * np.log(max(groups, 1))
    means = [*[length] * groups, 0.0, np.log(0.01), *[-1.0] * blocks]
    spreads = [*[1.0] * groups, 1.0, 1.5, *[1.5] * blocks]
    return Prior(np.array(means), np.array(spreads))


@dataclass(frozen=True)
class Process:
    """A fitted process; see `fit`.

    Attributes:
        points: Shape `(n, columns)`.
        groups: Column -> its lengthscale.
        blocks: Features of the points, each `(n, any)`.
        parameters: Logarithms, in the order of `Prior.means`.
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

    def believing(self, points: Floats, blocks: Sequence[Floats] = ()) -> Process:
        """The process after values equal to its own predictions were seen at the points.

        Trials under way lower the variance around them, so others go elsewhere (the kriging
        believer of Ginsbourger et al. 2010).
        """
        if not len(points):
            return self
        believed = self.mean(points, blocks)
        values = self.factor @ (self.factor.T @ self.solved) + self.offset
        return assemble(
            np.vstack([self.points, points]), np.r_[values, believed], self.groups,
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


def fit(
    points: Floats,
    values: Floats,
    groups: NDArray[np.int64],
    prior: Prior,
    blocks: Sequence[Floats] = (),
    *,
    offset: float | None = None,
    steps: int = STEPS,
) -> Process:
    """The process whose parameters are most probable.

    Args:
        points: Shape `(n, columns)`, n at least 1.
        values: Shape `(n,)`, finite, of about unit variance.
        groups: Column -> its lengthscale, numbered from 0.
        prior: Of the parameters; its means are where the optimizer starts.
        blocks: Features, each `(n, any)`.
        offset: The mean of the process; the mean of the values if None.
        steps: Of L-BFGS; 0 keeps the prior's means.
    """
    shift = float(values.mean()) if offset is None else offset
    posterior = _Posterior(points, values - shift, groups, prior, blocks)
    best, cost = prior.means, 0.0
    if steps:
        reach = _SPREAD_BOUND * prior.spreads
        bounds = list(zip(prior.means - reach, prior.means + reach, strict=True))
        found = minimize(
            posterior, prior.means, jac=True, method="L-BFGS-B", bounds=bounds,
            options={"maxiter": steps},
        )  # fmt: skip
        best, cost = found.x, float(found.fun)
    else:
        cost = posterior(best)[0]
    return assemble(points, values, groups, blocks, best, shift, -cost)


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


class _Posterior:
    """Negative log posterior of the parameters and its gradient; equation 5.9 of the book."""

    def __init__(
        self,
        points: Floats,
        values: Floats,
        groups: NDArray[np.int64],
        prior: Prior,
        blocks: Sequence[Floats],
    ) -> None:
        self._values, self._prior = values, prior
        lengths = int(groups.max(initial=-1)) + 1
        # (groups, n * n): squared distances along each hyperparameter
        gaps = np.zeros((lengths, len(points), len(points)))
        for column, group in enumerate(groups):
            gaps[group] += (points[:, column, None] - points[None, :, column]) ** 2
        self._gaps = gaps.reshape(lengths, -1)
        self._products = [block @ block.T for block in blocks]

    def __call__(self, parameters: Floats) -> tuple[float, Floats]:
        n, lengths = len(self._values), len(self._gaps)
        inverse_squares = np.exp(-2.0 * parameters[:lengths])
        signal, noise = np.exp(parameters[lengths : lengths + 2])
        weights = np.exp(parameters[lengths + 2 :])
        distance = np.sqrt(5.0 * (inverse_squares @ self._gaps)).reshape(n, n)
        decay = np.exp(-distance)
        kernel = (1.0 + distance + distance**2 / 3.0) * decay
        covariance = signal * kernel
        for weight, product in zip(weights, self._products, strict=True):
            covariance += weight * product
        covariance[np.diag_indices(n)] += noise + JITTER
        away = (parameters - self._prior.means) / self._prior.spreads
        try:
            factor = np.linalg.cholesky(covariance)
        except np.linalg.LinAlgError:  # a wild step of the optimizer: it turns back
            return 1e10, np.zeros_like(parameters)
        inverse = cho_solve((factor, True), np.eye(n), check_finite=False)
        solved = inverse @ self._values
        cost = 0.5 * self._values @ solved + np.log(np.diag(factor)).sum() + 0.5 * (away**2).sum()
        pull = inverse - np.outer(solved, solved)
        steep = (5.0 / 6.0) * signal * (1.0 + distance) * decay * pull
        gradient = np.concatenate(
            [
                (self._gaps @ steep.reshape(-1)) * inverse_squares,
                [0.5 * signal * (pull * kernel).sum(), 0.5 * noise * np.trace(pull)],
                [
                    0.5 * weight * (pull * product).sum()
                    for weight, product in zip(weights, self._products, strict=True)
                ],
            ]
        )
        return float(cost), gradient + away / self._prior.spreads

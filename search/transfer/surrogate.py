"""A stand-in for training: what a search's own trials leave possible, as a Gaussian process.

The process's mean would be a poor stand-in: it is flat where nothing was tried, so no better
optimum could be there. A function *drawn* from the process may have one, as often as the trials
leave room for it. Not for proposing trials, that is `apply/`.

Source: Rasmussen and Williams 2006, "Gaussian processes for machine learning": section 2.2 for
draws, eq. 5.10 to 5.12 for what each trial would be predicted to be without that trial.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from search.encoding import encode
from search.space import SearchSpace, Value

Floats = NDArray[np.float64]

# A fit takes the cube of the trials.
MOST_TRIALS = 150
# Added to the variance of what was drawn, so that a point drawn twice can be solved for.
JITTER = 1e-8


@dataclass(frozen=True)
class Process:
    """One objective's process, over losses with mean 0 and variance 1.

    Attributes:
        kernel: Covariance of two sets of points, noise left out.
        noise: Variance of one trial about the function.
        points: Shape `(n, columns)`.
        values: Shape `(n,)`.
        center: Mean of the losses as they were.
        scale: Their standard deviation.
    """

    kernel: Any
    noise: float
    points: Floats
    values: Floats
    center: float
    scale: float

    def left_out(self) -> Floats:
        """Each trial's loss as predicted from the other trials, shape `(n,)`."""
        covariance = self.kernel(self.points) + (self.noise + JITTER) * np.eye(len(self.points))
        precision = np.linalg.inv(covariance)
        predicted = self.values - (precision @ self.values) / np.diag(precision)
        return np.asarray(self.center + self.scale * predicted)


@dataclass(frozen=True)
class Surrogate:
    """A process for each objective, fitted to the same trials.

    Attributes:
        used: Places of the trials that were fitted to.
        noise: Shape `(objectives,)`: standard deviation of one trial's losses about the function.
    """

    space: SearchSpace
    processes: tuple[Process, ...]
    used: NDArray[np.int64]
    noise: Floats


def fit_surrogate(
    space: SearchSpace, configurations: Sequence[Mapping[str, Value]], losses: Floats
) -> Surrogate:
    """Fits a process to each objective.

    Args:
        space: Of the configurations.
        configurations: n of them, at least two; of many, `MOST_TRIALS` spread evenly are used.
        losses: Shape `(n, objectives)`, finite.
    """
    count = len(configurations)
    used = np.unique(np.linspace(0, count - 1, min(count, MOST_TRIALS)).round().astype(np.int64))
    points = encode(space, [configurations[index] for index in used])
    processes = tuple(_fitted(points, column) for column in losses[used].T)
    noise = [process.scale * np.sqrt(process.noise) for process in processes]
    return Surrogate(space, processes, used, np.array(noise))


class DrawnFunction:
    """One function drawn from a surrogate, a value at a time where it is asked for.

    What was drawn is an observation of what comes after it, so all values belong to one function.
    """

    def __init__(self, surrogate: Surrogate, generator: np.random.Generator) -> None:
        self._space = surrogate.space
        self._draws = [_Draw(process, generator) for process in surrogate.processes]

    def at(self, configuration: Mapping[str, Value]) -> Floats:
        """The losses there without noise, shape `(objectives,)`."""
        point = encode(self._space, [configuration])
        return np.array([draw.at(point) for draw in self._draws])


class _Draw:
    """A drawn function of one objective: a Cholesky factor that grows by a row a value."""

    def __init__(self, process: Process, generator: np.random.Generator) -> None:
        self._process, self._generator = process, generator
        self._points = process.points
        noise = (process.noise + JITTER) * np.eye(len(process.points))
        self._factor = np.linalg.cholesky(process.kernel(process.points) + noise)
        self._weights = solve_triangular(self._factor, process.values, lower=True)

    def at(self, point: Floats) -> float:
        shared = self._process.kernel(self._points, point)[:, 0]
        solved = solve_triangular(self._factor, shared, lower=True, check_finite=False)
        variance = max(float(self._process.kernel(point)[0, 0] - solved @ solved), 0.0)
        deviation = np.sqrt(variance) * self._generator.standard_normal()
        value = float(solved @ self._weights + deviation)
        last = np.sqrt(variance + JITTER)
        above = np.zeros((len(self._factor), 1))
        self._factor = np.block([[self._factor, above], [solved[None, :], np.array([[last]])]])
        self._weights = np.append(self._weights, deviation / last)
        self._points = np.vstack([self._points, point])
        return self._process.center + self._process.scale * value


def _fitted(points: Floats, column: Floats) -> Process:
    """A length for each column (automatic relevance determination).

    One length for all makes every hyperparameter matter: drawn functions then have better optima
    than the task, and cold searches find them (results/LOG.md, 2026-11-24).
    """
    center, scale = float(column.mean()), float(column.std()) or 1.0
    values = (column - center) / scale
    kernel = ConstantKernel(1.0, (1e-2, 1e2)) * Matern(
        np.ones(points.shape[1]), (0.1, 10.0), nu=2.5
    )
    kernel += WhiteKernel(0.1, (1e-4, 1.0))
    regressor = GaussianProcessRegressor(kernel, random_state=0)
    with warnings.catch_warnings():
        # A parameter at its bound is a flat or a noiseless objective, which is a legal answer.
        warnings.simplefilter("ignore", ConvergenceWarning)
        regressor.fit(points, values)
    found = regressor.kernel_
    return Process(found.k1, float(found.k2.noise_level), points, values, center, scale)

"""Cost model: what it costs to train a configuration to its end, learned from all trials.

The logarithm of a trial's cost is a level of its search plus a quadratic function of the encoded
configuration, which all searches share: what makes a training twice as long does so on most tasks,
while data and machines differ by constant factors. So searches count alike in FLOP and in seconds.
A trial that was stopped early is scaled to the longest training of its search. Not for the price of
a proposal (`search/apply/price.py`) nor for the time of a whole search.

Sources: Snoek, Larochelle, Adams 2012, "Practical Bayesian optimization of machine learning
algorithms", section 3.2 (log cost as a function of the configuration); Lee et al. 2020, "Cost-aware
Bayesian optimization", section 4 (a linear model of low variance instead of a process).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from search.history import Trial
from search.objectives.objective import is_measured
from search.space import SearchSpace
from search.space.encoding import encode

Floats = NDArray[np.float64]

# Variance of a coefficient relative to that of the noise: positions lie in [-1, 1], so a cost that
# changes by less than its noise over the whole range is nearly constant in the model.
RIDGE = 1.0
# With more encoded columns the products of two would outnumber the trials of most histories.
CROSSED_AT_MOST = 25
# Less time is not that of a training but of the machine: it would make proposals random.
LEAST_SECONDS = 0.1
# The error is that of so many trials: the newest searches of a long history tell it well enough.
ERRORS_OF = 200
# A model needs some costs to tell the configuration's part from noise.
FEWEST_COSTS = 4


@dataclass(frozen=True, eq=False)
class Costs:
    """The known costs of trials.

    Attributes:
        points: Encoded configurations, `(n, columns)`.
        logs: Natural logarithms of the cost of a full training, `(n,)`.
        searches: The index of each one's search, `(n,)`.
        units: The unit of each search, "work" (FLOP) or "seconds".
        tasks: The task of each search.
    """

    points: Floats
    logs: Floats
    searches: NDArray[np.intp]
    units: tuple[str, ...]
    tasks: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.logs)

    @cached_property
    def sums(self) -> tuple[Floats, Floats]:
        """The normal equations of all searches, each centred: `X'X` and `X'y`."""
        features = _features(self.points)
        square, product = np.zeros((features.shape[1],) * 2), np.zeros(features.shape[1])
        for search in np.unique(self.searches):
            rows = self.searches == search
            centred = features[rows] - features[rows].mean(axis=0)
            square += centred.T @ centred
            product += centred.T @ (self.logs[rows] - self.logs[rows].mean())
        return square, product

    @cached_property
    def centres(self) -> dict[int, tuple[float, Floats]]:
        """Search -> the means of its logarithms and of its features."""
        features = _features(self.points)
        return {
            search: (float(self.logs[rows].mean()), features[rows].mean(axis=0))
            for search in np.unique(self.searches).tolist()
            for rows in [self.searches == search]
        }


class UsualLevel(NamedTuple):
    """The mean level of past tasks, and in what distance of it a new one is in 19 of 20 cases."""

    mean: float
    within: float
    unit: str


@dataclass(frozen=True, eq=False)
class CostModel:
    """Predicts the cost of a full training.

    Attributes:
        coefficients: Of the features, `(features,)`.
        level: What is added for this task; NaN if none of its trials has a known cost.
        unit: "work" (FLOP) or "seconds", of this task.
        error: Standard deviation of the logarithm on trials that were left out.
        trials: The number of trials that it was learned from.
        usual: What past tasks say of the level of a new one.
    """

    coefficients: Floats
    level: float
    unit: str
    error: float
    trials: int
    usual: UsualLevel | None = None

    def log_cost(self, points: Floats) -> Floats:
        """Return the logarithm of the cost of encoded configurations, `(points,)`.

        Without a known level only differences mean anything.
        """
        level = 0.0 if np.isnan(self.level) else self.level
        return np.asarray(_features(points) @ self.coefficients + level)


def costs_of(trials: Sequence[Trial], space: SearchSpace) -> Costs:
    """Return the known costs of complete and stopped trials of any searches.

    One beyond `search.objectives.objective.LARGEST` is an error of its store, and is left out.
    """
    by_search: dict[str, list[Trial]] = {}
    for trial in trials:
        if trial.state in ("complete", "stopped") and trial.configuration:
            by_search.setdefault(trial.search, []).append(trial)
    kept: list[Trial] = []
    logs: list[float] = []
    searches: list[int] = []
    units: list[str] = []
    tasks: list[str] = []
    for members in by_search.values():
        unit = "work" if all(trial.work > 0 for trial in members) else "seconds"
        longest = max(trial.epoch for trial in members)
        least = 0 if unit == "work" else LEAST_SECONDS
        scaled = [
            (trial, getattr(trial, unit) * (longest / trial.epoch if trial.epoch else 1.0))
            for trial in members
            if getattr(trial, unit) > least
        ]
        found = [each for each in scaled if is_measured(each[1])]  # one infinity and all are NaN
        kept += [trial for trial, _ in found]
        logs += [float(np.log(cost)) for _, cost in found]
        searches += [len(units)] * len(found)
        units.append(unit)
        tasks.append(members[0].task)
    points = encode(space, [trial.configuration for trial in kept])
    places = np.array(searches, dtype=np.intp)
    return Costs(points, np.array(logs), places, tuple(units), tuple(tasks))


def cost_model(others: Costs, own: Costs) -> CostModel | None:
    """Return the model of this task's costs; None if too few are known, or all are alike.

    Args:
        others: Costs of trials of other tasks.
        own: Costs of trials of this task.
    """
    if len(others) + len(own) < FEWEST_COSTS:
        return None
    square, product = (first + second for first, second in zip(others.sums, own.sums, strict=True))
    inverse: Floats = np.linalg.inv(square + RIDGE * np.eye(len(product))).astype(np.float64)
    coefficients = inverse @ product
    if not np.any(coefficients):
        return None
    errors = np.concatenate([_errors(each, coefficients, inverse) for each in (others, own)])
    level, unit = _level(own, coefficients)
    return CostModel(
        coefficients, level, unit, float(errors.std()), len(others) + len(own),
        _usual_level(others, coefficients),
    )  # fmt: skip


def _level(own: Costs, coefficients: Floats) -> tuple[float, str]:
    """Return the level of this task's newest search with known costs, and its unit."""
    if not len(own):
        return float("nan"), "seconds"
    rows = own.searches == own.searches[-1]
    away = own.logs[rows] - _features(own.points[rows]) @ coefficients
    return float(away.mean()), own.units[int(own.searches[-1])]


def _usual_level(others: Costs, coefficients: Floats) -> UsualLevel | None:
    """Return what the levels of past tasks say of a new one's; None if fewer than two are known.

    They count in the unit that most of the tasks have, FLOP of equally many: it is the same on
    every machine. The distance is Student's t for one more draw from a normal distribution.
    """
    levels: dict[str, dict[str, list[float]]] = {"work": {}, "seconds": {}}
    for search, (log, features) in others.centres.items():
        of_unit = levels[others.units[search]].setdefault(others.tasks[search], [])
        of_unit.append(log - float(features @ coefficients))
    unit = max(levels, key=lambda each: len(levels[each]))
    known = [float(np.mean(each)) for each in levels[unit].values()]
    if len(known) < 2:
        return None
    distance = t.ppf(0.975, len(known) - 1) * np.std(known, ddof=1)
    return UsualLevel(float(np.mean(known)), float(distance * np.sqrt(1 + 1 / len(known))), unit)


def _errors(costs: Costs, coefficients: Floats, inverse: Floats) -> Floats:
    """Return the leave-one-out errors of the last searches, with their levels taken as known."""
    errors = [np.empty(0)]
    for search in np.unique(costs.searches)[::-1]:
        if sum(map(len, errors)) >= ERRORS_OF:
            break
        rows = costs.searches == search
        features = _features(costs.points[rows])
        centred = features - features.mean(axis=0)
        away = costs.logs[rows] - costs.logs[rows].mean() - centred @ coefficients
        leverage = np.einsum("ij,ij->i", centred @ inverse, centred)
        errors.append(away / np.maximum(1.0 - leverage, 0.1))
    return np.concatenate(errors)


def _features(points: Floats) -> Floats:
    """Return positions in [-1, 1], their squares and, of few columns, their products."""
    places = 2.0 * points - 1.0
    columns = places.shape[1]
    if columns > CROSSED_AT_MOST:
        return np.hstack([places, places**2])
    first, second = np.triu_indices(columns)
    return np.hstack([places, places[:, first] * places[:, second]])

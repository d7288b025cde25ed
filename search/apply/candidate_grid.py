"""CandidateGrid: many configurations as one array, with a position in [0, 1] per hyperparameter.

Each proposal needs thousands of candidates, too many to build as dictionaries. They are drawn,
moved and encoded as arrays, and only the chosen one becomes a configuration. The encoded columns
are those of `search.space.encoding.encode`. Not for prior trials, whose values may lie outside the
space.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from search.space import SearchSpace, Value
from search.space import values as space_values
from search.space.encoding import encode

Floats = NDArray[np.float64]

# Above this many values an integer or a grid is moved like a continuous range.
_FINE = 50
# How far a candidate moves along one hyperparameter, as a share of its range.
_REACHES = (0.02, 0.07, 0.2)
# Share of the hyperparameters that change when all may: two thirds of the steps {-1, 0, 1} do.
_CHANGED = 2.0 / 3.0


@dataclass(frozen=True)
class Axis:
    """One hyperparameter: how positions become legal values."""

    name: str
    distribution: BaseDistribution
    count: int | None  # of values; None if continuous

    @property
    def is_category(self) -> bool:
        """Whether its values have no order."""
        return isinstance(self.distribution, CategoricalDistribution)

    def legal(self, positions: Floats) -> Floats:
        """Returns the nearest legal positions; categories lie in the middle of equal shares."""
        inside = np.clip(positions, 0.0, 1.0)
        if self.count is None:
            return inside
        if self.count == 1:
            return np.full_like(inside, 0.5)
        if self.is_category:
            shares = np.minimum(np.floor(inside * self.count), self.count - 1)
            return np.asarray((shares + 0.5) / self.count)
        assert isinstance(self.distribution, FloatDistribution | IntDistribution)
        low, high = float(self.distribution.low), float(self.distribution.high)
        if self.distribution.log:
            low, high = math.log(low), math.log(high)
            values = np.round(np.exp(low + inside * (high - low)))
            return np.asarray(np.clip((np.log(values) - low) / (high - low), 0.0, 1.0))
        last = self.count - 1
        reach = last * (self.distribution.step or 1) / (high - low)
        return np.asarray(np.minimum(np.round(inside / reach * last), last) / last * reach)

    def drawn(self, generator: np.random.Generator, number: int) -> Floats:
        """Draws legal positions; every value of a grid is equally likely, its ends included."""
        if self.count is None or self.is_category or self.count == 1:
            return self.legal(generator.random(number))
        margin = 0.5 / (self.count - 1)
        return self.legal(generator.uniform(-margin, 1.0 + margin, number))

    def moved(self, positions: Floats, generator: np.random.Generator, reach: Floats) -> Floats:
        """Draws legal positions near others; at least one value of a coarse grid away."""
        if self.is_category:
            return self.drawn(generator, len(positions))
        steps = generator.standard_normal(len(positions)) * reach
        if self.count is not None and 1 < self.count <= _FINE:
            least = 1.0 / (self.count - 1)
            steps = np.sign(steps) * np.maximum(np.abs(steps), least)
        return self.legal(positions + steps)

    def value(self, position: float) -> Value:
        """Returns the hyperparameter's value at a legal position."""
        if isinstance(self.distribution, CategoricalDistribution):
            # In plain Optuna None is a choice like any other.
            choices: tuple[Any, ...] = self.distribution.choices
            chosen: Value = choices[min(int(position * len(choices)), len(choices) - 1)]
            return chosen
        assert isinstance(self.distribution, FloatDistribution | IntDistribution)
        low, high = float(self.distribution.low), float(self.distribution.high)
        if self.distribution.log:
            number = math.exp(math.log(low) + position * (math.log(high) - math.log(low)))
        else:
            number = low + position * (high - low)
        value: Value = space_values.nearest(self.distribution, number)
        return value


class CandidateGrid:
    """The axes of a space.

    Attributes:
        groups: Encoded column -> index of its hyperparameter.
    """

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        self._axes = [
            Axis(name, kind, space_values.count(kind)) for name, kind in space.distributions.items()
        ]
        sizes = [
            (axis.count if axis.is_category and axis.count else 1) + (axis.name in space.conditions)
            for axis in self._axes
        ]
        self.groups = np.repeat(np.arange(len(sizes)), sizes)

    def draw(self, generator: np.random.Generator, number: int) -> Floats:
        """Draws random candidates, `(number, hyperparameters)`."""
        return np.column_stack([axis.drawn(generator, number) for axis in self._axes])

    def near(self, position: Floats, generator: np.random.Generator, number: int) -> Floats:
        """Draws candidates around one: half change one hyperparameter, half most of them."""
        rows = np.repeat(position[None, :], number, axis=0)
        reach = generator.choice(_REACHES, number)
        moved = np.column_stack(
            [axis.moved(rows[:, index], generator, reach) for index, axis in enumerate(self._axes)]
        )
        is_changed = generator.random(rows.shape) < _CHANGED
        one = number // 2
        is_changed[:one] = False
        is_changed[np.arange(one), generator.integers(0, len(self._axes), one)] = True
        return np.where(is_changed, moved, rows)

    def middle(self) -> dict[str, Value]:
        """Returns the middle of every range and the first of every choice."""
        return self.configuration(self.of({}))

    def configuration(self, position: Floats) -> dict[str, Value]:
        """Returns the active part of one candidate."""
        configuration: dict[str, Value] = {}
        for axis, place in zip(self._axes, position, strict=True):
            if self.space.is_active(axis.name, configuration):
                configuration[axis.name] = axis.value(float(place))
        return configuration

    def of(self, configuration: Mapping[str, Value]) -> Floats:
        """Returns the position of a configuration; other values move to the nearest legal ones.

        What it lacks is as in `middle`: a new hyperparameter starts where people start.
        """
        row = []
        for axis in self._axes:
            if axis.name not in configuration:
                row.append(0.0 if axis.is_category else 0.5)
            elif isinstance(axis.distribution, CategoricalDistribution):
                kind = axis.distribution
                choice = space_values.index_of(kind, configuration[axis.name])
                row.append(0.5 if choice is None else (choice + 0.5) / len(kind.choices))
            else:
                alone = SearchSpace({axis.name: axis.distribution})
                row.append(float(encode(alone, [{axis.name: configuration[axis.name]}])[0, 0]))
        places = zip(self._axes, row, strict=True)
        return np.array([axis.legal(np.array([place]))[0] for axis, place in places])

    def encoded(self, positions: Floats) -> Floats:
        """Returns the columns of `encode`, `(candidates, columns)`."""
        is_active = self._active(positions)
        columns: list[Floats] = []
        for index, axis in enumerate(self._axes):
            used = is_active[:, index]
            if axis.is_category and axis.count:
                chosen = np.minimum((positions[:, index] * axis.count).astype(int), axis.count - 1)
                one_hot = math.sqrt(0.5) * np.eye(axis.count)[chosen]
                columns.append(np.where(used[:, None], one_hot, math.sqrt(0.5) / axis.count))
            else:
                columns.append(np.where(used, positions[:, index], 0.5)[:, None])
            if axis.name in self.space.conditions:
                columns.append(used.astype(np.float64)[:, None])
        return np.hstack(columns) if columns else np.empty((len(positions), 0))

    def _active(self, positions: Floats) -> NDArray[np.bool_]:
        order = {axis.name: index for index, axis in enumerate(self._axes)}
        result = np.ones(positions.shape, dtype=bool)
        for index, axis in enumerate(self._axes):  # parents come before children
            for parent, values in self.space.conditions.get(axis.name, {}).items():
                column = order[parent]
                other = self._axes[column]
                places, back = np.unique(positions[:, column], return_inverse=True)
                holds = np.array(
                    [
                        any(space_values.is_same(value, other.value(float(p))) for value in values)
                        for p in places
                    ],
                    dtype=bool,
                )
                result[:, index] &= holds[back.reshape(-1)] & result[:, column]
        return result

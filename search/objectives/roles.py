"""What roles make of values: what steers a search, and what is best.

Not for what a sampler makes of them (`apply/steering.py`).

Sources: Deb 2000, "An efficient constraint handling method for genetic algorithms" (any trial that
keeps the bounds before any that does not, the latter by violation); Zhang et al. 2023, "Targeted
hyperparameter optimization with lexicographic preferences over multiple objectives" (tolerances).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from search.objectives import pareto
from search.objectives.objective import Objective, checked

Floats = NDArray[np.float64]

STEERING = ("pareto", "lexicographic")
# Of the numbers that are subtracted: 0.98 - 0.97 is 0.01 and four units of rounding.
_ROUNDING = 8 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class Aims:
    """What a set of trials is judged by. NaN where a trial lacks something that steers.

    Attributes:
        losses: Shape `(n, k)`: what is to be small. With a lexicographic objective the first one is
            not among them, since it only says who counts.
        violation: Shape `(n,)`: by how much bounds are missed, summed; 0 if none is.
        excess: Shape `(n,)`: how far the first objective lies beyond the tolerance, among the
            trials without violation; 0 if within.
    """

    losses: Floats
    violation: Floats
    excess: Floats

    @property
    def is_counted(self) -> NDArray[np.bool_]:
        """Who keeps every bound and is within the tolerance, shape `(n,)`."""
        return np.asarray((self.violation == 0) & (self.excess == 0))


def is_plain(objectives: Sequence[Objective]) -> bool:
    """Whether all objectives are searched alike."""
    return all(each.role.name == "pareto" for each in objectives)


def lexicographic_of(objectives: Sequence[Objective]) -> int | None:
    """Index of the lexicographic objective, if there is one."""
    return next((i for i, each in enumerate(objectives) if each.role.name == "lexicographic"), None)


def steering_indices(objectives: Sequence[Objective]) -> list[int]:
    """Which objectives a sampler is told the values of: neither bounds nor reports."""
    return [index for index, each in enumerate(objectives) if each.role.name in STEERING]


def searched(objectives: Sequence[Objective]) -> tuple[Objective, ...]:
    """The objectives that a sampler is told the values of."""
    return tuple(objectives[index] for index in steering_indices(objectives))


def as_losses(objectives: Sequence[Objective]) -> tuple[Objective, ...]:
    """The same objectives of losses: all minimised, the bound of what was maximised negated."""
    return tuple(
        replace(each, direction="minimize", role=replace(each.role, bound=_bound_as_loss(each)))
        if each.role.bound is not None
        else replace(each, direction="minimize")
        for each in objectives
    )


def judging_indices(objectives: Sequence[Objective]) -> list[int]:
    """Which objectives are the columns of `Aims.losses`."""
    first = [0] if lexicographic_of(objectives) is not None else []
    return [index for index in steering_indices(objectives) if index not in first]


def shortfalls(values: Sequence[float], objectives: Sequence[Objective]) -> dict[int, float]:
    """Objective's index -> how far a trial misses its bound; 0 or less keeps it."""
    return {
        index: each.role.bound - value if each.is_maximized else value - each.role.bound
        for index, (value, each) in enumerate(zip(values, objectives, strict=True))
        if each.role.bound is not None
    }


def violation_of(constraints: Mapping[str, float]) -> float:
    """Sum of what exceeds 0, as Optuna counts constraints."""
    return sum(max(value, 0.0) for value in constraints.values())


def beyond(first: Floats, lowest: float, tolerance: float) -> Floats:
    """How far losses are beyond a tolerance; 0 or less within it, where rounding is let pass."""
    off = first - lowest - tolerance
    is_rounding = np.abs(off) <= _ROUNDING * (abs(lowest) + tolerance)
    return np.where(is_rounding, 0.0, off)


def aims(values: ArrayLike, objectives: Sequence[Objective]) -> Aims:
    """What trials are judged by; `values` as logged, shape `(n, objectives)`.

    Raises:
        ValueError: Roles or values do not belong together.
    """
    checked(objectives)
    losses = pareto.losses(values, objectives)
    bounds = [index for index, each in enumerate(objectives) if each.role.name == "constraint"]
    ceilings = [_bound_as_loss(objectives[index]) for index in bounds]
    misses = np.maximum(losses[:, bounds] - np.array(ceilings), 0.0)
    violation = misses.sum(axis=1) if bounds else np.zeros(len(losses))
    steering = losses[:, steering_indices(objectives)]
    violation = np.where(np.isfinite(steering).all(axis=1), violation, np.nan)
    violation = np.where(np.isfinite(violation), violation, np.nan)
    excess = np.zeros(len(losses))
    lexicographic = lexicographic_of(objectives)
    if lexicographic is not None and (violation == 0).any():
        tolerance = objectives[lexicographic].role.tolerance or 0.0
        off = beyond(losses[:, 0], losses[violation == 0, 0].min(), tolerance)
        excess = np.where(violation == 0, np.maximum(off, 0.0), 0.0)
    return Aims(losses[:, judging_indices(objectives)], violation, excess)


def steering(values: ArrayLike, objectives: Sequence[Objective]) -> Floats:
    """Losses that order trials as the roles want it, shape `(n, k)`; smaller is better.

    Depends on the set: the best first value decides who is within a tolerance. Who does not count
    stands behind everybody who does, in every column: beyond the tolerance by how far, then those
    who miss a bound by how much. Rows that lack something that steers are NaN.
    """
    if is_plain(objectives):
        return pareto.losses(values, objectives)
    found = aims(values, objectives)
    columns = found.losses.copy()
    is_known = ~np.isnan(found.violation)
    columns[~is_known] = np.nan
    is_behind = is_known & ~found.is_counted
    if not is_behind.any():
        return columns
    # Places, not amounts: next to large losses a small violation would be lost in rounding.
    off = np.column_stack([found.violation, found.excess])[is_behind]
    places = np.unique(off, axis=0, return_inverse=True)[1].reshape(-1, 1)
    worst = columns[found.is_counted].max(axis=0, initial=0.0)
    columns[is_behind] = worst + np.maximum(1.0, np.abs(worst)) * (1.0 + places)
    return columns


def best(values: ArrayLike, objectives: Sequence[Objective]) -> NDArray[np.bool_]:
    """Marks the trials that are best under their roles, shape `(n,)`.

    The front of those that count; where no trial keeps the bounds, the least violating. With a
    lexicographic objective, of several that are equal the best in the first.
    """
    if is_plain(objectives):
        return pareto.front(pareto.losses(values, objectives))
    found = aims(values, objectives)
    mask = np.zeros(len(found.losses), dtype=bool)
    is_eligible = found.is_counted
    if not is_eligible.any():
        is_eligible = found.violation == np.nanmin(found.violation, initial=np.inf)
    chosen = np.flatnonzero(is_eligible)
    chosen = chosen[pareto.front(found.losses[chosen])]
    if lexicographic_of(objectives) is not None and len(chosen):
        first = pareto.losses(values, objectives)[chosen, 0]
        group = np.unique(found.losses[chosen], axis=0, return_inverse=True)[1].reshape(-1)
        lowest = np.full(len(chosen), np.inf)
        np.minimum.at(lowest, group, first)
        chosen = chosen[first == lowest[group]]
    mask[chosen] = True
    return mask


def _bound_as_loss(objective: Objective) -> float:
    bound = objective.role.bound
    assert bound is not None  # checked by Role
    return -bound if objective.is_maximized else bound

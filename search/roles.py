"""Roles: how each objective of a search counts, and what is best under them.

- `pareto`: searched beside the others; best is the front.
- `constraint`: kept or not. What keeps every bound is judged by the other objectives; what does not
  is behind all of it, by how far it is off.
- `lexicographic`: decides among the trials whose first objective is within a tolerance of the best.
- `report`: measured, and nothing else.

The first objective is always `pareto`. Not for what a sampler makes of them (`apply/steering.py`).

Sources: Deb 2000, "An efficient constraint handling method for genetic algorithms" (any trial that
keeps the bounds before any that does not, the latter by violation); Zhang et al. 2023, "Targeted
hyperparameter optimization with lexicographic preferences over multiple objectives" (tolerances).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from search import pareto

Floats = NDArray[np.float64]

NAMES = ("pareto", "constraint", "lexicographic", "report")
STEERING = ("pareto", "lexicographic")
# Of the numbers that are subtracted: 0.98 - 0.97 is 0.01 and four units of rounding.
_ROUNDING = 8 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Role:
    """How an objective counts.

    Attributes:
        name: One of `NAMES`.
        bound: Of a constraint: the least value if it is maximised, the largest if minimised.
        tolerance: Of a lexicographic one: how far behind the best first value still counts.

    Raises:
        ValueError: Name, bound and tolerance do not go together.
    """

    name: str = "pareto"
    bound: float | None = None
    tolerance: float | None = None

    def __post_init__(self) -> None:
        if self.name not in NAMES:
            raise ValueError(f"role {self.name!r} is none of {', '.join(NAMES)}")
        for owner, key, value in (
            ("constraint", "bound", self.bound),
            ("lexicographic", "tolerance", self.tolerance),
        ):
            if (value is not None) != (self.name == owner):
                raise ValueError(f"role {self.name} with {key} {value}: {key} is {owner}'s alone")
            if value is not None and not math.isfinite(value):
                raise ValueError(f"{key} {value} must be a finite number")
        if self.tolerance is not None and self.tolerance < 0:
            raise ValueError(f"tolerance {self.tolerance} must be 0 or more")


PARETO = Role()


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


def filled(roles: Sequence[Role], objectives: int) -> tuple[Role, ...]:
    """One role an objective; all `pareto` if none is given.

    Raises:
        ValueError: Too few or too many, a first one that is not `pareto`, or two lexicographic.
    """
    found = tuple(roles) or (PARETO,) * objectives
    if len(found) != objectives:
        raise ValueError(f"{len(found)} roles for {objectives} objectives")
    if found and found[0] != PARETO:
        raise ValueError(f"the first objective is pareto, not {found[0].name}")
    if sum(role.name == "lexicographic" for role in found) > 1:
        raise ValueError("two lexicographic objectives: one at most")
    return found


def is_plain(roles: Sequence[Role]) -> bool:
    """Whether all objectives are searched alike."""
    return all(role.name == "pareto" for role in roles)


def lexicographic_of(roles: Sequence[Role]) -> int | None:
    """Index of the lexicographic objective, if there is one."""
    return next((i for i, role in enumerate(roles) if role.name == "lexicographic"), None)


def steering_indices(roles: Sequence[Role]) -> list[int]:
    """Which objectives a sampler is told the values of: neither bounds nor reports."""
    return [index for index, role in enumerate(roles) if role.name in STEERING]


def as_losses(roles: Sequence[Role], directions: Sequence[str]) -> tuple[Role, ...]:
    """The same roles for losses: the bound of what is maximised changes its sign."""
    return tuple(
        replace(role, bound=_as_loss(role.bound, direction)) if role.bound is not None else role
        for role, direction in zip(filled(roles, len(directions)), directions, strict=True)
    )


def steering_directions(directions: Sequence[str], roles: Sequence[Role]) -> list[str]:
    """The directions of the objectives that a sampler is told the values of."""
    return [directions[index] for index in steering_indices(filled(roles, len(directions)))]


def judging_indices(roles: Sequence[Role]) -> list[int]:
    """Which objectives are the columns of `Aims.losses`."""
    first = [0] if lexicographic_of(roles) is not None else []
    return [index for index in steering_indices(roles) if index not in first]


def shortfalls(
    values: Sequence[float], directions: Sequence[str], roles: Sequence[Role]
) -> dict[int, float]:
    """Objective's index -> how far a trial misses its bound; 0 or less keeps it."""
    return {
        index: role.bound - value if directions[index] == "maximize" else value - role.bound
        for index, (value, role) in enumerate(zip(values, roles, strict=True))
        if role.bound is not None
    }


def violation_of(constraints: Mapping[str, float]) -> float:
    """Sum of what exceeds 0, as Optuna counts constraints."""
    return sum(max(value, 0.0) for value in constraints.values())


def beyond(first: Floats, lowest: float, tolerance: float) -> Floats:
    """How far losses are beyond a tolerance; 0 or less within it, where rounding is let pass."""
    off = first - lowest - tolerance
    is_rounding = np.abs(off) <= _ROUNDING * (abs(lowest) + tolerance)
    return np.where(is_rounding, 0.0, off)


def aims(values: ArrayLike, directions: Sequence[str], roles: Sequence[Role] = ()) -> Aims:
    """What trials are judged by; `values` as logged, shape `(n, objectives)`.

    Raises:
        ValueError: Roles, directions and values do not belong together.
    """
    roles = filled(roles, len(directions))
    losses = pareto.losses(values, directions)
    bounds = [index for index, role in enumerate(roles) if role.name == "constraint"]
    ceilings = [_as_loss(roles[index].bound, directions[index]) for index in bounds]
    misses = np.maximum(losses[:, bounds] - np.array(ceilings), 0.0)
    violation = misses.sum(axis=1) if bounds else np.zeros(len(losses))
    steering = losses[:, steering_indices(roles)]
    violation = np.where(np.isfinite(steering).all(axis=1), violation, np.nan)
    violation = np.where(np.isfinite(violation), violation, np.nan)
    excess = np.zeros(len(losses))
    lexicographic = lexicographic_of(roles)
    if lexicographic is not None and (violation == 0).any():
        tolerance = roles[lexicographic].tolerance or 0.0
        off = beyond(losses[:, 0], losses[violation == 0, 0].min(), tolerance)
        excess = np.where(violation == 0, np.maximum(off, 0.0), 0.0)
    return Aims(losses[:, judging_indices(roles)], violation, excess)


def steering(values: ArrayLike, directions: Sequence[str], roles: Sequence[Role] = ()) -> Floats:
    """Losses that order trials as the roles want it, shape `(n, k)`; smaller is better.

    Depends on the set: the best first value decides who is within a tolerance. Who does not count
    stands behind everybody who does, in every column: beyond the tolerance by how far, then those
    who miss a bound by how much. Rows that lack something that steers are NaN.
    """
    if is_plain(roles):
        return pareto.losses(values, directions)
    found = aims(values, directions, roles)
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


def best(
    values: ArrayLike, directions: Sequence[str], roles: Sequence[Role] = ()
) -> NDArray[np.bool_]:
    """Marks the trials that are best under their roles, shape `(n,)`.

    The front of those that count; where no trial keeps the bounds, the least violating. With a
    lexicographic objective, of several that are equal the best in the first.
    """
    if is_plain(roles):
        return pareto.front(pareto.losses(values, directions))
    found = aims(values, directions, roles)
    mask = np.zeros(len(found.losses), dtype=bool)
    is_eligible = found.is_counted
    if not is_eligible.any():
        is_eligible = found.violation == np.nanmin(found.violation, initial=np.inf)
    chosen = np.flatnonzero(is_eligible)
    chosen = chosen[pareto.front(found.losses[chosen])]
    if lexicographic_of(roles) is not None and len(chosen):
        first = pareto.losses(values, directions)[chosen, 0]
        group = np.unique(found.losses[chosen], axis=0, return_inverse=True)[1].reshape(-1)
        lowest = np.full(len(chosen), np.inf)
        np.minimum.at(lowest, group, first)
        chosen = chosen[first == lowest[group]]
    mask[chosen] = True
    return mask


def to_json(roles: Sequence[Role]) -> str:
    """Roles as JSON text, for a store."""
    return json.dumps(
        [{key: each for key, each in asdict(role).items() if each is not None} for role in roles]
    )


def from_json(text: str | None, objectives: int) -> tuple[Role, ...]:
    """What `to_json` wrote; () - all pareto - for none, or for what is no such text."""
    try:
        found = json.loads(text or "[]")
        roles = filled([Role(**each) for each in found], objectives)
        numbers = [each for role in roles for each in (role.bound, role.tolerance) if each]
        if any(isinstance(each, bool) or not isinstance(each, int | float) for each in numbers):
            return ()
        return () if is_plain(roles) else roles
    except (ValueError, TypeError, RecursionError, OverflowError):
        return ()


def _as_loss(bound: float | None, direction: str) -> float:
    assert bound is not None  # checked by Role
    return bound if direction == "minimize" else -bound

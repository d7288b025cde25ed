"""Objective: a metric, which way is better, and how it counts. A search has a tuple of them.

Roles:

- `pareto`: searched next to the others; best is the front.
- `constraint`: kept or not. What keeps every bound is judged by the other objectives; what does not
  is behind all of it, by how far it is off.
- `lexicographic`: decides among the trials whose first objective is within a tolerance of the best.
- `report`: measured, and nothing else.

The first objective is always `pareto`. Stores and plain Optuna keep metrics, directions and roles
in lists of their own; they are turned into objectives here and nowhere else. Not for what roles
make of values (`roles.py`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Literal

NAMES = ("pareto", "constraint", "lexicographic", "report")
DIRECTIONS = ("minimize", "maximize")
# Of an objective in a store that does not say which way is better, or says nonsense.
UNKNOWN = "unknown"


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


@dataclass(frozen=True)
class Objective:
    """A metric, which way is better, and how it counts.

    Attributes:
        metric: Its name; "" in a study that does not name its objectives.
        direction: "minimize" or "maximize"; `UNKNOWN` in a store that does not say.
        role: How it counts.

    Raises:
        ValueError: Another direction.
    """

    metric: str
    direction: str
    role: Role = PARETO

    def __post_init__(self) -> None:
        if self.direction not in (*DIRECTIONS, UNKNOWN):
            raise ValueError(f"direction {self.direction!r} is neither 'minimize' nor 'maximize'")

    @property
    def is_maximized(self) -> bool:
        """Whether larger is better."""
        return self.direction == "maximize"


def directions_of(objectives: Sequence[Objective]) -> list[Literal["minimize", "maximize"]]:
    """The directions of objectives, as Optuna makes a study with them.

    Raises:
        ValueError: One of them is unknown.
    """
    for each in objectives:
        if each.direction == UNKNOWN:
            raise ValueError(f"nobody knows whether {each.metric!r} is to be small or large")
    return ["maximize" if each.is_maximized else "minimize" for each in objectives]


def checked(objectives: Sequence[Objective]) -> tuple[Objective, ...]:
    """The objectives of a search, if they go together.

    Raises:
        ValueError: A first one that is not `pareto`, or two lexicographic.
    """
    found = tuple(objectives)
    if found and found[0].role != PARETO:
        raise ValueError(f"the first objective is pareto, not {found[0].role.name}")
    if sum(each.role.name == "lexicographic" for each in found) > 1:
        raise ValueError("two lexicographic objectives: one at most")
    return found


def from_lists(
    objectives: Sequence[str] | Sequence[Objective],
    directions: Sequence[str] | None = None,
    roles: Sequence[Role] = (),
) -> tuple[Objective, ...]:
    """Objectives as callers give them: themselves, or metric names and their directions.

    Args:
        objectives: Either all `Objective`, or all names.
        directions: One a name; without them, they are `UNKNOWN`. Not for `Objective`s.
        roles: One a name; all `pareto` if none is given. Not for `Objective`s.

    Raises:
        ValueError: The lists do not go together.
    """
    ready = [each for each in objectives if isinstance(each, Objective)]
    names = [each for each in objectives if isinstance(each, str)]
    if ready and (names or directions is not None or roles):
        raise ValueError(
            "an Objective has its own direction and role; fix: give Objectives alone, or the "
            "names of metrics with directions"
        )
    if ready:
        return checked(ready)
    found = [UNKNOWN] * len(names) if directions is None else list(directions)
    if len(found) != len(names):
        raise ValueError(f"{len(names)} objectives, but {len(found)} directions")
    counted = tuple(roles) or (PARETO,) * len(names)
    if len(counted) != len(names):
        raise ValueError(f"{len(counted)} roles for {len(names)} objectives")
    return checked([Objective(*each) for each in zip(names, found, counted, strict=True)])


def to_row(objectives: Sequence[Objective]) -> dict[str, Any]:
    """Objectives as the columns of a store: `objectives`, `directions` and `roles_json`.

    `roles_json` is None where all are `pareto`.
    """
    roles = [each.role for each in objectives]
    return {
        "objectives": [each.metric for each in objectives],
        "directions": [each.direction for each in objectives],
        "roles_json": None if all(role.name == "pareto" for role in roles) else to_json(roles),
    }


def from_row(row: Mapping[str, Any]) -> tuple[Objective, ...]:
    """What `to_row` wrote; never raises on what a store held.

    A direction that is missing or is none is `UNKNOWN`; roles that cannot be read are `pareto`.
    """
    return _read(
        tuple(row["objectives"] or ()), tuple(row["directions"] or ()), row.get("roles_json")
    )


def to_json(roles: Sequence[Role]) -> str:
    """Roles as JSON text, for a store."""
    return json.dumps(
        [{key: each for key, each in asdict(role).items() if each is not None} for role in roles]
    )


@lru_cache(maxsize=1024)  # 10,000 trials of 100 searches have 100 of them
def _read(
    metrics: tuple[Any, ...], stored: tuple[Any, ...], roles_json: str | None
) -> tuple[Objective, ...]:
    found = [each if each in DIRECTIONS else UNKNOWN for each in stored[: len(metrics)]]
    found += [UNKNOWN] * (len(metrics) - len(found))
    plain = [Objective(str(m), each) for m, each in zip(metrics, found, strict=True)]
    try:
        roles = [Role(**each) for each in json.loads(roles_json or "[]")]
        numbers = [each for role in roles for each in (role.bound, role.tolerance) if each]
        if any(isinstance(each, bool) or not isinstance(each, int | float) for each in numbers):
            return tuple(plain)
        return from_lists([each.metric for each in plain], found, roles)
    except (ValueError, TypeError, RecursionError, OverflowError):
        return tuple(plain)

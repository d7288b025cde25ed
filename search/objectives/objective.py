"""Objective: a metric, its direction and its role. A search has a tuple of them.

Roles:

- `pareto`: searched; the best trials are the Pareto front of these objectives.
- `constraint`: has a bound. Trials that keep every bound are compared by the other objectives; the
  rest come after all of them, ordered by violation.
- `lexicographic`: decides among the trials whose first objective is within a tolerance of the best.
- `report`: measured only.

The first objective is always `pareto`. Stores and plain Optuna keep metrics, directions and roles
in parallel lists; only this module turns them into objectives. Not for the effect of roles on
values (`roles.py`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import zip_longest
from typing import Any, Literal, get_args

RoleName = Literal["pareto", "constraint", "lexicographic", "report"]
NAMES: tuple[RoleName, ...] = get_args(RoleName)
# Role -> the key that only it has, and the value of that key.
KEYS = {
    "constraint": ("bound", "the value that a trial must reach, such as bound: 0.80"),
    "lexicographic": (
        "tolerance",
        "the distance to the best first value within which it decides, such as tolerance: 0.01",
    ),
}
DIRECTIONS = ("minimize", "maximize")
# The direction of an objective in a store that has none or an illegal one.
UNKNOWN = "unknown"
# Scores, models and variances are computed with squares of values, and sums of these.
LARGEST = 1e150


@dataclass(frozen=True)
class Role:
    """The role of an objective.

    Attributes:
        name: One of `NAMES`.
        bound: The least legal value of a maximised constraint, the largest of a minimised one.
        tolerance: How far behind the best value of the first objective a trial may be for a
            lexicographic objective to decide.

    Raises:
        ValueError: Name, bound and tolerance do not match.
    """

    name: str = "pareto"
    bound: float | None = None
    tolerance: float | None = None

    def __post_init__(self) -> None:
        if self.name not in NAMES:
            raise ValueError(f"role {self.name!r} is none of {', '.join(NAMES)}")
        for owner, (key, _) in KEYS.items():
            value = getattr(self, key)
            if (value is not None) != (self.name == owner):
                raise ValueError(f"role {self.name} with {key} {value}: only {owner} has a {key}")
            if value is not None and not math.isfinite(value):
                raise ValueError(f"{key} {value} must be a finite number")
        if self.tolerance is not None and self.tolerance < 0:
            raise ValueError(f"tolerance {self.tolerance} must be 0 or more")


PARETO = Role()


@dataclass(frozen=True, repr=False)
class Objective:
    """A metric, its direction and its role.

    Attributes:
        metric: The name; "" in a study that does not name its objectives.
        direction: "minimize" or "maximize"; `UNKNOWN` if a store does not say.
        role: The role in the search.

    Raises:
        ValueError: Another direction.
    """

    metric: str
    direction: str
    role: Role = PARETO

    def __post_init__(self) -> None:
        if self.direction not in (*DIRECTIONS, UNKNOWN):
            raise ValueError(f"direction {self.direction!r} is neither 'minimize' nor 'maximize'")

    def __repr__(self) -> str:
        role = "" if self.role == PARETO else f", {self.role}"
        return f"Objective({self.metric!r}, {self.direction!r}{role})"

    @property
    def is_maximized(self) -> bool:
        """Whether larger is better."""
        return self.direction == "maximize"


def is_measured(value: object) -> bool:
    """Whether a value of a metric can be compared: a finite number, whose square is one too."""
    return isinstance(value, int | float) and abs(value) <= LARGEST


def directions_of(objectives: Sequence[Objective]) -> list[Literal["minimize", "maximize"]]:
    """Return the directions of objectives as Optuna's studies take them.

    Raises:
        ValueError: One of them is unknown.
    """
    for each in objectives:
        if each.direction == UNKNOWN:
            raise ValueError(f"the direction of {each.metric!r} is unknown; fix: state it")
    return ["maximize" if each.is_maximized else "minimize" for each in objectives]


def checked(objectives: Sequence[Objective]) -> tuple[Objective, ...]:
    """Return the objectives of a search as a tuple if their roles are compatible.

    Raises:
        ValueError: The first one is not `pareto`, or two are lexicographic.
    """
    if objectives and objectives[0].role != PARETO:
        raise ValueError(f"the first objective must be pareto, not {objectives[0].role.name}")
    if sum(each.role.name == "lexicographic" for each in objectives) > 1:
        raise ValueError("two lexicographic objectives: at most one is allowed")
    return tuple(objectives)


def from_lists(
    objectives: Sequence[str] | Sequence[Objective],
    directions: Sequence[str] | None = None,
    roles: Sequence[Role] = (),
) -> tuple[Objective, ...]:
    """Make objectives of what callers give: `Objective`s, or metric names with directions.

    Args:
        objectives: Either all `Objective`, or all names.
        directions: One per name; `UNKNOWN` if None. Not with `Objective`s.
        roles: One per name; all `pareto` if empty. Not with `Objective`s.

    Raises:
        ValueError: The lists do not match.
    """
    for key, given in {"objectives": objectives, "directions": directions}.items():
        if isinstance(given, str):
            raise ValueError(f"{key} is a text, {given!r}; fix: a list, [{given!r}]")
    ready = [each for each in objectives if isinstance(each, Objective)]
    names = [each for each in objectives if isinstance(each, str)]
    if ready and (names or directions is not None or roles):
        raise ValueError(
            "an Objective has its own direction and role; fix: give Objectives alone, or the "
            "names of metrics with directions"
        )
    if ready:
        return checked(ready)
    ways = [UNKNOWN] * len(names) if directions is None else directions
    roles = roles or [PARETO] * len(names)
    if not len(names) == len(ways) == len(roles):
        raise ValueError(
            "the numbers of metrics, directions and roles differ: "
            f"{len(names)}, {len(ways)} and {len(roles)}; fix: give one of each per objective"
        )
    return checked([Objective(*each) for each in zip(names, ways, roles, strict=True)])


def to_row(objectives: Sequence[Objective]) -> dict[str, Any]:
    """Return objectives as the columns of a store: `objectives`, `directions` and `roles_json`.

    `roles_json` is None where all are `pareto`.
    """
    roles = [each.role for each in objectives]
    return {
        "objectives": [each.metric for each in objectives],
        "directions": [each.direction for each in objectives],
        "roles_json": to_json(roles) if any(each != PARETO for each in roles) else None,
    }


def from_row(row: Mapping[str, Any]) -> tuple[Objective, ...]:
    """Read objectives that `to_row` wrote. Never raises, whatever a store holds.

    A missing or illegal direction becomes `UNKNOWN`; roles that cannot be read become `pareto`.
    """
    return _read(
        tuple(row["objectives"] or ()), tuple(row["directions"] or ()), row.get("roles_json")
    )


def to_json(roles: Sequence[Role]) -> str:
    """Return roles as JSON text, for a store."""
    return json.dumps(
        [{key: each for key, each in asdict(role).items() if each is not None} for role in roles]
    )


@lru_cache(maxsize=1024)  # 10,000 trials of 100 searches have 100 of them
def _read(
    metrics: tuple[Any, ...], stored: tuple[Any, ...], roles_json: str | None
) -> tuple[Objective, ...]:
    pairs = zip_longest(metrics, stored[: len(metrics)])
    plain = tuple(Objective(str(m), each if each in DIRECTIONS else UNKNOWN) for m, each in pairs)
    try:
        roles = [Role(**each) for each in json.loads(roles_json or "[]")]
        numbers = [each for role in roles for each in (role.bound, role.tolerance) if each]
        if any(isinstance(each, bool) or not isinstance(each, int | float) for each in numbers):
            return plain
        directions = [each.direction for each in plain]
        return from_lists([each.metric for each in plain], directions, roles)
    except (ValueError, TypeError, RecursionError, OverflowError):
        return plain


def value_text(value: float) -> str:
    """Return a metric's value as people read it: 0.9867, 2.5e-05, 23.41, "" for NaN."""
    if math.isnan(value):
        return ""
    if 0 < abs(value) < 5e-4:  # fewer than two of its digits would be left
        return f"{value:.2g}"
    return f"{value:.4f}" if abs(value) < 10 else f"{value:.2f}"

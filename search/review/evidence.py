"""Evidence: one prior trial in the target's terms, every number left at its place.

A number outside the target's range stays what it was: clipping would tell a model that the edge of
the range performs as something beyond it, and leaving the trial out would lose what it measured.
What a trial lacks is named instead of filled in. Not for values of objectives (`objectives.py`),
nor for saying what changed between two spaces (`changes.py`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from search import space_values
from search.space import SearchSpace, Value

# What stores write where there was nothing: their params are text.
_NOTHING = frozenset({"", "none", "null", "nan"})
# Of a range: one that passed through text may have lost its last digit.
_SLACK = 1e-9


class Read(NamedTuple):
    """A stored value in a distribution's terms.

    `problem` is empty, or "outside" (a number beyond the range), "between" (off its grid),
    "vanished" (a category it lacks) or "missing" (nothing, or nothing that can be read). `value` is
    None for the last two.
    """

    value: Any
    problem: str = ""


@dataclass(frozen=True)
class Placed:
    """What became of one configuration; `reads` has all the target's names that it stated."""

    configuration: Mapping[str, Value]
    unknown: frozenset[str]
    inferred: frozenset[str]
    is_exact: bool
    reads: Mapping[str, Read]


def place(space: SearchSpace, configuration: object) -> Placed:
    """A foreign configuration at its place in a space; never raises.

    Activity is judged by the space's conditions. Where a parent is missing, it is inferred if just
    one of its values goes with the children that the trial has; otherwise parent and children are
    unknown.
    """
    stated = configuration if isinstance(configuration, Mapping) else {}
    reads = {
        name: read(distribution, stated[name])
        for name, distribution in space.distributions.items()
        if name in stated
    }
    known: dict[str, Value] = {}
    unknown: set[str] = set()
    inferred: set[str] = set()
    lost: set[str] = set()  # their category vanished: it is none of those a child waits for
    for name in space.distributions:
        is_active = _is_active(space, name, known, unknown - lost)
        found = reads.get(name, Read(None, "missing"))
        if is_active is None:
            unknown.add(name)
        elif is_active and found.value is not None:
            known[name] = found.value
        elif is_active:
            parent = _inferred(space, name, reads) if found.problem == "missing" else None
            if parent is not None:
                known[name] = parent
                inferred.add(name)
                continue
            unknown.add(name)
            lost |= {name} if found.problem == "vanished" else set()
    is_same = not unknown and len(known) == len(stated) == len(known.keys() & stated.keys())
    is_exact = is_same and not any(reads[name].problem for name in known)
    return Placed(known, frozenset(unknown), frozenset(inferred), is_exact, reads)


def read(distribution: BaseDistribution, value: object) -> Read:
    """A stored value in a distribution's terms; never raises."""
    if _is_plain(distribution, value):
        return Read(value)
    is_nothing = value is None or (isinstance(value, str) and value.strip().lower() in _NOTHING)
    if isinstance(distribution, CategoricalDistribution):
        coerced = space_values.coerce(distribution, value)
        if coerced.is_known:
            return Read(coerced.value)
        is_category = isinstance(value, str | bool) or space_values.read_number(value) is not None
        return Read(None, "vanished" if is_category and not is_nothing else "missing")
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    number = _finite_number(value)
    if number is None or (distribution.log and number <= 0):
        return Read(None, "missing")  # a logarithmic range has no place for 0
    low, high = distribution.low, distribution.high
    slack = _SLACK * (float(high) - float(low))
    if low - slack <= number <= high + slack:
        coerced = space_values.coerce(distribution, min(max(number, low), high))
        if not coerced.note:
            return Read(coerced.value)
    is_whole = isinstance(distribution, IntDistribution) and float(number).is_integer()
    problem = "between" if low <= number <= high else "outside"
    return Read(int(number) if is_whole else float(number), problem)


def _is_plain(distribution: BaseDistribution, value: object) -> bool:
    """Whether a value fits as it is. Most do, and this is several times faster than coercion."""
    if isinstance(distribution, CategoricalDistribution):
        return type(value) is str and value in distribution.choices
    if type(value) is float and type(distribution) is FloatDistribution:
        return distribution.step is None and distribution.low <= value <= distribution.high
    if type(value) is int and type(distribution) is IntDistribution:
        return distribution.step == 1 and distribution.low <= value <= distribution.high
    return False


def _finite_number(value: object) -> int | float | None:
    number = space_values.read_number(value)
    try:
        return number if number is not None and math.isfinite(float(number)) else None
    except OverflowError:
        return None


def _is_active(
    space: SearchSpace, name: str, known: Mapping[str, Value], unknown: set[str]
) -> bool | None:
    """Whether a hyperparameter is active; None if that depends on an unknown parent."""
    is_decided = True
    for parent, values in space.conditions.get(name, {}).items():
        if parent in unknown:
            is_decided = False
        elif parent not in known or not _is_among(known[parent], values):
            return False
    return True if is_decided else None


def _inferred(space: SearchSpace, parent: str, reads: Mapping[str, Read]) -> Value | None:
    """The only value of a parent that goes with all the children that a trial has."""
    waits = [
        when[parent]
        for child, when in space.conditions.items()
        if parent in when and child in reads and reads[child].problem != "missing"
    ]
    fitting: list[Value] = []
    for value in waits[0] if waits else ():
        if all(_is_among(value, values) for values in waits) and not _is_among(value, fitting):
            fitting.append(value)
    return fitting[0] if len(fitting) == 1 else None


def _is_among(value: object, values: tuple[Value, ...] | list[Value]) -> bool:
    return any(space_values.is_same(each, value) for each in values)

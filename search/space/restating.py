"""Restates configurations of other searches in a space's terms.

A number outside the range keeps its value: clipping would tell a model that the edge of the range
performs like a value beyond it, and dropping the trial would lose what it measured. Missing values
are named, not filled in. Not for values of objectives, nor for the differences between two spaces
(`search/review`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from search.space.space import SearchSpace, Value
from search.space.values import Read, is_among, nearest, read


@dataclass(frozen=True)
class Restated:
    """A foreign configuration in a space's terms.

    Attributes:
        configuration: Active hyperparameters whose values are known.
        unknown: Active ones without a usable value, and those that may or may not be active.
        inferred: Parents that the configuration lacked, inferred from their children.
        is_exact: Whether the foreign configuration is one of the space without any change.
        reads: What was read for each of the space's names that the configuration states.
    """

    configuration: Mapping[str, Value]
    unknown: frozenset[str]
    inferred: frozenset[str]
    is_exact: bool
    reads: Mapping[str, Read]


def restate(space: SearchSpace, configuration: object, *, moves_inside: bool = False) -> Restated:
    """Restate a foreign configuration in a space's terms. Never raises.

    The space's conditions decide what is active. A missing parent is inferred if exactly one of its
    values agrees with the children that are stated; otherwise parent and children are unknown.

    Args:
        space: The space.
        configuration: Untrusted: values may be text, None, NaN, lists or far out of range.
        moves_inside: Whether a number that the space lacks becomes the nearest that it has, as
            Optuna's studies require. Then, if nothing is unknown, the space contains the result.

    Example:
        `{"width": "300", "momentum": 0.9}` in a space of `width` from 16 to 256 is
        `{"width": 300}`, and moved inside `{"width": 256}`.
    """
    stated = configuration if isinstance(configuration, Mapping) else {}
    reads = {
        name: read(distribution, stated[name])
        for name, distribution in space.distributions.items()
        if name in stated
    }
    present = {name for name, found in reads.items() if found.problem != "missing"}
    known: dict[str, Value] = {}
    unknown: set[str] = set()
    inferred: set[str] = set()
    lost: set[str] = set()  # a vanished category is none of those that activate a child
    for name, distribution in space.distributions.items():
        is_active = _is_active(space, name, known, unknown - lost)
        if is_active is False:
            continue
        found = reads.get(name, Read(None, "missing"))
        is_missing = is_active and found.problem == "missing"
        parent = _inferred(space, name, present) if is_missing else None
        if parent is not None:
            known[name] = parent
            inferred.add(name)
        elif is_active and found.is_known:
            known[name] = nearest(distribution, found.value) if moves_inside else found.value
        else:
            unknown.add(name)
            if is_active and found.problem == "vanished":
                lost.add(name)
    has_all = not unknown and len(known) == len(stated) == len(known.keys() & stated.keys())
    is_exact = has_all and not any(reads[name].problem for name in known)
    return Restated(known, frozenset(unknown), frozenset(inferred), is_exact, reads)


def _is_active(
    space: SearchSpace, name: str, known: Mapping[str, Value], unknown: Collection[str]
) -> bool | None:
    """Whether a hyperparameter is active; None if that depends on an unknown parent."""
    is_decided = True
    for parent, values in space.conditions.get(name, {}).items():
        if parent in unknown:
            is_decided = False
        elif parent not in known or not is_among(known[parent], values):
            return False
    return True if is_decided else None


def _inferred(space: SearchSpace, parent: str, present: Collection[str]) -> Value | None:
    """Return the only value of a parent that agrees with all the children that are present."""
    waits = [
        when[parent]
        for child, when in space.conditions.items()
        if parent in when and child in present
    ]
    fitting: list[Value] = []
    for value in waits[0] if waits else ():
        if all(is_among(value, values) for values in waits) and not is_among(value, fitting):
            fitting.append(value)
    return fitting[0] if len(fitting) == 1 else None

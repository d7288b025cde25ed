"""Conditions between hyperparameters: which of them count under which values of their parents.

For deciding what is active, for putting parents before children, and for counting the
configurations of a space that is finite. Not for the values of a single hyperparameter
(`values.py`) nor for a whole space (`space.py`).

Conditions are a mapping from each child to the values of its parents under which it is active; all
of the parents must have such a value, and be active themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any, TypeAlias

from search.space.values import is_same

_Conditions: TypeAlias = Mapping[str, Mapping[str, tuple[Any, ...]]]

# Stands for "any value of this parent that no condition names" when configurations are counted.
_OTHER = object()


def is_active(name: str, configuration: Mapping[str, Any], conditions: _Conditions) -> bool:
    """Whether a hyperparameter counts: each parent is active itself and has a named value."""
    return all(
        parent in configuration
        and any(is_same(value, configuration[parent]) for value in values)
        and is_active(parent, configuration, conditions)
        for parent, values in conditions.get(name, {}).items()
    )


def sorted_by_depth(names: list[str], conditions: _Conditions) -> list[str]:
    """Parents before children, otherwise in the order given.

    Raises:
        ValueError: Conditions form a cycle.
    """
    graph = {name: list(conditions.get(name, {})) for name in names}
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        raise ValueError(f"conditions form a cycle: {' > '.join(error.args[1])}") from error
    depth: dict[str, int] = {}
    for name in order:
        depth[name] = max((depth[parent] + 1 for parent in graph[name]), default=0)
    return sorted(names, key=lambda name: depth[name])


def count_configurations(counts: Mapping[str, int], conditions: _Conditions) -> int:
    """How many configurations there are.

    Args:
        counts: Name to its number of values, parents before children.
        conditions: Child to the values of its parents under which it is active.
    """
    return _count(counts, conditions, {}, 0)


def _count(
    counts: Mapping[str, int], conditions: _Conditions, configuration: dict[str, Any], index: int
) -> int:
    """Configurations that complete one whose first `index` hyperparameters are decided."""
    names = list(counts)
    total = 1
    while index < len(names):
        name = names[index]
        index += 1
        if not is_active(name, configuration, conditions):
            continue
        named = _named_values(name, conditions)
        if named:
            branches = sum(
                _count(counts, conditions, configuration | {name: value}, index) for value in named
            )
            others = counts[name] - len(named)
            decided = configuration | {name: _OTHER}
            rest = _count(counts, conditions, decided, index) if others else 0
            return total * (branches + others * rest)
        total *= counts[name]
    return total


def _named_values(parent: str, conditions: _Conditions) -> list[Any]:
    """The distinct values of a parent that some condition names."""
    named: list[Any] = []
    for parents in conditions.values():
        for value in parents.get(parent, ()):
            if not any(is_same(value, other) for other in named):
                named.append(value)
    return named

"""Conditions between hyperparameters: which are active under which values of their parents.

Decides what is active, sorts parents before children, and counts the configurations of a finite
space. Not for the values of one hyperparameter (`values.py`) nor for a whole space (`space.py`).

Conditions map each child to the values of its parents under which it is active; every parent must
have such a value and be active itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any, TypeAlias

from search.space.values import is_among

_Conditions: TypeAlias = Mapping[str, Mapping[str, tuple[Any, ...]]]

# In counting: any value of a parent that no condition names, and no value at all.
_OTHER, _INACTIVE = object(), object()


def is_active(name: str, configuration: Mapping[str, Any], conditions: _Conditions) -> bool:
    """Whether a hyperparameter is active: each parent is active and has one of the values."""
    return all(
        parent in configuration
        and is_among(configuration[parent], values)
        and is_active(parent, configuration, conditions)
        for parent, values in conditions.get(name, {}).items()
    )


def sorted_by_depth(names: list[str], conditions: _Conditions) -> list[str]:
    """Sort parents before children, otherwise in the order given.

    Raises:
        ValueError: The conditions form a cycle.
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


def count_configurations(
    counts: Mapping[str, int],
    conditions: _Conditions,
    decided: Mapping[str, Any] | None = None,
) -> int:
    """Count the configurations that complete one whose first hyperparameters are decided.

    Args:
        counts: Name to its number of values, parents before children.
        conditions: Child to the values of its parents under which it is active.
        decided: The decided hyperparameters, active or not; by default none.
    """
    decided = decided or {}
    name = next((each for each in counts if each not in decided), None)
    if name is None:
        return 1
    if not is_active(name, decided, conditions):
        return count_configurations(counts, conditions, {**decided, name: _INACTIVE})
    named = _named_values(name, conditions)
    branches = [*((value, 1) for value in named), (_OTHER, counts[name] - len(named))]
    return sum(
        times * count_configurations(counts, conditions, {**decided, name: value})
        for value, times in branches
        if times
    )


def _named_values(parent: str, conditions: _Conditions) -> list[Any]:
    """Return the distinct values of a parent that some condition names."""
    named: list[Any] = []
    for parents in conditions.values():
        for value in parents.get(parent, ()):
            if not is_among(value, named):
                named.append(value)
    return named

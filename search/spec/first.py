"""Reads the first configurations of a spec: what a search tries before all that it proposes itself.

They may be partial. What one lacks is completed as a cold search begins: with the model's default
where the space holds it, else with the middle of the range or the first choice; a choice on which
a given value depends is the one that makes it active. Not for the order of the trials
(`search/optimize/searcher.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution

from models.catalog import Hyperparameter, Value, usual
from search.space import SearchSpace
from search.space import values as space_values
from search.spec.errors import Document
from search.spec.sections import Budget, Sampler

FIRST = "first"


def check_first(
    document: Document, space: SearchSpace, budget: Budget, sampler: Sampler
) -> tuple[dict[str, Value], ...]:
    """Read the first configurations, as partial as they are, and check them against the space."""
    raw = document.data.get(FIRST)
    if raw is None:
        return ()
    if not isinstance(raw, list):
        document.add((FIRST,), "must be a list of configurations: begin each with `- `", raw)
        return ()
    if len(raw) > budget.trials:
        most = f"more than budget.trials ({budget.trials})"
        document.add((FIRST,), f"has {len(raw)} configurations, {most}; raise it, or give fewer")
    if raw and sampler.options.get("control"):
        message = "would be in one arm only, so the control arm would measure them, not history"
        document.add((FIRST,), f"{message}; remove this key, or sampler.options.control")
    found = [_read(document, index, each, space) for index, each in enumerate(raw)]
    return tuple(found)


def completed_first(
    given: Mapping[str, Value], space: SearchSpace, known: Mapping[str, Hyperparameter]
) -> dict[str, Value]:
    """Return a first configuration with all that the space asks for.

    Args:
        given: What the user gives, each value one that the space holds, and what the task fixes.
        space: The space of the search.
        known: The catalog's hyperparameters of the model; empty for the user's own function.
    """
    given = {**_implied(given, space, known), **given}
    return space.assemble(
        lambda name, kind: given[name] if name in given else _usual(name, space, known, given)
    )


def _implied(
    given: Mapping[str, Value], space: SearchSpace, known: Mapping[str, Hyperparameter]
) -> dict[str, Value]:
    """Return the values of missing parents under which what is given is active."""
    implied: dict[str, Value] = {}
    for child in reversed(list(space.distributions)):  # parents come before children
        for parent, values in space.conditions.get(child, {}).items():
            is_needed = child in given or child in implied
            if is_needed and parent not in given and parent not in implied:
                value = _usual(parent, space, known, given)
                is_active = space_values.is_among(value, values)
                implied[parent] = value if is_active else values[0]
    return implied


def _usual(
    name: str,
    space: SearchSpace,
    known: Mapping[str, Hyperparameter],
    given: Mapping[str, Value],
) -> Value:
    kind = space.distributions[name]
    if name in known:
        default: Value = usual(known[name], given)
        if space_values.holds(kind, default):
            return default
    middle: Value = space_values.middle(kind)
    return middle


def _read(document: Document, index: int, raw: Any, space: SearchSpace) -> dict[str, Value]:
    path = (FIRST, index)
    if not isinstance(raw, dict):
        message = "must map hyperparameters to values, such as {width: 16}"
        document.add(path, message, "null" if raw is None else raw)
        return {}
    found: dict[str, Value] = {}
    for name, value in raw.items():
        kind = space.distributions.get(name)
        if kind is None:
            _note_unknown(document, (*path, name), name, space)
        elif (legal_value := _legal(kind, value)) is not None:
            found[name] = legal_value
        else:
            legal: Sequence[object] = getattr(kind, "choices", ())
            message = "must be one of the choices in space"
            if not legal:
                message = f"must be in the range in space: {space_values.describe(kind)}"
            document.add((*path, name), message, "null" if value is None else value, legal)
    if len(found) == len(raw):
        _check_active(document, index, found, space)
    return found


def _legal(kind: BaseDistribution, value: Any) -> Value | None:
    """Return a value in the type of its hyperparameter; None if it is not legal."""
    if isinstance(kind, CategoricalDistribution):
        place = space_values.index_of(kind, value)
        return None if place is None else kind.choices[place]
    found = space_values.read(kind, value)
    return found.value if space_values.is_number(value) and not found.problem else None


def _note_unknown(
    document: Document, path: tuple[str | int, ...], name: str, space: SearchSpace
) -> None:
    settings = document.task.get("settings")
    if isinstance(settings, dict) and name in settings:
        document.add(path, f"is fixed to {settings[name]} in task.settings; leave it out")
    else:
        document.add(path, "is no hyperparameter of this space", allowed=space.distributions)


def _check_active(
    document: Document, index: int, given: Mapping[str, Value], space: SearchSpace
) -> None:
    active = completed_first(given, space, document.known or {})
    for name in (each for each in given if each not in active):
        for parent, values in space.conditions[name].items():
            if not space_values.is_among(active.get(parent), values):
                legal = ", ".join(space_values.brief(each) for each in values)
                state = f"{parent}, which is not active itself"
                if parent in active:
                    state = f"{parent} = {space_values.brief(active[parent])}"
                message = f"has no effect under {state}; remove it, or set {parent} to {legal}"
                document.add((FIRST, index, name), message, given[name])

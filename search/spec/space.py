"""Checks a spec's hyperparameters and settings, alone and against the catalog.

Checks names, types and ranges; conditions are in `conditions.py`. Not for sampling
(`search/space/space.py`) nor for the legal ranges themselves (`models/catalog.py`).
"""

from __future__ import annotations

import re

from models.catalog import NETWORKS, OWN_PREFIX, Hyperparameter, Value, is_own
from search.space import SearchSpace
from search.space.limits import problem_of_range
from search.space.values import GRID_TOLERANCE, is_among
from search.spec.checks import read_part
from search.spec.conditions import Parts, check_conditions, check_cycles, check_parents
from search.spec.errors import Document, KeyPath
from search.spec.initial_weights import INITIAL_WEIGHTS, check_choices
from search.spec.robustness import threat_keys
from search.spec.sections import NAME, NAME_RULE, HyperparameterSpec

_NUMERIC_KEYS = ("low", "high", "log", "step")
_SAME_FOR_ALL = (
    "robustness settings cannot be searched or set per model: the evaluation is the same for every "
    "trial, or their accuracies would not be comparable. Put it under `robustness:`"
)


def space_of(parts: Parts) -> SearchSpace:
    """Return hyperparameters as Optuna distributions, with their conditions."""
    return SearchSpace(
        {name: part.distribution() for name, part in parts.items()},
        {name: dict(part.when) for name, part in parts.items() if part.when},
    )


def check_settings(document: Document) -> dict[str, Value]:
    """Return the task's fixed hyperparameters in the catalog's types; note illegal ones."""
    raw = document.task.get("settings")
    settings: dict[str, Value] = {}
    for name, value in (raw if isinstance(raw, dict) else {}).items():
        path = ("task", "settings", name)
        # Values of another type are noted with the task.
        if _is_legal_name(document, path) and isinstance(value, bool | int | float | str):
            known = document.known
            legal = known.get(name) if known else None
            settings[name] = _read_legal(document, path, value, legal) if legal else value
    for name in settings:
        check_parents(document, ("task", "settings", name), settings, {})
    return settings


def check_space(document: Document, settings: dict[str, Value]) -> Parts:
    """Return the hyperparameters that could be read, with the catalog's conditions added."""
    raw, known = document.data.get("space"), document.known
    if not isinstance(raw, dict) or not raw:
        message = "must map at least one hyperparameter to its values"
        document.add(("space",), message, raw, known or ())
        return {}
    parts: Parts = {}
    for name, entry in raw.items():
        path = ("space", name)
        is_named = _is_legal_name(document, path)
        if name in settings:
            document.add(path, "is fixed in task.settings too; keep one of the two")
        part = read_part(document, path, HyperparameterSpec, entry)
        if part is None:
            continue
        before = len(document.problems)
        _check_shape(document, path, part)
        if is_named and known is not None and name == INITIAL_WEIGHTS:
            check_choices(document, part)
        elif is_named and known is not None and name in known:
            part = _check_legal(document, path, part, known[name])
        if is_named and len(document.problems) == before:
            parts[name] = part
    for name, part in parts.items():
        check_conditions(document, name, part, parts, settings)
    check_cycles(document, parts)
    for name in list(parts):
        check_parents(document, ("space", name), settings, parts)
    if len(parts) == len(raw) and all(part.distribution().single() for part in parts.values()):
        message = (
            "has one value for each hyperparameter, so there is nothing to search; add another"
        )
        document.add(("space",), message)
    return parts


def _is_legal_name(document: Document, path: KeyPath) -> bool:
    """Whether a hyperparameter may have its name; notes the problem if not."""
    name, model, known = str(path[-1]), document.model, document.known
    is_threat = known is not None and name in threat_keys(model) and name not in known
    if is_threat or name.startswith("robustness."):
        document.add(path, _SAME_FOR_ALL)
    elif not re.match(NAME, name):
        document.add(path, NAME_RULE)
    elif is_own(model, name) or path == ("space", INITIAL_WEIGHTS):
        return True
    elif known is not None and name not in known:
        document.add(path, _unknown(model), allowed=known)
    else:
        return True
    return False


def _unknown(model: str) -> str:
    if model in NETWORKS:
        return f"unknown hyperparameter of training; your network's own begin with `{OWN_PREFIX}`"
    return f"unknown hyperparameter of model {model}"


def _legal(hyperparameter: Hyperparameter) -> tuple[object, ...]:
    return hyperparameter.choices or (f"{hyperparameter.low} to {hyperparameter.high}",)


def _read_legal(document: Document, path: KeyPath, value: Value, legal: Hyperparameter) -> Value:
    """Return a value in the catalog's type; note an illegal one and return it as it is."""
    try:
        return legal.check(value)
    except (ValueError, OverflowError):
        message = f"is not a legal value of {legal.name} ({legal.kind})"
        document.add(path, message, value, _legal(legal))
        return value


def _check_shape(document: Document, path: KeyPath, part: HyperparameterSpec) -> None:
    """Check that type, range and choices make a distribution."""
    foreign: tuple[str, ...] = ("choices",)
    if part.type == "categorical":
        foreign = _NUMERIC_KEYS
        choices = part.choices or ()
        if not choices:
            document.add((*path, "choices"), "names no value; list at least one")
        for index, choice in enumerate(choices):
            if is_among(choice, choices[:index]):
                document.add((*path, "choices", index), "is listed twice", choice)
    elif part.type == "bool":
        foreign = (*_NUMERIC_KEYS, "choices")
    else:
        _check_range(document, path, part)
    for key in foreign:
        if key in part.model_fields_set:
            value = getattr(part, key)
            shown = list(value) if isinstance(value, tuple) else value
            document.add((*path, key), f"type {part.type} has no such key; remove it", shown)


def _check_range(document: Document, path: KeyPath, part: HyperparameterSpec) -> None:
    low, high, step = part.low, part.high, part.step
    before = len(document.problems)
    for key, number in (("low", low), ("high", high), ("step", step)):
        if number is None and key != "step":
            document.add((*path, key), f"is missing; type {part.type} has a low and a high")
        elif number is not None and part.type == "int" and number != int(number):
            document.add((*path, key), "must be a whole number, since type is int", number)
    if low is None or high is None:
        return
    if low >= high:
        message = f"must be below high ({high}); a single value belongs in task.settings"
        document.add((*path, "low"), message, low)
    elif part.log and low <= 0:
        document.add((*path, "low"), "must be above 0 with log: true", low)
    if step is not None and part.log:
        document.add((*path, "step"), "does not go with log: true; remove one of them", step)
    elif step is not None and step <= 0:
        document.add((*path, "step"), "must be above 0", step)
    if len(document.problems) > before:
        return
    is_whole = part.type == "int"
    key, why = problem_of_range(low, high, step, log=part.log, is_whole=is_whole)
    if key:
        document.add((*path, key), why, getattr(part, key))
    elif step is not None and not _is_reached(low, high, step, is_whole=is_whole):
        reached = low + int((high - low) / step) * step
        message = f"is not low plus whole steps of {step}; the last step reaches {reached}"
        document.add((*path, "high"), message, high)


def _is_reached(low: float, high: float, step: float, *, is_whole: bool) -> bool:
    """Whether whole steps from low reach high, as far as floats can say."""
    if is_whole:
        return (int(high) - int(low)) % int(step) == 0
    steps = (high - low) / step
    return abs(steps - round(steps)) <= GRID_TOLERANCE


def _check_legal(
    document: Document, path: KeyPath, part: HyperparameterSpec, legal: Hyperparameter
) -> HyperparameterSpec:
    """Return a hyperparameter in the catalog's types; note values outside its range."""
    if part.type == "bool" and legal.choices == (False, True):
        return part
    if part.type not in (legal.kind, "categorical"):
        kinds = dict.fromkeys((legal.kind, "categorical"))
        document.add((*path, "type"), f"{legal.name} is of another type", part.type, kinds)
        return part
    if part.type != "categorical":
        assert legal.low is not None and legal.high is not None
        for key, number in (("low", part.low), ("high", part.high)):
            if number is not None and not legal.low <= number <= legal.high:
                message = f"outside the legal range of {legal.name}"
                document.add((*path, key), message, number, _legal(legal))
        return part
    choices = tuple(
        _read_legal(document, (*path, "choices", index), choice, legal)
        for index, choice in enumerate(part.choices or ())
    )
    return part.model_copy(update={"choices": choices})

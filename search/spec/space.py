"""Whether a spec's hyperparameters and settings make sense, alone and against the catalog.

For names, types and ranges; what is active under what is in `conditions.py`. Not for sampling
(`space.py`) nor for the legal ranges themselves (`models/catalog.py`).
"""

from __future__ import annotations

import re

from models.catalog import Hyperparameter, Value
from search.space.values import is_same
from search.spec.checks import read_part
from search.spec.conditions import Known, Parts, check_conditions, check_cycles, check_parents
from search.spec.errors import Document, KeyPath
from search.spec.initial_weights import INITIAL_WEIGHTS, check_choices
from search.spec.parts import NAME, HyperparameterSpec
from search.spec.robustness import threat_keys

_NUMERIC_KEYS = ("low", "high", "log", "step")
_SAME_FOR_ALL = (
    "robustness settings cannot be searched or set per model: the evaluation is the same for every "
    "trial, or their figures could not be compared. Put it under `robustness:`"
)


def check_settings(document: Document, known: Known | None) -> dict[str, Value]:
    """The task's fixed hyperparameters, in the catalog's types."""
    task = document.data.get("task")
    raw = task.get("settings") if isinstance(task, dict) else None
    if not isinstance(raw, dict):
        return {}  # said when the task was read
    settings: dict[str, Value] = {}
    for name, value in raw.items():
        path = ("task", "settings", name)
        if not _check_name(document, path, name, known):
            continue
        if not isinstance(value, bool | int | float | str):
            continue
        settings[name] = value
        if known is not None:
            try:
                settings[name] = known[name].check(value)
            except (ValueError, OverflowError):
                legal = _legal(known[name])
                document.add(path, f"outside its legal values ({known[name].kind})", value, legal)
    for name in settings:
        check_parents(document, ("task", "settings", name), name, known, settings, {})
    return settings


def check_space(document: Document, known: Known | None, settings: dict[str, Value]) -> Parts:
    """The hyperparameters that could be read, with the catalog's conditions added."""
    raw = document.data.get("space")
    if not isinstance(raw, dict) or not raw:
        names = known or ()
        document.add(("space",), "must map at least one hyperparameter to its values", raw, names)
        return {}
    parts: Parts = {}
    for name, entry in raw.items():
        path = ("space", name)
        is_named = _check_name(document, path, name, known)
        if name in settings:
            document.add(path, "is fixed in task.settings too; keep one of the two")
        part = read_part(document, path, HyperparameterSpec, entry)
        if part is None:
            continue
        before = len(document.problems)
        _check_shape(document, path, part)
        if is_named and known is not None and name == INITIAL_WEIGHTS:
            check_choices(document, part)
        elif is_named and known is not None:
            part = _check_legal(document, path, part, known[name])
        if is_named and len(document.problems) == before:
            parts[name] = part
    for name, part in parts.items():
        check_conditions(document, name, part, parts, settings)
    check_cycles(document, parts)
    for name in list(parts):
        check_parents(document, ("space", name), name, known, settings, parts)
    return parts


def _check_name(document: Document, path: KeyPath, name: str, known: Known | None) -> bool:
    task = document.data.get("task")
    model = task.get("model") if isinstance(task, dict) else None
    is_threat = known is not None and name in threat_keys(model) and name not in known
    if is_threat or name.startswith("robustness."):
        document.add(path, _SAME_FOR_ALL)
        return False
    if not re.match(NAME, name):
        message = "may hold letters, digits, `_` and `.` only, and starts with a letter"
        document.add(path, message)
        return False
    is_start = name == INITIAL_WEIGHTS and path[0] == "space"
    if known is not None and name not in known and not is_start:
        document.add(path, f"unknown hyperparameter of model {model}", allowed=known)
        return False
    return True


def _legal(hyperparameter: Hyperparameter) -> tuple[object, ...]:
    if hyperparameter.choices is not None:
        return hyperparameter.choices
    return (f"{hyperparameter.low} to {hyperparameter.high}",)


def _check_shape(document: Document, path: KeyPath, part: HyperparameterSpec) -> None:
    """Whether type, range and choices make a distribution."""
    foreign: tuple[str, ...] = ("choices",)
    if part.type == "categorical":
        foreign = _NUMERIC_KEYS
        choices = part.choices or ()
        if len(choices) < 2:
            message = "needs at least two; a single value belongs in task.settings"
            document.add((*path, "choices"), message, list(choices) or None)
        for index, choice in enumerate(choices):
            if any(is_same(choice, other) for other in choices[:index]):
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
    numbers = {"low": low, "high": high, "step": step}
    for key, number in numbers.items():
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
    if step is None:
        return
    if part.log:
        document.add((*path, "step"), "does not go with log: true; remove one of them", step)
    elif step <= 0:
        document.add((*path, "step"), "must be above 0", step)
    elif low < high and abs((high - low) / step - round((high - low) / step)) > 1e-8:
        reached = low + int((high - low) / step) * step
        message = f"is not low plus whole steps of {step}; the last step reaches {reached}"
        document.add((*path, "high"), message, high)


def _check_legal(
    document: Document, path: KeyPath, part: HyperparameterSpec, legal: Hyperparameter
) -> HyperparameterSpec:
    """A hyperparameter in the catalog's types; what lies outside its range is noted."""
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
    choices: list[Value] = []
    for index, choice in enumerate(part.choices or ()):
        try:
            choices.append(legal.check(choice))
        except (ValueError, OverflowError):
            message = f"not a legal value of {legal.name}"
            document.add((*path, "choices", index), message, choice, _legal(legal))
    return part.model_copy(update={"choices": tuple(choices)})

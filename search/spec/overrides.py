"""Overrides of a spec: `--set space.width.high=64`, or keywords in Python.

Keys are resolved against the document, so the points inside `sgd.learning_rate` need no escape. New
values are checked later, with everything else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import fields
from typing import Any

import yaml

from search.spec.checks import SAMPLER_OPTIONS
from search.spec.errors import Document, KeyPath, Problem, nearest_name
from search.spec.initial_weights import INITIAL_WEIGHTS
from search.spec.robustness import threat_type
from search.spec.sections import Data, HyperparameterSpec, ObjectiveKeys
from search.spec.spec import Spec
from search.spec.yaml_document import Loader

_SET = "--set"


def override(document: Document, text: str) -> None:
    r"""Set one value in a document, and note there what is wrong with the override.

    Args:
        document: Changed in place.
        text: `key=value`, the value in YAML. At each level the longest existing key is taken; `\.`
            never separates.
    """
    key, equals, value_text = text.partition("=")
    if not equals or not key.strip():
        _note(document, _SET, text, "is not key=value, such as budget.trials=4")
        return
    try:
        value = yaml.load(value_text, Loader)
    except (yaml.YAMLError, ValueError, RecursionError):
        _note(document, _SET, key, "the value is not YAML; quote it", value_text)
        return
    set_value(document, key, value, _SET)


def set_value(
    document: Document, key: str, value: Any, source: str, *, merges: bool = False
) -> None:
    r"""Set one value in a document, and note there what is wrong with its key.

    Args:
        document: Changed in place.
        key: Dotted. At each level the longest existing key is taken; `\.` never separates.
        value: Plain data.
        source: Where the value comes from, for messages.
        merges: Whether a mapping changes the keys that it names alone, and keeps the others.
    """
    dotted = re.sub(r"\[(\d+)\]", r".\1", key.strip())  # objectives[0], as messages write it
    names = [part.replace("\\.", ".") for part in re.split(r"(?<!\\)\.", dotted)]
    container: Any = document.data
    path: KeyPath = ()
    while True:
        step = _resolve(document, container, path, names, source)
        if step is None:
            return
        key, names = step
        path = (*path, key)
        if not names:
            break
        if isinstance(container, dict) and container.get(key) is None:
            container[key] = {}
        container = container[key]
    _put(document, container, path, value, source, merges)


def _put(
    document: Document, container: Any, path: KeyPath, value: Any, source: str, merges: bool
) -> None:
    old = container.get(path[-1]) if isinstance(container, dict) else None
    if merges and isinstance(value, dict) and isinstance(old, dict):
        for key, inner in value.items():
            _put(document, old, (*path, key), inner, source, merges)
        return
    container[path[-1]] = value
    for place in [each for each in document.places if each[: len(path)] == path]:
        del document.places[place]
    document.places[path] = (source, None)


def _resolve(
    document: Document, container: Any, path: KeyPath, names: list[str], source: str
) -> tuple[Any, list[str]] | None:
    """Return the key of a container that the names begin with, and the names after it."""
    written = ".".join(str(each) for each in (*path, *names))
    if isinstance(container, list):
        if names[0].isdecimal() and int(names[0]) < len(container):
            return int(names[0]), names[1:]
        _note(
            document, source, written, f"there is no entry {names[0]}", None, range(len(container))
        )
        return None
    if not isinstance(container, dict):
        _note(document, source, written, "is below a value that has no keys", container)
        return None
    legal = _legal_names(document, path)
    for end in range(len(names), 0, -1):
        key = ".".join(names[:end])
        if key in container or (legal is not None and key in legal):
            return key, names[end:]
    if legal is None:
        return ".".join(names), []
    allowed = dict.fromkeys((*legal, *container)) if path else Spec.model_fields
    _note(document, source, written, f"unknown key `{names[0]}`", None, allowed, ".".join(names))
    return None


def _legal_names(document: Document, path: KeyPath) -> Iterable[str] | None:
    """Return the keys that a mapping of the spec may have; None if they are free."""
    known = document.known
    match path:
        case ():
            return Spec.model_fields
        case ("space",) if known is not None:
            return (*known, INITIAL_WEIGHTS)
        case ("task", "settings"):
            return known
        case ("initial_weights",):
            return ("from", "pick")
        case ("space", str()):
            return HyperparameterSpec.model_fields
        case ("task", "data"):
            return Data.model_fields
        case ("sampler", "options"):
            name = document.data["sampler"].get("name", "warm")
            return SAMPLER_OPTIONS.get(name) if isinstance(name, str) else None
        case ("robustness",):
            return [each.name for each in fields(threat_type(document.model))]
        case (str(section),) if section in Spec.model_fields:
            return getattr(Spec.model_fields[section].annotation, "model_fields", None)
        case ("objectives", int()):
            return ObjectiveKeys.model_fields
    return None


def _note(
    document: Document,
    source: str,
    key: str,
    message: str,
    value: Any = None,
    allowed: Iterable[object] = (),
    wrong: str | None = None,
) -> None:
    names = tuple(str(each) for each in allowed)
    first = (wrong or "").split(".")[0]
    close = nearest_name(wrong or "", names) or nearest_name(first, names)
    document.problems.append(Problem(source, None, key, value, message, names, close))

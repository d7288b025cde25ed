"""Similarity of an earlier task to the new one, from their fingerprints alone.

The same task id means similarity 1. Other tasks are compared attribute by attribute; an attribute
that one of them does not state counts half. `apply/` weights tasks by their results as they come
in.

Source: the idea of comparing tasks by simple properties of their data is that of Feurer et al.
2015, "Initializing Bayesian hyperparameter optimization via meta-learning"; the weights are ours.
"""

from __future__ import annotations

import math
import operator
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from search.history import History

# Less similar tasks say nothing about this one in words; the model may still use their predictions,
# by the weight that these earn. Another data set of the same kind with the same model is above
# (about 0.6), another model with nothing else stated is below (0.375).
RELEVANT = 0.4

# Another task never counts as the same one, even with an equal fingerprint.
_MOST_FOR_ANOTHER_TASK = 0.99


class Similarity(NamedTuple):
    """Similarity 0 to 1, and the reasons in words."""

    value: float
    reasons: tuple[str, ...]


def compare_tasks(
    task: str, fingerprint: Mapping[str, Any], other: str, other_fingerprint: Mapping[str, Any]
) -> Similarity:
    """Returns the similarity of two tasks, each given by id and fingerprint; symmetric.

    A fingerprint is the JSON object that a search logs, see `Spec.fingerprint`: `data` (a
    `DataDescription` or null), `model`, `settings`, `epochs` and `robustness`. Anything may be
    missing, which counts as not stated.
    """
    if task == other:
        return Similarity(1.0, ("the same task",))
    total = 0.0
    reasons: list[str] = []
    ours, theirs = _attributes(fingerprint), _attributes(other_fingerprint)
    for name, (weight, alike) in _ATTRIBUTES.items():
        if ours[name] is None or theirs[name] is None:
            total += 0.5 * weight
            continue
        score = float(alike(ours[name], theirs[name]))
        total += score * weight
        reasons.append(_reason(_NAMES.get(name, name), score))
    return Similarity(min(total, _MOST_FOR_ANOTHER_TASK), tuple(reasons) or ("nothing is stated",))


def similarities_of(
    history: History, task: str, fingerprint: Mapping[str, Any]
) -> dict[str, Similarity]:
    """Returns earlier search -> similarity of its task to a task, given by id and fingerprint."""
    columns = (history.trials.column(name).to_pylist() for name in ("search", "task"))
    tasks: dict[str, str] = {}
    for search, other in zip(*columns, strict=True):
        tasks.setdefault(search, other)
    found: dict[str, Similarity] = {}
    for search, other in tasks.items():
        known = history.searches.get(search)
        found[search] = compare_tasks(task, fingerprint, other, known.fingerprint if known else {})
    return found


# What the numbers of a fingerprint count, so that "same" means no more than it says.
_NAMES = {
    "kind": "kind of data", "classes": "number of classes", "size": "number of examples",
    "epochs": "number of epochs",
}  # fmt: skip


def _reason(name: str, score: float) -> str:
    if score >= 1.0:
        return f"same {name}"
    return f"other {name}" if score <= 0.0 else f"{name} {score:.0%} alike"


def _attributes(fingerprint: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a fingerprint's values by the names of `_ATTRIBUTES`; None if not stated."""
    data = _mapping(fingerprint.get("data")) or {}
    return {
        "data": [data.get("digest"), data["name"]] if data.get("name") else None,
        "kind": data.get("kind"),
        "shape": data.get("shape"),
        "classes": data.get("classes"),
        "size": data.get("train"),
        "model": fingerprint.get("model"),
        "epochs": fingerprint.get("epochs"),
        "settings": _mapping(fingerprint.get("settings")),
        "threat": _mapping(fingerprint.get("robustness")),
    }


def _mapping(value: Any) -> Mapping[str, Any] | None:
    return value if isinstance(value, Mapping) else None


def _data(first: Any, second: Any) -> float:
    # Two versions may share a name, so the digest decides if both are stated.
    if first[0] and second[0]:
        return 1.0 if first[0] == second[0] else (0.5 if first[1] == second[1] else 0.0)
    return float(first[1] == second[1])


def _ratio(first: Any, second: Any) -> float:
    """Returns 1 if equal, 0 from a factor of 100 on, linear in the logarithm in between."""
    if not (_is_count(first) and _is_count(second)):
        return 0.0
    return max(0.0, 1.0 - abs(math.log(first / second)) / math.log(100.0))


def _is_count(value: Any) -> bool:
    # From a store: JSON has integers that no float can hold.
    return isinstance(value, int | float) and 1 <= value <= sys.float_info.max


def _shape(first: Any, second: Any) -> float:
    if not (_is_list(first) and _is_list(second)) or len(first) != len(second) or not first:
        return 0.0
    return sum(map(_ratio, first, second)) / len(first)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _shared(first: Mapping[str, Any], second: Mapping[str, Any]) -> float:
    """Returns the share of entries of both that are equal; 1 if both are empty."""
    names = {*first, *second}
    same = sum(name in first and name in second and first[name] == second[name] for name in names)
    return same / len(names) if names else 1.0


# Name -> weight and comparison. The weights add up to 1. Data and model have the largest ones: for
# one model on other data sets configurations rank similarly (rank correlation 0.91 on HPOBench),
# while another model has other hyperparameters.
_ATTRIBUTES: Mapping[str, tuple[float, Callable[[Any, Any], float]]] = {
    "data": (0.25, _data),
    "kind": (0.10, operator.eq),
    "shape": (0.05, _shape),
    "classes": (0.10, _ratio),
    "size": (0.05, _ratio),
    "model": (0.25, operator.eq),
    "epochs": (0.05, _ratio),
    "settings": (0.05, _shared),
    "threat": (0.10, _shared),
}

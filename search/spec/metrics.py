"""Whether the metrics of a spec are reported: its objectives, and what history is renamed to.

For names of metrics against the catalog and the threat. Not for how the threat itself is checked
(`robustness.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.catalog import AnyThreat, Hyperparameter
from models.scores.metric_names import MetricName
from search.objectives import Objective
from search.objectives.objective import NAMES, PARETO, Role
from search.spec.checks import read_part
from search.spec.errors import Document, KeyPath
from search.spec.parts import HistorySettings, ObjectiveKeys
from search.spec.robustness import (
    full_name,
    reported_metrics,
    short_name,
    why_no_objective,
)

# Role -> the key that it alone has, and what that holds.
_OWNERS = {
    "constraint": ("bound", "the value that a trial must reach, such as bound: 0.80"),
    "lexicographic": (
        "tolerance",
        "how far behind the best first value still counts, such as tolerance: 0.01",
    ),
}


def check_objectives(document: Document, threat: AnyThreat | None) -> tuple[Objective, ...]:
    """Objectives with the threat's name for `accuracy.robust`, or `f1.robust` of entities."""
    raw, path = document.data.get("objectives"), ("objectives",)
    if not isinstance(raw, list) or not raw:
        message = "must be a list of at least one {metric, direction}"
        document.add(path, message, raw or None)
        return ()
    legal, short = reported_metrics(document, threat), short_name(document)
    objectives: dict[str, Objective] = {}
    are_sound = _check_roles(document, path, raw)
    for index, entry in enumerate(raw):
        keys = read_part(document, (*path, index), ObjectiveKeys, entry)
        if keys is None:
            continue
        metric, where = keys.metric, (*path, index, "metric")
        if legal:
            metric = full_name(document, metric, threat)
            # With a faulty threat the names of metrics under attack cannot be told.
            name = MetricName.parse(metric)
            is_unclear = threat is None and name.is_attacked and name.split == "validation"
            if metric not in (*legal, short) and not is_unclear:
                message = why_no_objective(document, metric, threat)
                document.add(where, message, metric, (*legal, short))
        if metric in objectives:
            document.add(where, "this metric is an objective already", keys.metric)
        role = Role(keys.role, keys.bound, keys.tolerance) if are_sound else PARETO
        objectives[metric] = Objective(metric, keys.direction, role)
    return tuple(objectives.values())


def _check_roles(document: Document, path: KeyPath, raw: list[Any]) -> bool:
    """Whether each role has what it needs and nothing of another's; one lexicographic at most."""
    before = len(document.problems)
    lexicographic = None
    for index, entry in enumerate(raw):
        if not isinstance(entry, dict):
            continue
        role, where = entry.get("role", "pareto"), (*path, index)
        if index == 0 and role != "pareto":
            message = (
                "the first objective is searched itself; leave this key out, or put another "
                "objective first"
            )
            document.add((*where, "role"), message, role)
        for owner, (key, needed) in _OWNERS.items():
            if role == owner and entry.get(key) is None:
                document.add((*where, key), f"is missing: role {owner} needs {needed}")
            elif role != owner and entry.get(key) is not None and role in NAMES:
                message = f"role {role} has no {key}; remove it, or write role: {owner}"
                document.add((*where, key), message, entry[key])
        if role == "lexicographic" and lexicographic is not None:
            message = (
                f"objectives[{lexicographic}] is lexicographic already and decides alone; make one "
                f"of them pareto, constraint or report"
            )
            document.add((*where, "role"), message, role)
        lexicographic = (
            index if role == "lexicographic" and lexicographic is None else lexicographic
        )
    return len(document.problems) == before


def check_history(
    document: Document,
    known: Mapping[str, Hyperparameter] | None,
    objectives: tuple[Objective, ...],
    threat: AnyThreat | None,
) -> HistorySettings | None:
    """History settings whose renamings lead to hyperparameters and metrics that there are."""
    path = ("history",)
    history = read_part(document, path, HistorySettings, document.data.get("history", {}))
    if history is None:
        return None
    if history.enabled and not history.experiments:
        message = "names no experiment; write enabled: false to start from nothing"
        document.add((*path, "experiments"), message)
    space = document.data.get("space")
    names = known or (space if isinstance(space, dict) else {})
    for old, new in history.rename.items():
        if names and new not in names:
            document.add((*path, "rename", old), "leads to no hyperparameter", new, names)
    short = short_name(document)
    legal = (*reported_metrics(document, threat), *(each.metric for each in objectives), short)
    renamed = dict(history.rename_metrics)
    for old, new in history.rename_metrics.items():
        renamed[old] = full_name(document, new, threat)
        if known is not None and threat is not None and new not in legal:
            document.add((*path, "rename_metrics", old), "leads to no metric", new, legal)
    return history.model_copy(update={"rename_metrics": renamed})

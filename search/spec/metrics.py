"""Checks that the metrics of a spec's objectives and of its renames exist.

Compares metric names with the catalog and the threat. Not for how the threat itself is checked
(`robustness.py`).
"""

from __future__ import annotations

from typing import Any

from models.catalog import AnyThreat
from models.scores.cost_names import natural_direction
from models.scores.metric_names import MetricName
from search.objectives import Objective
from search.objectives.objective import DIRECTIONS, KEYS, NAMES, PARETO, Role
from search.spec.checks import read_part
from search.spec.errors import Document
from search.spec.robustness import (
    full_name,
    reported_metrics,
    short_name,
    why_no_objective,
)
from search.spec.sections import HistorySettings, ObjectiveKeys


def check_objectives(document: Document, threat: AnyThreat | None) -> tuple[Objective, ...]:
    """Read the objectives; `accuracy.robust`, or `f1.robust` of entities, gets its full name."""
    raw, path = document.data.get("objectives"), ("objectives",)
    if not isinstance(raw, list) or not raw:
        message = "must be a list of at least one {metric, direction}"
        document.add(path, message, raw or None)
        return ()
    legal = (*reported_metrics(document, threat), short_name(document))
    objectives: dict[str, Objective] = {}
    are_sound = _check_roles(document, raw)
    for index, entry in enumerate(raw):
        keys = read_part(document, (*path, index), ObjectiveKeys, entry)
        # A wrong direction or role must not hide a wrong metric.
        given = entry.get("metric") if isinstance(entry, dict) else None
        if not isinstance(given, str):
            continue
        metric, where = full_name(document, given, threat), (*path, index, "metric")
        # With a faulty threat the names of metrics under attack are unknown.
        name = MetricName.parse(metric)
        is_unclear = threat is None and name.is_attacked and name.split == "validation"
        if document.known is not None and metric not in legal and not is_unclear:
            document.add(where, why_no_objective(document, metric, threat), metric, legal)
        if keys is None:
            continue
        if metric in objectives:
            document.add(where, "this metric is an objective already", keys.metric)
        natural = natural_direction(metric)
        direction = keys.direction or natural
        # What a user's own function reports under such a name is its own affair.
        if document.known is not None and natural is not None and direction != natural:
            message = f"is the wrong one: a search that {direction}s {metric} looks for the worst"
            document.add((*path, index, "direction"), message, direction, (natural,))
        if direction is None:
            message = "is missing, and the name of this metric does not say which is better"
            document.add((*path, index, "direction"), message, None, DIRECTIONS)
            continue
        role = Role(keys.role, keys.bound, keys.tolerance) if are_sound else PARETO
        objectives[metric] = Objective(metric, direction, role)
    return tuple(objectives.values())


def _check_roles(document: Document, raw: list[Any]) -> bool:
    """Check that each role has its own key and no other's, and that at most one decides alone."""
    before = len(document.problems)
    lexicographic: list[int] = []
    for index, entry in enumerate(raw):
        if not isinstance(entry, dict):
            continue
        role, where = entry.get("role", "pareto"), ("objectives", index)
        if index == 0 and role != "pareto":
            document.add(
                (*where, "role"),
                "the first objective is always pareto; leave this key out, or put another "
                "objective first",
                role,
            )
        for owner, (key, needed) in KEYS.items():
            value = entry.get(key)
            if role == owner and value is None:
                document.add((*where, key), f"is missing: role {owner} needs {needed}")
            elif role != owner and value is not None and role in NAMES:
                message = f"role {role} has no {key}; remove it, or write role: {owner}"
                document.add((*where, key), message, value)
        if role == "lexicographic":
            lexicographic.append(index)
    for index in lexicographic[1:]:
        document.add(
            ("objectives", index, "role"),
            f"objectives[{lexicographic[0]}] is lexicographic already and decides alone; make one "
            "of them pareto, constraint or report",
            "lexicographic",
        )
    return len(document.problems) == before


def check_history(
    document: Document, objectives: tuple[Objective, ...], threat: AnyThreat | None
) -> HistorySettings | None:
    """Read the history settings; renames must lead to existing hyperparameters and metrics."""
    history = read_part(document, ("history",), HistorySettings, document.data.get("history", {}))
    if history is None:
        return None
    if history.enabled and not history.experiments:
        message = "names no experiment; write enabled: false to start without history"
        document.add(("history", "experiments"), message)
    known, space = document.known, document.data.get("space")
    names = known or (space if isinstance(space, dict) else {})
    for old, new in history.rename.items():
        if names and new not in names:
            document.add(("history", "rename", old), "leads to no hyperparameter", new, names)
    searched = [each.metric for each in objectives]
    legal = (*reported_metrics(document, threat), *searched, short_name(document))
    for old, new in history.rename_metrics.items():
        if known is not None and threat is not None and new not in legal:
            document.add(("history", "rename_metrics", old), "leads to no metric", new, legal)
    renamed = {k: full_name(document, v, threat) for k, v in history.rename_metrics.items()}
    return history.model_copy(update={"rename_metrics": renamed})

"""Checks whether each hyperparameter of a spec can become active, and under which parents.

Checks the conditions in the spec and those in the catalog; missing ones of the catalog are added. A
parent of the catalog that the spec does not mention has its default.
Not for deciding what is active in a configuration (`search/space/conditions.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter

from models.catalog import Value
from search.space.values import count, describe, holds, is_among
from search.spec.errors import Document, KeyPath
from search.spec.sections import HyperparameterSpec

Parts = dict[str, HyperparameterSpec]


def check_conditions(
    document: Document,
    name: str,
    part: HyperparameterSpec,
    parts: Parts,
    settings: Mapping[str, Value],
) -> None:
    """Check the conditions that the spec states under `when`."""
    for parent, values in part.when.items():
        path = ("space", name, "when", parent)
        if parent in settings:
            document.add(path, "is fixed in task.settings; leave this condition out")
        elif parent not in document.data["space"]:
            others = [other for other in parts if other != name and parts[other].type != "float"]
            document.add(path, "is no hyperparameter of this space", allowed=others)
        elif parent in parts and parts[parent].type == "float":
            document.add(path, "is a float; a parent is categorical, bool or int")
        elif parent in parts:
            distribution = parts[parent].distribution()
            if not values:
                document.add(path, "names no value", allowed=(describe(distribution),))
            for value in values:
                if not holds(distribution, value):
                    legal = parts[parent].choices or (describe(distribution),)
                    document.add(path, f"{parent} never takes this value", value, legal)


def check_cycles(document: Document, parts: Parts) -> None:
    """Check that no hyperparameters depend on each other in a cycle."""
    graph = {name: [p for p in part.when if p in parts] for name, part in parts.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        cycle = error.args[1]
        chain = " > ".join(cycle)
        document.add(
            ("space", cycle[0], "when"),
            f"conditions form a cycle ({chain}): none could become active; remove one of them",
        )


def check_parents(
    document: Document, path: KeyPath, settings: Mapping[str, Value], parts: Parts
) -> None:
    """Check one hyperparameter against the catalog's conditions; add those that were left out."""
    name, space = str(path[-1]), document.data.get("space")
    in_space = space if isinstance(space, dict) else {}
    known = document.known or {}
    # Initial weights are no hyperparameter of a model.
    legal = known.get(name)
    for parent, values in (legal.when if legal else {}).items():
        needed = " or ".join(str(value) for value in values)
        if parent in settings:
            if not is_among(settings[parent], values):
                has = f"task.settings have {settings[parent]}"
                document.add(path, f"never active: it needs {parent} {needed}, but {has}")
        elif parent not in in_space:
            # A parent that is stated nowhere has its default in every trial.
            if not is_among(known[parent].default, values):
                where = "in space or task.settings"
                document.add(path, f"needs its parent `{parent}` ({needed}) {where}")
        elif parent in parts and name in parts:
            parts[name] = _add_condition(document, path, parts[name], parts[parent], parent, values)


def _add_condition(
    document: Document,
    path: KeyPath,
    child: HyperparameterSpec,
    parent_part: HyperparameterSpec,
    parent: str,
    values: tuple[Value, ...],
) -> HyperparameterSpec:
    distribution = parent_part.distribution()
    possible = tuple(value for value in values if holds(distribution, value))
    if not possible:
        needed = " or ".join(str(value) for value in values)
        document.add(path, f"never active: it needs {parent} {needed}, which is not in this space")
    for value in child.when.get(parent, ()):
        if not is_among(value, values) and holds(distribution, value):
            where = (*path, "when", parent)
            document.add(where, f"has no effect under this value of {parent}", value, values)
    is_always = len(possible) == count(distribution) and not parent_part.when
    if parent in child.when or is_always or not possible:
        return child
    return child.model_copy(update={"when": {**child.when, parent: possible}})

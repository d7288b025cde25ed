"""Whether each hyperparameter of a spec can become active, and under which parents.

For conditions the spec states and for those the catalog knows of; the latter are added where they
were left out. Not for deciding what is active in a configuration (`space.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter

from models.catalog import Hyperparameter, Value
from search.space.values import count, describe, holds, is_same
from search.spec.errors import Document, KeyPath
from search.spec.parts import HyperparameterSpec

Known = Mapping[str, Hyperparameter]
Parts = dict[str, HyperparameterSpec]


def check_conditions(
    document: Document,
    name: str,
    part: HyperparameterSpec,
    parts: Parts,
    settings: Mapping[str, Value],
) -> None:
    """What the spec itself says under `when`."""
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
    """Whether hyperparameters wait for each other in a circle."""
    graph = {name: [p for p in part.when if p in parts] for name, part in parts.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        cycle = error.args[1]
        message = f"conditions form a cycle ({' > '.join(cycle)}); none could become active"
        document.add(("space", cycle[0], "when"), message)


def check_parents(
    document: Document,
    path: KeyPath,
    name: str,
    known: Known | None,
    settings: Mapping[str, Value],
    parts: Parts,
) -> None:
    """What the catalog makes conditional: note what can never count, add what was left out."""
    space = document.data.get("space")
    in_space = space if isinstance(space, dict) else {}
    legal = known.get(name) if known else None  # initial weights are no hyperparameter of a model
    for parent, values in (legal.when if legal else {}).items():
        needed = " or ".join(str(value) for value in values)
        if parent in settings:
            if not any(is_same(settings[parent], value) for value in values):
                message = f"never active: it needs {parent} {needed}, task.settings say "
                document.add(path, f"{message}{settings[parent]}")
        elif parent not in in_space:
            message = f"needs its parent `{parent}` ({needed}) in space or task.settings"
            document.add(path, message)
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
        message = f"never active: it needs {parent} {needed}, which is not in this space"
        document.add(path, message)
    for value in child.when.get(parent, ()):
        if not any(is_same(value, legal) for legal in values) and holds(distribution, value):
            message = f"has no effect under this value of {parent}"
            document.add((*path, "when", parent), message, value, values)
    is_always = len(possible) == count(distribution) and not parent_part.when
    if parent in child.when or is_always or not possible:
        return child
    return child.model_copy(update={"when": {**child.when, parent: possible}})

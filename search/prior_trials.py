"""Prior trials and the searches they belong to, as Python objects and as rows of Arrow tables."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from models.catalog import metric_role
from search.space import SearchSpace
from search.tracking.tables import REJECTED


@dataclass(frozen=True)
class Search:
    """One earlier search: what it looked for, where, and in which space."""

    id: str
    task: str
    fingerprint: Mapping[str, Any]
    space: SearchSpace | None
    objectives: tuple[str, ...]
    directions: tuple[str, ...]
    started: datetime
    trials_budget: int = 0
    epochs: int = 0
    seed: int = 0
    state: str = "complete"
    warm: bool = False
    run_id: str = ""


@dataclass(frozen=True)
class PriorTrial:
    """One earlier trial, its JSON columns parsed. `values` is empty unless it is complete."""

    task: str
    search: str
    number: int
    run_id: str
    state: str
    configuration: Mapping[str, Any]
    objectives: tuple[str, ...]
    directions: tuple[str, ...]
    values: tuple[float, ...]
    epoch: int
    curves: Mapping[str, Mapping[int, float]]
    origin: Mapping[str, Any]
    started: datetime | None = None
    seconds: float = 0.0

    def counterpart(self, metric: str) -> str | None:
        """Which of this trial's objectives stands for `metric`: itself, or the one of its role.

        Robust accuracies under two threats have one role: their values cannot be compared, but how
        they rank a task's trials can. None if there is no such objective, or several.
        """
        if metric in self.objectives:
            return metric
        alike = [own for own in self.objectives if metric_role(own) == metric_role(metric)]
        return alike[0] if len(alike) == 1 else None

    def value_of(self, metric: str) -> float:
        """Its value of a metric: its objective's, else its last epoch's; NaN without either."""
        own = self.counterpart(metric)
        if own is not None and len(self.values) == len(self.objectives):
            return float(self.values[self.objectives.index(own)])
        curve = self.curves.get(metric, {})
        return float(curve[max(curve)]) if curve else math.nan


@dataclass(frozen=True)
class Rejected:
    """A run that history leaves out, and why: nothing is dropped silently."""

    run_id: str
    name: str
    reason: str


def trials_from_table(table: pa.Table) -> list[PriorTrial]:
    """The rows of a TRIALS table, parsed."""
    trials = []
    for row in table.to_pylist():
        curves: dict[str, dict[int, float]] = {}
        for point in row["curves"] or ():
            curves.setdefault(point["metric"], {})[point["epoch"]] = point["value"]
        trials.append(
            PriorTrial(
                **{name: row[name] for name in ("task", "search", "number", "run_id", "state")},
                configuration=json.loads(row["configuration"]),
                objectives=tuple(row["objectives"]),
                directions=tuple(row["directions"]),
                values=tuple(row["values"] or ()),
                epoch=row["epoch"] or 0,
                curves=curves,
                origin=json.loads(row["origin"] or "{}"),
                started=row["started"],
                seconds=row["seconds"] or 0.0,
            )
        )
    return trials


def searches_from_table(table: pa.Table) -> dict[str, Search]:
    """The rows of a SEARCHES table, by search id."""
    return {
        row["search"]: Search(
            id=row["search"],
            task=row["task"],
            fingerprint=json.loads(row["fingerprint_json"] or "{}"),
            space=SearchSpace.from_json(row["space_json"]) if row["space_json"] else None,
            objectives=tuple(row["objectives"]),
            directions=tuple(row["directions"]),
            started=row["started"],
            trials_budget=row["trials_budget"] or 0,
            epochs=row["epochs"] or 0,
            seed=row["seed"] or 0,
            state=row["state"],
            warm=bool(row["warm"]),
            run_id=row["run_id"] or "",
        )
        for row in table.to_pylist()
    }


def search_row(search: Search) -> dict[str, Any]:
    """A search as a JSON-ready row; `with_time` undoes the time."""
    return {
        "search": search.id, "run_id": search.run_id, "task": search.task,
        "fingerprint_json": json.dumps(dict(search.fingerprint)),
        "space_json": search.space.to_json() if search.space else None,
        "objectives": list(search.objectives), "directions": list(search.directions),
        "started": search.started.isoformat(), "trials_budget": search.trials_budget,
        "epochs": search.epochs, "seed": search.seed, "state": search.state, "warm": search.warm,
    }  # fmt: skip


def with_time(row: dict[str, Any]) -> dict[str, Any]:
    """A row of `search_row`, its time parsed."""
    return row | {"started": datetime.fromisoformat(row["started"])}


def rejected_from_table(table: pa.Table) -> tuple[Rejected, ...]:
    """The rows of a REJECTED table."""
    return tuple(Rejected(**row) for row in table.cast(REJECTED).to_pylist())

"""Prior trials and the searches they belong to, as Python objects and as rows of Arrow tables.

Most of history is asked for its values alone; the curves of 10,000 trials with 100 points each
would be a million dictionary entries that nobody reads. They stay in Arrow until looked at.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models.metric_names import MetricName
from search.objectives.objective import Objective, from_row, to_row
from search.space import SearchSpace
from search.tracking.curves import joined
from search.tracking.tables import REJECTED, TRIALS


@dataclass(frozen=True)
class Search:
    """One earlier search: what it looked for, where, and in which space."""

    id: str
    task: str
    fingerprint: Mapping[str, Any]
    space: SearchSpace | None
    objectives: tuple[Objective, ...]
    started: datetime
    trials_budget: int = 0
    epochs: int = 0
    seed: int = 0
    state: str = "complete"
    warm: bool = False
    run_id: str = ""

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics of its objectives, in their order."""
        return tuple(each.metric for each in self.objectives)


@dataclass(frozen=True)
class PriorTrial:
    """One earlier trial, its JSON columns parsed. `values` is empty unless it is complete."""

    task: str
    search: str
    number: int
    run_id: str
    state: str
    configuration: Mapping[str, Any]
    objectives: tuple[Objective, ...]
    values: tuple[float, ...]
    epoch: int
    curves: Mapping[str, Mapping[int, float]]
    origin: Mapping[str, Any]
    started: datetime | None = None
    seconds: float = 0.0

    @cached_property
    def metrics(self) -> tuple[str, ...]:
        """The metrics of its objectives, in their order."""
        return tuple(each.metric for each in self.objectives)

    def direction_of(self, metric: str, otherwise: str) -> str:
        """Which way its search wanted what stands for a metric; `otherwise` if nothing does."""
        own = self.counterpart(metric)
        return next((each.direction for each in self.objectives if each.metric == own), otherwise)

    def counterpart(self, metric: str) -> str | None:
        """Which of this trial's objectives stands for `metric`: itself, or the one of its role.

        Robust accuracies under two threats have one role: their values cannot be compared, but how
        they rank a task's trials can. None if there is no such objective, or several.
        """
        if metric in self.metrics:
            return metric
        role = MetricName.parse(metric).role
        alike = [own for own in self.metrics if MetricName.parse(own).role == role]
        return alike[0] if len(alike) == 1 else None

    def value_of(self, metric: str) -> float:
        """Its value of a metric: its objective's, else its last epoch's; NaN without either."""
        own = self.counterpart(metric)
        if own is not None and len(self.values) == len(self.objectives):
            return float(self.values[self.metrics.index(own)])
        curve = self.curves.get(metric, {})
        return float(curve[max(curve)]) if curve else math.nan


class Curves:
    """The curves of a whole TRIALS table, taken apart into columns once, when first needed."""

    def __init__(self, table: pa.Table) -> None:
        self._column = table.column("curves")

    def of(self, index: int) -> dict[str, dict[int, float]]:
        """The curves of one row: metric -> epoch -> value, in the order they were logged in."""
        offsets, metric, epoch, value, names = self._columns
        start, end = int(offsets[index]), int(offsets[index + 1])
        curves: dict[str, dict[int, float]] = {}
        points = zip(
            metric[start:end].tolist(), epoch[start:end].tolist(), value[start:end].tolist(),
            strict=True,
        )  # fmt: skip
        for code, each_epoch, each_value in points:
            curves.setdefault(names[code], {})[each_epoch] = each_value
        return curves

    @cached_property
    def _columns(self) -> tuple[Any, Any, Any, Any, list[str]]:
        curves = joined(self._column)
        lengths = pc.list_value_length(curves).fill_null(0).to_numpy(zero_copy_only=False)
        points = curves.flatten()  # null lists have no points
        encoded = points.field("metric").fill_null("").dictionary_encode()
        return (
            np.concatenate([[0], np.cumsum(lengths)]),
            encoded.indices.to_numpy(zero_copy_only=False),
            points.field("epoch").fill_null(0).to_numpy(zero_copy_only=False),
            points.field("value").to_numpy(zero_copy_only=False),
            encoded.dictionary.to_pylist(),
        )


class CurvesOfTrial(Mapping[str, Mapping[int, float]]):
    """One trial's curves: metric -> epoch -> value. Equal to a dictionary of the same."""

    def __init__(self, curves: Curves, index: int) -> None:
        self._curves = curves
        self._index = index

    @cached_property
    def _parsed(self) -> dict[str, dict[int, float]]:
        return self._curves.of(self._index)

    def __getitem__(self, metric: str) -> Mapping[int, float]:
        return self._parsed[metric]

    def __iter__(self) -> Iterator[str]:
        return iter(self._parsed)

    def __len__(self) -> int:
        return len(self._parsed)

    def __repr__(self) -> str:
        return repr(self._parsed)

    def __reduce__(self) -> tuple[type[dict[str, Any]], tuple[dict[str, Any]]]:
        """Pickled as a plain dictionary: a trial does not take the whole table along."""
        return dict, (self._parsed,)


@dataclass(frozen=True)
class Rejected:
    """A run that history leaves out, and why: nothing is dropped silently."""

    run_id: str
    name: str
    reason: str


def trials_from_table(table: pa.Table) -> list[PriorTrial]:
    """The rows of a TRIALS table, parsed; of the curves each when it is first asked for."""
    curves = Curves(table)
    rows = table.select([name for name in TRIALS.names if name != "curves"]).to_pylist()
    return [
        PriorTrial(
            **{name: row[name] for name in ("task", "search", "number", "run_id", "state")},
            configuration=json.loads(row["configuration"]),
            objectives=from_row(row),
            values=tuple(row["values"] or ()),
            epoch=row["epoch"] or 0,
            curves=CurvesOfTrial(curves, index),
            origin=json.loads(row["origin"] or "{}"),
            started=row["started"],
            seconds=row["seconds"] or 0.0,
        )
        for index, row in enumerate(rows)
    ]


def searches_from_table(table: pa.Table) -> dict[str, Search]:
    """The rows of a SEARCHES table, by search id."""
    return {
        row["search"]: Search(
            id=row["search"],
            task=row["task"],
            fingerprint=json.loads(row["fingerprint_json"] or "{}"),
            space=SearchSpace.from_json(row["space_json"]) if row["space_json"] else None,
            objectives=from_row(row),
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
    goal = to_row(search.objectives)
    return {
        "search": search.id, "run_id": search.run_id, "task": search.task,
        "fingerprint_json": json.dumps(dict(search.fingerprint)),
        "space_json": search.space.to_json() if search.space else None,
        "objectives": goal["objectives"], "directions": goal["directions"],
        "started": search.started.isoformat(), "trials_budget": search.trials_budget,
        "epochs": search.epochs, "seed": search.seed, "state": search.state, "warm": search.warm,
        "roles_json": goal["roles_json"],
    }  # fmt: skip


def with_time(row: dict[str, Any]) -> dict[str, Any]:
    """A row of `search_row`, its time parsed."""
    return row | {"started": datetime.fromisoformat(row["started"])}


def rejected_from_table(table: pa.Table) -> tuple[Rejected, ...]:
    """The rows of a REJECTED table."""
    return tuple(Rejected(**row) for row in table.cast(REJECTED).to_pylist())

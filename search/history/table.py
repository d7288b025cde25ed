"""History as Arrow tables, the form in which it is read, cached and written to parquet.

`configuration`, `origin` and columns named *_json hold JSON text, because configurations and spaces
have no common schema. Most trials are read for their values only; the curves of 10,000 trials with
100 points each would be a million dictionary entries that nobody reads, so they stay in Arrow until
they are accessed.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from functools import cache, partial
from typing import Any

import numpy as np
import pyarrow as pa

from search.history.curves import CURVES, Columns, columns_of
from search.history.lazy_curves import LazyCurves
from search.history.search import Rejected, Search
from search.history.trial import Trial
from search.objectives.objective import from_row, to_row
from search.space import SearchSpace

# One row per trial. `values` follow `objectives` and are empty unless the trial is complete.
# `curves` hold every metric of every epoch; `configuration` lists active hyperparameters only.
TRIALS = pa.schema(
    [
        ("task", pa.string()),
        ("search", pa.string()),
        ("number", pa.int64()),
        ("run_id", pa.string()),
        ("state", pa.string()),
        ("configuration", pa.string()),
        ("objectives", pa.list_(pa.string())),
        ("directions", pa.list_(pa.string())),
        ("values", pa.list_(pa.float64())),
        ("epoch", pa.int64()),
        ("curves", CURVES),
        ("origin", pa.string()),
        ("started", pa.timestamp("ms", tz="UTC")),
        ("seconds", pa.float64()),
        ("ended", pa.timestamp("ms", tz="UTC")),
        ("work", pa.float64()),
        ("device", pa.string()),
        ("reason", pa.string()),
    ]
)

# One row per search.
SEARCHES = pa.schema(
    [
        ("search", pa.string()),
        ("run_id", pa.string()),
        ("task", pa.string()),
        ("fingerprint_json", pa.string()),
        ("space_json", pa.string()),
        ("objectives", pa.list_(pa.string())),
        ("directions", pa.list_(pa.string())),
        ("started", pa.timestamp("ms", tz="UTC")),
        ("trials_budget", pa.int64()),
        ("epochs", pa.int64()),
        ("seed", pa.int64()),
        ("roles_json", pa.string()),  # null where all objectives are pareto
        ("state", pa.string()),
        ("warm", pa.bool_()),
        ("inferred", pa.list_(pa.string())),
    ]
)

# One row per rejected run.
REJECTED = pa.schema([("run_id", pa.string()), ("name", pa.string()), ("reason", pa.string())])


def trials_from_table(table: pa.Table) -> list[Trial]:
    """Parse the rows of a TRIALS table, each trial's curves on first access."""
    columns = cache(lambda: columns_of(table.column("curves").combine_chunks()))
    rows = table.select([name for name in TRIALS.names if name != "curves"]).to_pylist()
    return [
        Trial(
            **{name: row[name] for name in ("task", "search", "number", "run_id", "state")},
            configuration=configuration_of(row["configuration"]),
            objectives=from_row(row),
            values=tuple(row["values"] or ()),
            epoch=row["epoch"] or 0,
            curves=LazyCurves(partial(_curves, columns, index)),
            origin=json.loads(row["origin"] or "{}"),
            started=row["started"],
            seconds=row["seconds"] or 0.0,
            ended=row["ended"],
            work=row["work"] or 0.0,
            device=row["device"] or "",
            reason=row["reason"] or "",
        )
        for index, row in enumerate(rows)
    ]


def configuration_of(text: str) -> dict[str, Any]:
    """Return a configuration from its JSON text; empty if the text holds something else."""
    found = json.loads(text)
    return found if isinstance(found, dict) else {}


def trial_row(trial: Trial) -> dict[str, Any]:
    """Return a trial as a row of TRIALS; the inverse of `trials_from_table`."""
    return {
        "task": trial.task, "search": trial.search, "number": trial.number,
        "run_id": trial.run_id, "state": trial.state,
        "configuration": json.dumps(dict(trial.configuration)),
        **to_row(trial.objectives), "values": list(trial.values), "epoch": trial.epoch,
        "curves": [
            {"metric": metric, "epoch": epoch, "value": value}
            for metric, curve in trial.curves.items()
            for epoch, value in curve.items()
        ],
        "origin": json.dumps(dict(trial.origin)), "started": trial.started,
        "seconds": trial.seconds or None, "ended": trial.ended,
        "work": trial.work or None, "device": trial.device or None,
        "reason": trial.reason or None,
    }  # fmt: skip


def searches_from_table(table: pa.Table) -> dict[str, Search]:
    """Parse the rows of a SEARCHES table, by search id."""
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
            inferred=frozenset(row["inferred"] or ()),
        )
        for row in table.to_pylist()
    }


def search_row(search: Search) -> dict[str, Any]:
    """Return a search as a JSON-ready row; `with_time` parses its time."""
    return {
        "search": search.id, "run_id": search.run_id, "task": search.task,
        "fingerprint_json": json.dumps(dict(search.fingerprint)),
        "space_json": search.space.to_json() if search.space else None,
        **to_row(search.objectives),
        "started": search.started.isoformat(), "trials_budget": search.trials_budget,
        "epochs": search.epochs, "seed": search.seed, "state": search.state, "warm": search.warm,
        "inferred": sorted(search.inferred),
    }  # fmt: skip


def with_time(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of `search_row` with its time parsed."""
    return row | {"started": datetime.fromisoformat(row["started"])}


def with_column(table: pa.Table, name: str, column: pa.Array) -> pa.Table:
    """Return a table with another column in place of the one of this name."""
    return table.set_column(table.schema.get_field_index(name), table.schema.field(name), column)


def rejected_from_table(table: pa.Table) -> tuple[Rejected, ...]:
    """Parse the rows of a REJECTED table."""
    return tuple(Rejected(**row) for row in table.cast(REJECTED).to_pylist())


def _curves(columns: Callable[[], Columns], index: int) -> dict[str, dict[int, float]]:
    """Return the curves of one row: metric -> epoch -> value, in the order of the table."""
    run, metric, epoch, value, names = columns()
    place = slice(*np.searchsorted(run, [index, index + 1]))
    curves: dict[str, dict[int, float]] = {}
    points = zip(metric[place].tolist(), epoch[place].tolist(), value[place].tolist(), strict=True)
    for code, each_epoch, each_value in points:
        curves.setdefault(names[code], {})[each_epoch] = each_value
    return curves

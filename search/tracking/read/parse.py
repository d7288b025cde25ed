"""Interpret the runs of one experiment as trials, searches, and left-out runs with reasons.

Every run is counted once: as a trial, as the run of a search, or as left out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from search.history.curves import counted_from_one, last_epochs, renamed
from search.history.table import TRIALS, with_column
from search.tracking import tag_names
from search.tracking.foreign.rows import ForeignRuns
from search.tracking.read.cache import Meaning
from search.tracking.read.own_runs import read_own
from search.tracking.runs import parsed_runs, rejection

# Metrics for the page only, made of others.
FOR_THE_PAGE = (tag_names.LOGARITHM, tag_names.OBJECTIVE)


def interpreted(experiment: str, table: pa.Table) -> Meaning:
    """Returns the meaning of an experiment's runs (RAW); `experiment` is its name."""
    order = [("start", "ascending"), ("run_id", "ascending")]
    table = table.take(pc.sort_indices(table, order))
    runs = list(enumerate(parsed_runs(table)))
    rejected = [
        rejection(run, "deleted in MLflow; restore it there to learn from it")
        for _, run in runs
        if run.stage != "active"
    ]
    active = [(place, run) for place, run in runs if run.stage == "active"]
    ours = [(place, run) for place, run in active if run.is_ours]
    own_places = {place for place, _ in ours}
    foreign = ForeignRuns(
        experiment,
        [(place, run) for place, run in active if not run.is_ours],
        {run.run_id: run for _, run in ours},
    )

    def name_of(place: int, metric: str) -> str | None:
        if place in own_places:
            return None if metric.startswith(FOR_THE_PAGE) else metric
        return foreign.curve_name(place, metric)

    is_foreign = np.array([place not in own_places for place in range(len(table))], dtype=bool)
    curves = renamed(table.column("curves").combine_chunks(), name_of)
    curves = counted_from_one(curves, is_foreign)
    reached = last_epochs(curves).tolist()
    trials, searches = read_own(ours, reached, rejected)
    other_trials, other_searches = foreign.rows(reached, rejected)
    is_living = any(  # whether its owner is alive must be checked at each read
        run.tags[tag_names.KIND] == "search" and run.tags.get(tag_names.STATE) == "running"
        for _, run in ours
    )
    return Meaning(
        _table(trials + other_trials, curves), searches + other_searches, rejected, is_living
    )


def _table(rows: list[dict[str, Any]], curves: pa.ListArray) -> pa.Table:
    rows = sorted(rows, key=lambda row: (row["started"] or 0, row["number"]))
    table = pa.Table.from_pylist(rows, schema=TRIALS)
    chosen = curves.take(pa.array([row["place"] for row in rows], pa.int64()))
    return with_column(table, "curves", chosen)

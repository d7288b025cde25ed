"""A search's trials as one flat table with a row for each trial, for work with pandas.

Not for reading back: the next search learns from MLflow, through `History`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from search.history import History
from search.history.provenance import ledger_columns, read_origin
from search.transfer.best import best_trials, values_on_test
from search.transfer.progress import find_search

# The columns on what proposed a trial; typed, so that a column without a value keeps its type.
LEDGER = {
    "origin.step": pa.string(),
    "origin.arm": pa.string(),
    "origin.sampler": pa.string(),
    "origin.prior_trials": pa.int64(),
    "origin.is_repeated": pa.bool_(),
    "origin.source_runs": pa.string(),
    "origin.source_tasks": pa.string(),
    "guard.history": pa.string(),
    "guard.log_evidence": pa.float64(),
    "guard.trials": pa.int64(),
    "guard.dropped": pa.string(),
    "guard.agreement": pa.string(),
}


def flat_table(history: History, search: str) -> pa.Table:
    """Makes the table: one row for each trial, whatever its state, by number.

    Columns: `number`, `state`, `epoch`, `is_on_front`; `config.<name>` for each hyperparameter,
    null where inactive; `objective.<name>`, null unless complete; `test.<metric>`
    where any trial has it; `origin.step`, `origin.arm` ("control" or "main"), `origin.sampler`,
    `origin.prior_trials`, `origin.is_repeated` and, as JSON, `origin.source_runs` and
    `origin.source_tasks` (task -> weight); `guard.history`, `guard.log_evidence`, `guard.trials`
    and, as JSON, `guard.dropped` (task -> why) and `guard.agreement` (task -> Kendall's tau), null
    without a guard; `seconds`, `work` in FLOP and `device`, null where unknown; `run_id`.

    Raises:
        ValueError: history does not contain the search.
    """
    this = find_search(history, search)
    trials = sorted(
        history.prior_trials(state=None, search=search),
        key=lambda each: (each.number, each.run_id),
    )
    on_front = {best.run_id for best in best_trials(history, search)}
    columns: dict[str, Any] = {
        "number": pa.array([trial.number for trial in trials], pa.int64()),
        "state": pa.array([trial.state for trial in trials], pa.string()),
        "epoch": pa.array([trial.epoch for trial in trials], pa.int64()),
        "is_on_front": pa.array([trial.run_id in on_front for trial in trials], pa.bool_()),
    }
    for name in sorted({name for trial in trials for name in trial.configuration}):
        columns[f"config.{name}"] = _column([trial.configuration.get(name) for trial in trials])
    for metric in this.metrics:
        columns[f"objective.{metric}"] = _numbers(
            [each.value_of(metric) if each.state == "complete" else None for each in trials]
        )
    results = [values_on_test(trial) for trial in trials]
    for metric in sorted({metric for each in results for metric in each}):
        columns[f"test.{metric}"] = _numbers(
            [each[metric].value if metric in each else None for each in results]
        )
    origins = [ledger_columns(read_origin(trial.origin)) for trial in trials]
    for name, kind in LEDGER.items():
        columns[name] = pa.array([origin[name] for origin in origins], kind)
    columns["seconds"] = _numbers([trial.seconds for trial in trials])
    columns["work"] = _numbers([trial.work or None for trial in trials])
    columns["device"] = pa.array([trial.device or None for trial in trials], pa.string())
    columns["run_id"] = pa.array([trial.run_id for trial in trials], pa.string())
    return pa.table(columns)


def _numbers(values: Sequence[float | None]) -> Any:
    return pa.array(values, pa.float64(), from_pandas=True)  # NaN becomes null


def _column(values: Sequence[Any]) -> Any:
    """A column typed by its values: booleans, integers or numbers; everything else as text."""
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return pa.array(values, pa.bool_())
    if kinds == {int} and all(value is None or abs(value) < 2**63 for value in values):
        return pa.array(values, pa.int64())
    if kinds and kinds <= {int, float}:
        return pa.array([None if value is None else float(value) for value in values], pa.float64())
    texts = [
        value if value is None or isinstance(value, str) else json.dumps(value) for value in values
    ]
    return pa.array(texts, pa.string())

"""Stores written by other tools themselves, for the tests of tracking/foreign."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow

from search.history import History
from tests.support.stores import migrated_store


def empty_store(folder: Path) -> str:
    """Returns the URI of a store without runs."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(migrated_store(), folder / "mlflow.db")
    return f"sqlite:///{folder / 'mlflow.db'}"


@contextlib.contextmanager
def tracked_in(uri: str, experiment: str | None = None) -> Iterator[None]:
    """Points MLflow's fluent interface at a store, as other tools do; resets it afterwards."""
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(uri)
    try:
        if experiment is not None:
            place = Path(uri.removeprefix("sqlite:///")).parent / "artifacts"
            if mlflow.get_experiment_by_name(experiment) is None:
                mlflow.create_experiment(experiment, artifact_location=place.as_uri())
            mlflow.set_experiment(experiment)
        yield
    finally:
        while mlflow.active_run() is not None:
            mlflow.end_run()
        mlflow.set_tracking_uri(before)


def all_run_ids(uri: str) -> list[str]:
    """Returns every run of the active experiments of an SQLite store, also deleted ones."""
    query = (
        "SELECT run_uuid FROM runs JOIN experiments USING (experiment_id)"
        " WHERE experiments.lifecycle_stage = 'active'"
    )
    with contextlib.closing(sqlite3.connect(uri.removeprefix("sqlite:///"))) as connection:
        return [run for (run,) in connection.execute(query)]


def assert_accounted_for(history: History, runs: list[str]) -> None:
    """Checks that every run is once a trial, the run of a search, or left out with a reason."""
    assert all(row.reason for row in history.rejected)
    found = Counter(history.trials.column("run_id").to_pylist())
    found += Counter(search.run_id for search in history.searches.values() if search.run_id)
    found += Counter(row.run_id for row in history.rejected)
    assert found == Counter(runs)


def types_of(configuration: Any) -> dict[str, str]:
    """Returns name -> name of the type, since True == 1 == 1.0."""
    return {name: type(value).__name__ for name, value in configuration.items()}

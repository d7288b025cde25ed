"""Fills a new SQLite store with many runs by plain SQL, as MLflow's client would write them.

Through MLflow's client 10,000 runs of 50 steps take most of an hour; here they take seconds. For
measuring how fast history is read (`reading.py`); not a way to write searches.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

METRICS = ("accuracy", "loss")
# A fixed day; a run each minute, so that the history is 100 days long at most.
FIRST_START = 1_760_000_000_000
RUN_MILLISECONDS = 60_000
STEP_MILLISECONDS = 1_000


def fill(
    database: Path,
    experiment: str,
    *,
    first: int,
    runs: int,
    steps: int,
    start: int = FIRST_START,
) -> None:
    """Add `runs` finished runs, numbered from `first`, to the experiment with that id.

    `start` is when the first of all began, in milliseconds since 1970.
    """
    tables: dict[str, list[Sequence[Any]]] = {
        name: [] for name in ("runs", "params", "tags", "metrics", "latest_metrics")
    }
    for number in range(first, first + runs):
        for name, rows in _run(number, int(experiment), steps, start).items():
            tables[name] += rows
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.executemany(
            "INSERT INTO runs (run_uuid, name, source_type, user_id, status, start_time, end_time,"
            " lifecycle_stage, artifact_uri, experiment_id)"
            " VALUES (?, ?, 'LOCAL', 'me', 'FINISHED', ?, ?, 'active', '', ?)",
            tables["runs"],
        )
        connection.executemany(
            "INSERT INTO params (run_uuid, key, value) VALUES (?, ?, ?)", tables["params"]
        )
        connection.executemany(
            "INSERT INTO tags (run_uuid, key, value) VALUES (?, ?, ?)", tables["tags"]
        )
        for name in ("metrics", "latest_metrics"):
            connection.executemany(
                f"INSERT INTO {name} (run_uuid, key, step, timestamp, value, is_nan)"
                " VALUES (?, ?, ?, ?, ?, 0)",
                tables[name],
            )


def _run(
    number: int, experiment: int, steps: int, first_start: int
) -> dict[str, list[Sequence[Any]]]:
    generator = random.Random(number)
    run, start = f"{number:032x}", first_start + number * RUN_MILLISECONDS
    params = {
        "learning_rate": 10 ** generator.uniform(-4, -1),
        "width": generator.choice([16, 32, 64, 128]),
        "dropout": generator.uniform(0, 0.5),
        "optimizer": generator.choice(["sgd", "adamw"]),
        "augment": generator.choice([True, False]),
        "batch_size": 128,
    }
    tags = {
        "mlflow.runName": f"run-{number}",
        "mlflow.user": "me",
        "mlflow.source.name": "train.py",
        "mlflow.source.type": "LOCAL",
        "mlflow.source.git.commit": "0" * 40,
    }
    curves = {
        metric: [
            (run, metric, step, start + step * STEP_MILLISECONDS, generator.random())
            for step in range(1, steps + 1)
        ]
        for metric in METRICS
    }
    end = start + steps * STEP_MILLISECONDS
    return {
        "runs": [(run, f"run-{number}", start, end, experiment)],
        "params": [(run, name, str(value)) for name, value in params.items()],
        "tags": [(run, name, value) for name, value in tags.items()],
        "metrics": [point for curve in curves.values() for point in curve],
        "latest_metrics": [curve[-1] for curve in curves.values() if curve],
    }

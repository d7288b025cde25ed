"""`Hand`: somebody who logs runs without any tool."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param

from search.history import History, Trial
from search.tracking.read.history import load_history
from search.tracking.store import open_client
from tests.support.foreign_stores import all_run_ids, assert_accounted_for, empty_store


class Hand:
    """Somebody who logs runs in one experiment."""

    def __init__(self, folder: Path, experiment: str = "mine") -> None:
        self.uri = empty_store(folder)
        self.client: MlflowClient = open_client(self.uri)
        self.experiment = self.client.create_experiment(experiment)

    def log(
        self,
        params: dict[str, Any],
        metrics: dict[str, list[float]] | None = None,
        *,
        status: str | None = "FINISHED",
        parent: str = "",
        start: int = 1_760_000_000_000,
        end: int = 1_760_000_060_000,
        tags: dict[str, str] | None = None,
        name: str = "a run",
    ) -> str:
        tags = dict(tags or {}) | ({"mlflow.parentRunId": parent} if parent else {})
        run = self.client.create_run(self.experiment, start, tags, name).info.run_id
        points = [
            Metric(metric, value, start + step, step)
            for metric, curve in (metrics or {}).items()
            for step, value in enumerate(curve, 1)
        ]
        self.client.log_batch(
            run, points, [Param(key, str(value)) for key, value in params.items()], []
        )
        if status is not None:
            self.client.set_terminated(run, status, end)
        return str(run)

    def history(self, **options: Any) -> History:
        history = load_history(self.uri, **options)
        assert_accounted_for(history, all_run_ids(self.uri))
        return history

    def trials(self) -> list[Trial]:
        return self.history().prior_trials(state=None)

    def reason(self, run: str) -> str:
        (row,) = (row for row in self.history().rejected if row.run_id == run)
        return row.reason

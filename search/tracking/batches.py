"""One write of metrics, params and tags to a run, within what a store takes at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow import MlflowClient

# MLflow takes at most 1,000 metrics and 100 tags or params in one batch.
METRICS_A_BATCH = 1000
TAGS_A_BATCH = 100


def log_batch(
    client: MlflowClient,
    run: str,
    time: int,
    *,
    metrics: Mapping[str, float],
    step: int,
    params: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
) -> None:
    """Logs it all under one time (milliseconds since 1970) and one step.

    Of metrics the first thousand are kept; tags beyond a hundred take batches of their own, which
    the origin of a trial that leans on thousands of tasks needs.
    """
    from mlflow.entities import Metric, Param, RunTag

    every = [RunTag(name, text) for name, text in (tags or {}).items()]
    for start in range(TAGS_A_BATCH, len(every), TAGS_A_BATCH):
        client.log_batch(run, tags=every[start : start + TAGS_A_BATCH])
    client.log_batch(
        run,
        metrics=[Metric(name, float(value), time, step) for name, value in metrics.items()][
            :METRICS_A_BATCH
        ],
        params=[Param(name, str(value)) for name, value in (params or {}).items()],
        tags=every[:TAGS_A_BATCH],
    )

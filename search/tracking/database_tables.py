"""The tables of an MLflow database that are read, with the columns that are needed.

Schema: mlflow/store/db_migrations of the versions pinned; names and meaning have stood since 1.0,
data sets since 2.4. A value that is not a number is stored as 0 with `is_nan`, infinity as the
greatest float.
"""

from __future__ import annotations

from sqlalchemy import column, select, table

from search.tracking.raw_runs import CONTEXT

RUNS = table(
    "runs",
    *map(column, ("run_uuid", "experiment_id", "name", "status", "lifecycle_stage")),
    *map(column, ("start_time", "end_time")),
)
TAGS = table("tags", *map(column, ("run_uuid", "key", "value")))
PARAMS = table("params", *map(column, ("run_uuid", "key", "value")))
_POINT = ("run_uuid", "key", "step", "timestamp", "value", "is_nan")
METRICS = table("metrics", *map(column, _POINT))
LATEST = table("latest_metrics", *map(column, _POINT))
_INPUTS = table(
    "inputs",
    *map(column, ("input_uuid", "source_type", "source_id", "destination_type", "destination_id")),
)
_INPUT_TAGS = table("input_tags", *map(column, ("input_uuid", "name", "value")))
_DATASETS = table("datasets", *map(column, ("dataset_uuid", "name", "digest", "dataset_profile")))

# What is read of a run beside its id.
INFO = (
    RUNS.c.experiment_id, RUNS.c.name, RUNS.c.status, RUNS.c.lifecycle_stage,
    RUNS.c.start_time, RUNS.c.end_time,
)  # fmt: skip
# The data sets logged with runs: run, name, digest, profile, and what it was used for.
INPUTS_OF_RUNS = (
    select(
        _INPUTS.c.destination_id, _DATASETS.c.name, _DATASETS.c.digest,
        _DATASETS.c.dataset_profile, _INPUT_TAGS.c.value,
    )
    .select_from(
        _INPUTS.join(_DATASETS, _DATASETS.c.dataset_uuid == _INPUTS.c.source_id)
        .join(RUNS, RUNS.c.run_uuid == _INPUTS.c.destination_id)
        .outerjoin(
            _INPUT_TAGS,
            (_INPUT_TAGS.c.input_uuid == _INPUTS.c.input_uuid) & (_INPUT_TAGS.c.name == CONTEXT),
        )
    )
    .where(_INPUTS.c.source_type == "DATASET", _INPUTS.c.destination_type == "RUN")
)  # fmt: skip

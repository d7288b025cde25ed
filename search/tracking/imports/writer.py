"""Writes imported runs into an MLflow store, each once, as `foreign/imported.py` reads them.

Every run has its identity at the tool as a tag, so that importing the same source again, or a later
export of the same project, adds only what is new.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from search.history.states import TO_MLFLOW
from search.objectives.objective import to_row
from search.tracking import tag_names
from search.tracking.imports.imported import Imported, ImportedRun
from search.tracking.store import all_runs, create_store, ensure_experiment
from search.tracking.write.batch import Batch

if TYPE_CHECKING:
    from mlflow import MlflowClient

LONGEST_PARAM = 500  # characters; MLflow's oldest servers take no more


@dataclass(frozen=True)
class Written:
    """What an import did.

    Attributes:
        new: The number of runs that were written.
        known: The number of those that the store had already.
        experiment: The experiment that they are in: another one than asked for if that was deleted.
    """

    new: int
    known: int
    experiment: str


def write_imported(imported: Imported, tracking_uri: str, experiment: str) -> Written:
    """Write runs into an experiment, which is created if missing.

    A run of an earlier import that was cut off is written again.

    Raises:
        ConnectionError: The store does not answer.
    """
    client = create_store(tracking_uri)
    place = ensure_experiment(client, experiment, tracking_uri)
    query = f"tags.`{tag_names.KIND}` = 'imported'"
    known: set[str] = set()
    for run in all_runs(client, [place], query):
        if run.info.status == "RUNNING":
            client.delete_run(run.info.run_id)
        else:
            known.add(run.data.tags.get(tag_names.IDENTITY, ""))
    keys = {f"{imported.tool}:{run.identity}": run for run in imported.runs}
    new = {key: run for key, run in keys.items() if key not in known}
    for key, run in new.items():
        _write(client, place, imported, key, run)
    name = client.get_experiment(place).name
    return Written(len(new), len(keys) - len(new), name)


def _write(
    client: MlflowClient, experiment: str, imported: Imported, key: str, run: ImportedRun
) -> None:
    trial = run.trial
    start = round(1000 * (trial.started or datetime.now(UTC)).timestamp())
    row = to_row(trial.objectives)
    texts = {
        tag_names.KIND: "imported",
        tag_names.IDENTITY: key,
        tag_names.IMPORTED_FROM: run.place,
        tag_names.STATE: trial.state,
        tag_names.REASON: trial.reason,
        tag_names.CONFIGURATION: json.dumps(dict(trial.configuration)),
        tag_names.VALUES: json.dumps(list(trial.values)),
        tag_names.OBJECTIVES: json.dumps(row["objectives"]),
        tag_names.DIRECTIONS: json.dumps(row["directions"]),
        tag_names.SPACE: imported.space.to_json(),
    }
    batch = Batch(
        params={name: str(value)[:LONGEST_PARAM] for name, value in trial.configuration.items()},
        tags=tag_names.all_split({name: text for name, text in texts.items() if text}),
    )
    last = trial.by_metric
    for metric, curve in trial.curves.items():
        for epoch, value in curve.items():
            batch.add_metrics({metric: value}, time=start, step=epoch)
        if curve:
            last.pop(metric, None)  # the curve has it
    batch.add_metrics(last, time=start, step=0)
    created = client.create_run(
        experiment, start_time=start, run_name=run.name or None,
        tags={tag_names.KIND: "imported"},
    )  # fmt: skip
    batch.log(client, created.info.run_id)
    end = start + round(1000 * trial.seconds)
    client.set_terminated(created.info.run_id, TO_MLFLOW[trial.state], end)

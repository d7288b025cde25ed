"""Reads a store's history, as Arrow tables: what is kept from before, and what is new since.

Which runs there are and what they mean is decided elsewhere (database.py or server.py,
interpretation.py); here it is put together, restricted and renamed.
"""

from __future__ import annotations

import fnmatch
import json
import logging
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from search.tracking.cache import Cache, Meaning, digest_of, folder_for
from search.tracking.curves import joined, renamed
from search.tracking.database import Database
from search.tracking.interpretation import interpreted
from search.tracking.server import Server
from search.tracking.store import open_client
from search.tracking.tables import REJECTED, SEARCHES, TRIALS

if TYPE_CHECKING:
    from mlflow import MlflowClient

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Selection:
    """What of a store is read, and how it is named.

    Attributes:
        experiments: Names or shell patterns.
        rename: Old -> new hyperparameter names.
        rename_metrics: Old -> new metric names.
        searches: Only these searches, or all if None.
        same_task: Names or shell patterns of experiments whose runs are of the task `task`.
        task: Id of the task they are of.
    """

    experiments: Sequence[str] = ("*",)
    rename: Mapping[str, str] | None = None
    rename_metrics: Mapping[str, str] | None = None
    searches: Sequence[str] | None = None
    same_task: Sequence[str] = ()
    task: str = ""


def read_history(tracking_uri: str, selection: Selection) -> tuple[pa.Table, pa.Table, pa.Table]:
    """Trials, searches and left-out runs (schemas in tables.py) of the matching experiments."""
    client = open_client(tracking_uri)
    patterns = (*selection.experiments, *selection.same_task)
    chosen = {
        str(experiment.experiment_id): str(experiment.name)
        for experiment in _all_experiments(client)
        if _matches(experiment.name, patterns)
    }
    cache = Cache(folder_for(tracking_uri))
    with cache.lock():
        meanings = _meanings(client, tracking_uri, chosen, cache)
    parts = [_selected(meanings[each], chosen[each], selection) for each in chosen]
    trials = pa.concat_tables([TRIALS.empty_table(), *(part.trials for part in parts)])
    searches = [search for part in parts for search in part.searches]
    rejected = [row for part in parts for row in part.rejected]
    return (
        trials,
        pa.Table.from_pylist(searches, schema=SEARCHES),
        pa.Table.from_pylist(rejected, schema=REJECTED),
    )


def _all_experiments(client: MlflowClient) -> list[Any]:
    found: list[Any] = []
    token: str | None = None
    while True:
        page = client.search_experiments(max_results=1000, page_token=token)
        found.extend(page)
        token = page.token
        if not token:
            return found


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _meanings(
    client: MlflowClient, tracking_uri: str, experiments: Mapping[str, str], cache: Cache
) -> dict[str, Meaning]:
    """What each experiment's runs mean; `experiments` are ids and names."""
    from sqlalchemy.exc import SQLAlchemyError

    known = {each: cache.signatures(each) for each in experiments}
    marks = cache.marks()
    if not tracking_uri.startswith(("http://", "https://")):
        try:
            with closing(Database(tracking_uri, marks)) as database:
                return _read(database, experiments, known, cache)
        except SQLAlchemyError as error:
            _log.warning("reading through MLflow's client, slowly: %s", error)
    return _read(Server(client, tracking_uri, marks), experiments, known, cache)


def _read(
    source: Database | Server,
    experiments: Mapping[str, str],
    known: Mapping[str, Mapping[str, str]],
    cache: Cache,
) -> dict[str, Meaning]:
    present = source.signatures(list(experiments), known)
    found: dict[str, Meaning] = {}
    for experiment, name in experiments.items():
        signatures = present[experiment]
        digest = digest_of(name, signatures)
        meaning = cache.meaning(experiment, digest)
        if meaning is None:
            runs = _updated(source, experiment, signatures, known[experiment], cache)
            meaning = interpreted(name, runs)
            if not meaning.is_living:
                cache.keep_meaning(experiment, digest, meaning)
        found[experiment] = meaning
    cache.keep_marks(source.marks)
    return found


def _updated(
    source: Database | Server,
    experiment: str,
    signatures: Mapping[str, str],
    known: Mapping[str, str],
    cache: Cache,
) -> pa.Table:
    """All runs of an experiment (RAW): those kept, and those that are new or were changed."""
    kept = cache.runs(experiment) if known else None
    changed = [run for run, text in signatures.items() if known.get(run) != text]
    if kept is None:
        runs = source.fetch(experiment, list(signatures), signatures, of_all=True)
    else:
        stays = pa.array([run for run in signatures if known.get(run) == signatures[run]])
        is_kept = pc.is_in(kept.column("run_id"), stays.cast(pa.string()))
        runs = kept.filter(is_kept)
        if changed:
            of_all = len(changed) == len(signatures)
            fetched = source.fetch(experiment, changed, signatures, of_all=of_all)
            runs = pa.concat_tables([runs, fetched])
    if not cache.keep_runs(experiment, runs):
        source.marks[experiment] = None  # what is kept is not what was read
    return runs


def _selected(meaning: Meaning, experiment: str, selection: Selection) -> Meaning:
    """The part of an experiment that is asked for, under the names and the task asked for."""
    trials, searches, rejected = meaning.trials, meaning.searches, meaning.rejected
    if selection.searches is not None:
        wanted = set(selection.searches)
        is_wanted = pc.is_in(trials.column("search"), pa.array(sorted(wanted), pa.string()))
        trials = trials.filter(is_wanted)
        searches = [row for row in searches if row["search"] in wanted]
        rejected = [row for row in rejected if row["search"] in wanted]
    if selection.task and _matches(experiment, selection.same_task):
        task = pa.array([selection.task] * len(trials), pa.string())
        trials = trials.set_column(TRIALS.get_field_index("task"), TRIALS.field("task"), task)
        searches = [row | {"task": selection.task} for row in searches]
    if selection.rename_metrics:
        searches = [_with_metrics(row, selection.rename_metrics) for row in searches]
    return Meaning(_renamed(trials, selection), searches, rejected)


def _renamed(trials: pa.Table, selection: Selection) -> pa.Table:
    columns: dict[str, Any] = {}
    if selection.rename:
        new = selection.rename
        columns["configuration"] = [
            json.dumps({new.get(name, name): value for name, value in json.loads(text).items()})
            for text in trials.column("configuration").to_pylist()
        ]
    if selection.rename_metrics:
        metrics = selection.rename_metrics
        columns["objectives"] = [
            [metrics.get(name, name) for name in objectives]
            for objectives in trials.column("objectives").to_pylist()
        ]
        columns["curves"] = renamed(
            joined(trials.column("curves")), lambda _, metric: metrics.get(metric, metric)
        )
    for name, values in columns.items():
        field = TRIALS.field(name)
        column = values if isinstance(values, pa.Array) else pa.array(values, field.type)
        trials = trials.set_column(TRIALS.get_field_index(name), field, column)
    return trials


def _with_metrics(row: dict[str, Any], rename: Mapping[str, str]) -> dict[str, Any]:
    return row | {"objectives": [rename.get(name, name) for name in row["objectives"]]}

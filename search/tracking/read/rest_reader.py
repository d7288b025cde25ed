"""Read runs through MLflow's client: from a server, or from a database whose tables are unknown.

A server lists runs at 2.6 ms each. If there is more than a page of them, a later read asks only for
runs that started or ended since, that are running or deleted, and for summaries. Once a day it
lists all runs, to find what those queries miss: tags edited on a finished run, runs that were
purged, or logged with an old date.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa

from search.history.curves import Points, curves_of
from search.history.table import with_column
from search.tracking import tag_names
from search.tracking.runs import CONTEXT, RAW, checksum, clean, raw_row, real_number, whole_number
from search.tracking.store import PAGE, is_missing, paged

if TYPE_CHECKING:
    from mlflow import MlflowClient


REQUESTS_AT_ONCE = 4
# Runs have times of their client's clock; larger differences are covered by the daily list.
CLOCK_MARGIN_MILLISECONDS = 3_600_000
FULL_LIST_SECONDS = 86_400.0


class Server:
    """The runs of a server: `signatures` lists them, `fetch` reads them."""

    def __init__(self, client: MlflowClient, tracking_uri: str, marks: Mapping[str, Any]) -> None:
        """Takes the marks of the last read: its time, and the time of the last full list."""
        self._client = client
        self._uri = tracking_uri
        self._before = {each: _times(mark) for each, mark in marks.items()}
        self._runs: dict[str, Any] = {}
        self.marks: dict[str, Any] = {}

    def signatures(
        self, experiments: Sequence[str], known: Mapping[str, Mapping[str, str]]
    ) -> dict[str, dict[str, str]]:
        """Returns experiment -> run id -> signature, deleted runs included.

        `known` are the signatures of an earlier read, which hold unless the server reports changes.
        """
        now = time.time()
        is_small = sum(len(known[each]) for each in experiments) <= PAGE
        partly = [
            each
            for each in experiments
            if known[each] and not is_small and now - self._full(each) <= FULL_LIST_SECONDS
        ]
        full = [each for each in experiments if each not in partly]
        found: dict[str, dict[str, str]] = {each: dict(known[each]) for each in partly}
        found |= {each: {} for each in full}
        listed = list(self._search(full, "", "ALL"))
        if partly:
            since = int(min(self._before[each][0] for each in partly) * 1000)
            listed += self._changed(partly, since - CLOCK_MARGIN_MILLISECONDS, known)
        for run in listed:
            self._runs[run.info.run_id] = run
            found[run.info.experiment_id][run.info.run_id] = _signature(run)
        self.marks = {each: [now, now] for each in full}
        self.marks |= {each: [now, self._full(each)] for each in partly}
        return found

    def fetch(
        self, experiment: str, run_ids: Sequence[str], signatures: Mapping[str, str]
    ) -> pa.Table:
        """Returns the runs with these ids as a RAW table."""
        runs = [self._runs[run_id] for run_id in run_ids]
        rows = [_row(run, signatures[run.info.run_id]) for run in runs]
        return with_column(pa.Table.from_pylist(rows, schema=RAW), "curves", self._curves(runs))

    def _full(self, experiment: str) -> float:
        return self._before.get(experiment, (0.0, 0.0))[1]

    def _changed(
        self, experiments: Sequence[str], since: int, known: Mapping[str, Mapping[str, str]]
    ) -> list[Any]:
        questions = [
            f"attributes.start_time >= {since}", f"attributes.end_time >= {since}",
            "attributes.status = 'RUNNING'", "attributes.status = 'SCHEDULED'",
            f"tags.`{tag_names.KIND}` = 'search'",
        ]  # fmt: skip
        found = {
            run.info.run_id: run
            for question in questions
            for run in self._search(experiments, question, "ACTIVE_ONLY")
        }
        deleted = {run.info.run_id: run for run in self._search(experiments, "", "DELETED_ONLY")}
        was_deleted = {
            run for each in experiments for run, text in known[each].items() if "|deleted|" in text
        }
        restored = self._those_left(was_deleted - deleted.keys() - found.keys())
        ours = [run for run in found.values() if run.data.tags.get(tag_names.KIND) == "search"]
        trials = [
            trial
            for run in ours  # a trial gets test metrics after its end, until its search ends
            if known[run.info.experiment_id].get(run.info.run_id) != _signature(run)
            if "'" not in run.data.tags.get(tag_names.SEARCH, "'")
            for trial in self._search(
                experiments,
                f"tags.`{tag_names.SEARCH}` = '{run.data.tags[tag_names.SEARCH]}'",
                "ALL",
            )
        ]
        return [*trials, *found.values(), *deleted.values(), *restored]

    def _those_left(self, run_ids: Iterable[str]) -> list[Any]:
        """Returns those that still exist, so were restored; the others were purged."""
        from mlflow.exceptions import MlflowException

        found = []
        for run_id in run_ids:
            try:
                found.append(self._client.get_run(run_id))
            except MlflowException as error:
                if not is_missing(error):
                    raise
        return found

    def _search(self, experiments: Sequence[str], question: str, view: str) -> Iterator[Any]:
        from mlflow.entities import ViewType

        if experiments:
            kind = ViewType.from_string(view.lower())
            yield from paged(self._client.search_runs, list(experiments), question, kind)

    def _curves(self, runs: Sequence[Any]) -> pa.ListArray:
        wanted: dict[str, list[str]] = {}
        for run in runs:
            for metric in run.data.metrics:
                wanted.setdefault(metric, []).append(run.info.run_id)
        requests = [
            (metric, ids[start : start + RUNS_A_REQUEST])
            for metric, ids in wanted.items()
            for start in range(0, len(ids), RUNS_A_REQUEST)
        ]
        with ThreadPoolExecutor(REQUESTS_AT_ONCE) as pool:
            answers = list(
                pool.map(
                    lambda request: metric_histories(self._client, self._uri, *request), requests
                )
            )
        place = {run.info.run_id: index for index, run in enumerate(runs)}
        metrics = {metric: index for index, metric in enumerate(wanted)}
        rows = [
            (place[run], metrics[metric], step, moment, value)
            for (metric, _), answer in zip(requests, answers, strict=True)
            for run, step, moment, value in answer
            if run in place
        ]
        columns = [np.array(column) for column in zip(*rows, strict=True)] or [np.zeros(0)] * 5
        run_, metric_, step_, time_ = (column.astype(np.int64) for column in columns[:4])
        ours = np.array([tag_names.KIND in run.data.tags for run in runs], dtype=bool)
        points = Points(run_, metric_, step_, time_, columns[4].astype(np.float64))
        return curves_of(points, [clean(metric) for metric in metrics], ours)


def _times(mark: Any) -> tuple[float, float]:
    """Returns the two times of a mark; 0 if another source wrote it."""
    try:
        read, listed = mark
        return float(read), float(listed)
    except (TypeError, ValueError):
        return 0.0, 0.0


def _signature(run: Any) -> str:
    info, data = run.info, run.data
    parts = (
        info.run_name, info.status, info.lifecycle_stage, info.start_time, info.end_time,
        checksum(data.tags.items()), checksum(data.params.items()), checksum(data.metrics.items()),
        # A running curve may grow and yet keep its last value.
        time.time() if info.status == "RUNNING" and data.metrics else "",
    )  # fmt: skip
    return clean("|".join(map(str, parts)))


def _row(run: Any, signature: str) -> dict[str, Any]:
    info, data = run.info, run.data
    inputs = [
        {"name": each.dataset.name, "digest": each.dataset.digest,
         "profile": each.dataset.profile or "",
         "context": next((tag.value for tag in each.tags if tag.key == CONTEXT), "")}
        for each in (run.inputs.dataset_inputs if run.inputs else ())
    ]  # fmt: skip
    facts = {
        "run_id": info.run_id, "name": info.run_name, "status": info.status,
        "stage": info.lifecycle_stage, "start": info.start_time, "end": info.end_time,
    }  # fmt: skip
    return raw_row(
        facts, params=data.params, tags=data.tags, metrics=data.metrics, inputs=inputs,
        signature=signature,
    )  # fmt: skip


Point: TypeAlias = tuple[str, int, int, float]

# The limits of the endpoint.
RUNS_A_REQUEST = 100
POINTS_A_REQUEST = 25_000
BULK_ENDPOINT = "/ajax-api/2.0/mlflow/metrics/get-history-bulk"


def metric_histories(
    client: MlflowClient, tracking_uri: str, metric: str, run_ids: list[str]
) -> list[Point]:
    """Returns run, step, time (milliseconds) and value of every point of a metric.

    Args:
        client: a client of the store.
        tracking_uri: the store's; if it is a server, its bulk endpoint is used.
        metric: the metric's name.
        run_ids: at most `RUNS_A_REQUEST`.
    """
    answer = _asked_in_bulk(tracking_uri, metric, run_ids)
    if answer is not None and len(answer) < POINTS_A_REQUEST:
        return answer
    if answer is not None and len(run_ids) > 1:  # it was cut: ask for half of the runs
        half = len(run_ids) // 2
        return [
            point
            for part in (run_ids[:half], run_ids[half:])
            for point in metric_histories(client, tracking_uri, metric, part)
        ]
    return [
        (run, whole_number(point.step), whole_number(point.timestamp), real_number(point.value))
        for run in run_ids
        for point in client.get_metric_history(run, metric)
    ]


def _asked_in_bulk(tracking_uri: str, metric: str, run_ids: Sequence[str]) -> list[Point] | None:
    """Returns the answer of the bulk endpoint; None if there is none."""
    from mlflow.exceptions import MlflowException
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request

    if not tracking_uri.startswith("http"):
        return None
    question = {"run_id": list(run_ids), "metric_key": metric, "max_results": POINTS_A_REQUEST}
    try:
        credentials = get_default_host_creds(tracking_uri)
        answer = http_request(credentials, BULK_ENDPOINT, "GET", params=question)
        return [
            (point["run_id"], whole_number(point["step"]), whole_number(point["timestamp"]),
             real_number(point["value"]))
            for point in answer.json()["metrics"]
        ]  # fmt: skip
    except (MlflowException, OSError, ValueError, KeyError, TypeError):
        return None  # an older server, or none: the client reports that

"""Read runs from MLflow's database in a few plain queries.

Measured on SQLite with 10,000 runs and two metrics of 50 steps: MLflow's client needs 5 s for
`search_runs` and 30 ms for each `get_metric_history`, ten minutes in all; these queries need 4 s,
and 0.2 s to see that nothing changed, or less if the file's time shows it. Only the tables below
are read; if a query fails, reading falls back on the client (rest_reader.py). Nothing is written:
SQLite is set to `query_only`, PostgreSQL to a read-only transaction.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sqlalchemy import Engine, Select, column, create_engine, func, select, table
from sqlalchemy.pool import NullPool

from search.history.curves import Points, curves_of
from search.history.table import with_column
from search.tracking import tag_names
from search.tracking.runs import CONTEXT, RAW, checksum, clean, raw_row, real_number, whole_number
from search.tracking.uris import database_path

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

# The columns of a run that are read in addition to its id.
INFO = (
    RUNS.c.experiment_id, RUNS.c.name, RUNS.c.status, RUNS.c.lifecycle_stage,
    RUNS.c.start_time, RUNS.c.end_time,
)  # fmt: skip
# The data sets logged with runs: run, name, digest, profile, and what they were used for.
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

# Databases limit the parameters of a query: PostgreSQL's driver to 65,535, old SQLite to 999.
IDS_A_QUERY = 900
# Small portions stay in the processor's cache: 2,000 rows are 1.7 times faster than 100,000.
ROWS_AT_ONCE = 2_000
# File times have a resolution of milliseconds, at worst two seconds (FAT): a second write to a file
# that was just written may not change its time.
SETTLED_SECONDS = 2.5


@dataclass(frozen=True)
class _Wanted:
    """The runs of an experiment to be read: id -> row, and whether there are no others."""

    experiment: str
    places: Mapping[str, int]
    is_all: bool

    def restricted(self, query: Select[Any]) -> Iterator[Select[Any]]:
        """Yields the query for these runs: one if there are no others, else in portions."""
        if self.is_all:
            yield query.where(RUNS.c.experiment_id == int(self.experiment))
            return
        ids = list(self.places)
        for start in range(0, len(ids), IDS_A_QUERY):
            yield query.where(RUNS.c.run_uuid.in_(ids[start : start + IDS_A_QUERY]))


class Database:
    """The runs of an SQL store: `signatures` lists them, `fetch` reads them."""

    def __init__(self, tracking_uri: str, marks: Mapping[str, Any]) -> None:
        """Takes the marks of the last read: the state of the file then."""
        self._engine: Engine = create_engine(tracking_uri, poolclass=NullPool)
        self._file = database_path(tracking_uri)
        self._before = marks
        self.marks: dict[str, Any] = {}

    def signatures(
        self, experiments: Sequence[str], known: Mapping[str, Mapping[str, str]]
    ) -> dict[str, dict[str, str]]:
        """Returns experiment -> run id -> signature, deleted runs included.

        `known` are the signatures of an earlier read, which hold if the file was not written since.
        """
        stamp = _stamp(self._file) if self._file else None
        self.marks = {each: stamp for each in experiments}
        is_same = {each for each in experiments if stamp and self._before.get(each) == stamp}
        found = {each: dict(known[each]) if each in is_same else {} for each in experiments}
        experiments = [each for each in experiments if each not in is_same or not known[each]]
        place: dict[str, str] = {}
        facts: dict[str, list[Any]] = {}
        for run, experiment, *rest in self._all(experiments, RUNS.c.run_uuid, *INFO):
            place[run] = str(experiment)
            facts[run] = [*rest, 0]
        # A run that begins between these queries is left to the next read.
        for run, key, value in self._all(experiments, *TAGS.c, source=TAGS):
            if run in facts:
                facts[run][-1] += checksum([(key, value)])
        counts = (func.count(), func.max(LATEST.c.timestamp), func.sum(LATEST.c.step))
        for origin, what in ((PARAMS, (func.count(),)), (LATEST, counts)):
            grouped = self._all(
                experiments, origin.c.run_uuid, *what, source=origin, group=origin.c.run_uuid
            )
            for run, *counted in grouped:
                if run in facts:
                    facts[run] += [origin.name, *counted]
        for run, values in facts.items():
            found[place[run]][run] = clean("|".join(map(str, values)))
        return found

    def fetch(
        self, experiment: str, run_ids: Sequence[str], signatures: Mapping[str, str]
    ) -> pa.Table:
        """Returns the runs with these ids as a RAW table; `signatures` are of all in it."""
        places = {run: index for index, run in enumerate(run_ids)}
        wanted = _Wanted(experiment, places, is_all=len(run_ids) == len(signatures))
        texts: dict[str, list[dict[str, Any]]] = {
            origin.name: [{} for _ in run_ids] for origin in (PARAMS, TAGS, LATEST)
        }
        for origin in (PARAMS, TAGS):
            for run, key, value in self._some(wanted, *origin.c, source=origin):
                texts[origin.name][places[run]][clean(key)] = clean("" if value is None else value)
        last = (LATEST.c.run_uuid, LATEST.c.key, LATEST.c.value, LATEST.c.is_nan)
        for run, key, value, is_nan in self._some(wanted, *last, source=LATEST):
            texts["latest_metrics"][places[run]][clean(key)] = (
                float("nan") if is_nan else real_number(value)
            )
        inputs = self._inputs(wanted)
        rows: list[dict[str, Any]] = [{} for _ in run_ids]
        for run, _, name, status, stage, start, end in self._some(wanted, RUNS.c.run_uuid, *INFO):
            index = places[run]
            info = {"run_id": run, "name": name, "status": status, "stage": stage,
                    "start": start, "end": end}  # fmt: skip
            rows[index] = raw_row(
                info, params=texts["params"][index], tags=texts["tags"][index],
                metrics=texts["latest_metrics"][index], inputs=inputs.get(run, ()),
                signature=signatures[run],
            )  # fmt: skip
        ours = np.array([tag_names.KIND in tags for tags in texts["tags"]], dtype=bool)
        is_there = [bool(row) for row in rows]  # a run may have been purged after it was listed
        found = pa.Table.from_pylist(rows, schema=RAW)
        found = with_column(found, "curves", self._curves(wanted, ours))
        return found.filter(pa.array(is_there, pa.bool_()))

    def close(self) -> None:
        """Closes the connections."""
        self._engine.dispose()

    def _curves(self, wanted: _Wanted, ours: NDArray[np.bool_]) -> pa.ListArray:
        metrics: dict[str, int] = {}
        parts: list[tuple[Any, ...]] = []
        for chunk in self._chunks(wanted, *METRICS.c, source=METRICS):
            run, key, step, time, value, is_nan = zip(*chunk, strict=True)
            values = _numbers(value, np.float64, real_number)
            steps, times = (_numbers(each, np.int64, whole_number) for each in (step, time))
            values[np.array([bool(flag) for flag in is_nan])] = np.nan
            codes = [metrics.setdefault(name, len(metrics)) for name in key]
            parts.append(([wanted.places[each] for each in run], codes, steps, times, values))
        columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
        if not columns:
            columns = [np.zeros(0, np.int64)] * 4 + [np.zeros(0)]
        return curves_of(Points(*columns), [clean(name) for name in metrics], ours)

    def _inputs(self, wanted: _Wanted) -> dict[str, list[dict[str, str]]]:
        found: dict[str, list[dict[str, str]]] = {}
        for run, name, digest, profile, context in chain.from_iterable(
            self._run(wanted.restricted(INPUTS_OF_RUNS))
        ):
            found.setdefault(run, []).append(
                {"name": name, "digest": digest, "profile": profile or "", "context": context or ""}
            )
        return found

    def _all(
        self, experiments: Sequence[str], *what: Any, source: Any = RUNS, group: Any = None
    ) -> Iterator[Any]:
        for start in range(0, len(experiments), IDS_A_QUERY):
            ids = [int(each) for each in experiments[start : start + IDS_A_QUERY]]
            query = _with_runs(what, source).where(RUNS.c.experiment_id.in_(ids))
            yield from chain.from_iterable(
                self._run([query if group is None else query.group_by(group)])
            )

    def _some(self, wanted: _Wanted, *what: Any, source: Any = RUNS) -> Iterable[Any]:
        return chain.from_iterable(self._chunks(wanted, *what, source=source))

    def _chunks(self, wanted: _Wanted, *what: Any, source: Any) -> Iterator[Sequence[Any]]:
        for chunk in self._run(wanted.restricted(_with_runs(what, source))):
            rows = [row for row in chunk if row[0] in wanted.places]  # others began since
            if rows:
                yield rows

    def _run(self, queries: Iterable[Select[Any]]) -> Iterator[Sequence[Any]]:
        with self._engine.connect() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("PRAGMA query_only = ON")
                # Text that is not UTF-8 would raise; read it with replacement characters.
                driver: Any = connection.connection.dbapi_connection
                driver.text_factory = partial(str, encoding="utf-8", errors="replace")
            elif connection.dialect.name == "postgresql":
                connection.execution_options(postgresql_readonly=True)
            for query in queries:
                yield from connection.execute(query).partitions(ROWS_AT_ONCE)


def _stamp(file: Path) -> list[Any] | None:
    """Returns what any later write to an SQLite file changes; None if a write could be missed."""
    stamp: list[Any] = []
    for part in (file, Path(f"{file}-wal")):
        try:
            facts = part.stat()
        except FileNotFoundError:
            continue
        if not SETTLED_SECONDS < time.time() - facts.st_mtime:
            return None
        stamp += [facts.st_ino, facts.st_size, facts.st_mtime_ns]
    return stamp


def _with_runs(what: Sequence[Any], source: Any) -> Select[Any]:
    query = select(*what)
    if source is RUNS:
        return query
    return query.select_from(source.join(RUNS, RUNS.c.run_uuid == source.c.run_uuid))


def _numbers(values: Sequence[Any], dtype: type, read: Callable[[Any], Any]) -> Any:
    # SQLite stores any type in any column, such as text in a column of numbers.
    try:
        return np.array(values, dtype=dtype)
    except (TypeError, ValueError, OverflowError):
        return np.array([read(value) for value in values], dtype=dtype)

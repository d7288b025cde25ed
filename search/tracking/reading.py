"""Reads searches back from a store, as Arrow tables.

What a run says is not trusted: text is parsed as JSON, numbers are checked, and a run that cannot
be read is listed with its reason. Curves are read run by run, with several requests under way at
once when the store is a server.
"""

from __future__ import annotations

import fnmatch
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from search.space import SearchSpace
from search.tracking import names
from search.tracking.ownership import is_alive
from search.tracking.runs import all_runs
from search.tracking.store import database_path, open_client
from search.tracking.tables import REJECTED, SEARCHES, STATES, TRIALS

if TYPE_CHECKING:
    from mlflow import MlflowClient

# An SQLite file gains nothing from parallel reads; a server answers this many at once with ease.
REQUESTS_AT_ONCE = 8

# What parsing somebody else's text can raise; JSON nested 100,000 deep is a RecursionError.
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
LARGEST_COUNT = 2**31


def read_history(
    tracking_uri: str,
    experiments: Sequence[str] = ("*",),
    rename: Mapping[str, str] | None = None,
    rename_metrics: Mapping[str, str] | None = None,
    searches: Sequence[str] | None = None,
) -> tuple[pa.Table, pa.Table, pa.Table]:
    """Trials, searches and left-out runs (schemas in tables.py) of the matching experiments.

    Args:
        tracking_uri: the store.
        experiments: names or shell patterns.
        rename: old -> new hyperparameter names.
        rename_metrics: old -> new metric names.
        searches: only these searches, or all if None.
    """
    client = open_client(tracking_uri)
    found = [
        experiment.experiment_id
        for experiment in _all_experiments(client)
        if any(fnmatch.fnmatch(experiment.name, pattern) for pattern in experiments)
    ]
    runs = all_runs(client, found, "")
    rejected: list[dict[str, str]] = []
    summaries: dict[str, dict[str, Any]] = {}
    trials: list[tuple[Any, dict[str, Any]]] = []
    for run in runs:
        tags = run.data.tags
        if searches is not None and tags.get(names.SEARCH) not in searches:
            continue
        kind = tags.get(names.KIND)
        try:
            if kind == "search":
                row = _search_row(run)
                summaries.setdefault(row["search"], row)
            elif kind == "trial":
                trials.append((run, _trial_row(run)))
            else:
                rejected.append(_reject(run, "not logged by Twentieth: it carries no trial key"))
        except UNREADABLE as error:
            rejected.append(_reject(run, f"cannot be read: {type(error).__name__}: {error}"))
    rows = _complete(client, tracking_uri, trials, summaries, rejected)
    rows = _merged(rows, rejected)
    for row in rows:
        _rename(row, rename or {}, rename_metrics or {})
    for summary in summaries.values():
        summary["objectives"] = [
            (rename_metrics or {}).get(name, name) for name in summary["objectives"]
        ]
    return (
        pa.Table.from_pylist(rows, schema=TRIALS),
        pa.Table.from_pylist(list(summaries.values()), schema=SEARCHES),
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


def _reject(run: Any, reason: str) -> dict[str, str]:
    return {"run_id": run.info.run_id, "name": run.info.run_name or "", "reason": reason[:500]}


def _search_row(run: Any) -> dict[str, Any]:
    tags = run.data.tags
    spec_numbers = json.loads(tags.get(names.NUMBERS, "{}"))
    state = tags.get(names.STATE, "interrupted")
    if state == "running" and not is_alive(tags):
        state = "interrupted"
    space = names.joined_tag(names.SPACE, tags)
    if space is not None:
        SearchSpace.from_json(space)  # raises for what is no space
    fingerprint = names.joined_tag(names.FINGERPRINT, tags) or "{}"
    if not isinstance(json.loads(fingerprint), dict):
        raise ValueError("its fingerprint is no JSON object")
    return {
        "search": tags[names.SEARCH],
        "run_id": run.info.run_id,
        "task": tags[names.TASK],
        "fingerprint_json": fingerprint,
        "space_json": space,
        "objectives": _strings(tags[names.OBJECTIVES]),
        "directions": _directions(tags[names.DIRECTIONS]),
        "started": _time(run.info.start_time),
        "trials_budget": _count(tags.get(names.BUDGET, 0)),
        "epochs": _count(spec_numbers.get("epochs", 0)),
        "seed": _count(spec_numbers.get("seed", 0), 2**32),
        "state": state,
        "warm": json.loads(tags.get(names.WARM, "[]")) != [],
    }


def _trial_row(run: Any) -> dict[str, Any]:
    tags = run.data.tags
    configuration = json.loads(names.joined_tag(names.CONFIGURATION, tags) or "null")
    if not isinstance(configuration, dict):
        raise ValueError("its configuration is missing or no JSON object")
    state = tags.get(names.STATE, "interrupted")
    if state not in STATES:
        raise ValueError(f"unknown state {state!r}")
    values = [float(value) for value in json.loads(tags.get(names.VALUES, "[]"))]
    if not all(math.isfinite(value) for value in values):
        raise ValueError(f"objective values {values} are not all finite")
    origin = json.loads(names.joined_tag(names.ORIGIN, tags) or "{}")
    ended = run.info.end_time or 0
    return {
        "search": tags[names.SEARCH],
        "number": _count(tags[names.NUMBER]),
        "run_id": run.info.run_id,
        "state": state,
        "configuration": json.dumps(configuration),
        "values": values if state == "complete" else [],
        "epoch": _count(tags.get(names.EPOCH, 0)),
        "origin": json.dumps(origin if isinstance(origin, dict) else {}),
        "started": _time(run.info.start_time),
        "seconds": max(ended - run.info.start_time, 0) / 1000 if ended else None,
    }


def _complete(
    client: MlflowClient,
    tracking_uri: str,
    trials: Sequence[tuple[Any, dict[str, Any]]],
    summaries: Mapping[str, Mapping[str, Any]],
    rejected: list[dict[str, str]],
) -> list[dict[str, Any]]:
    """Adds to each trial what its search says (task, objectives) and its learning curves."""
    rows = []
    for run, row in trials:
        summary = summaries.get(row["search"])
        if summary is None:
            rejected.append(_reject(run, f"its search {row['search']!r} has no summary run"))
            continue
        if row["state"] == "running" and summary["state"] != "running":
            row["state"] = "interrupted"
        if row["state"] == "complete" and len(row["values"]) != len(summary["objectives"]):
            rejected.append(_reject(run, "complete, but without a value for each objective"))
            continue
        row |= {name: summary[name] for name in ("task", "objectives", "directions")}
        rows.append((run, row))
    threads = 1 if database_path(tracking_uri) else REQUESTS_AT_ONCE
    with ThreadPoolExecutor(threads) as pool:
        curves = list(pool.map(lambda entry: _curves(client, entry[0]), rows))
    return [row | {"curves": curve} for (_, row), curve in zip(rows, curves, strict=True)]


def _curves(client: MlflowClient, run: Any) -> list[dict[str, Any]]:
    # One value a (metric, epoch): of several, the first one written counts.
    points: dict[tuple[str, int], float] = {}
    for metric in run.data.metrics:
        if metric.startswith("log10."):
            continue
        for point in client.get_metric_history(run.info.run_id, metric):
            points.setdefault((metric, point.step), point.value)
    return [
        {"metric": metric, "epoch": epoch, "value": value}
        for (metric, epoch), value in points.items()
    ]


def _merged(rows: Iterable[dict[str, Any]], rejected: list[dict[str, str]]) -> list[dict[str, Any]]:
    """One row a trial key. Of runs that share a key, the one furthest along counts."""
    best: dict[tuple[str, int], dict[str, Any]] = {}
    for row in rows:
        key = (row["search"], row["number"])
        other = best.get(key)
        if other is not None:
            row, other = sorted((row, other), key=lambda entry: -(entry["epoch"] or 0))
            reason = f"shares its trial key with run {row['run_id']}, which went further"
            rejected.append({"run_id": other["run_id"], "name": "", "reason": reason})
        best[key] = row
    return sorted(best.values(), key=lambda row: (row["started"], row["number"]))


def _rename(
    row: dict[str, Any], rename: Mapping[str, str], rename_metrics: Mapping[str, str]
) -> None:
    if rename:
        configuration = json.loads(row["configuration"])
        renamed = {rename.get(name, name): value for name, value in configuration.items()}
        row["configuration"] = json.dumps(renamed)
    row["objectives"] = [rename_metrics.get(name, name) for name in row["objectives"]]
    for point in row["curves"]:
        point["metric"] = rename_metrics.get(point["metric"], point["metric"])


def _count(value: Any, limit: int = LARGEST_COUNT) -> int:
    number = int(value)
    if not 0 <= number < limit:
        raise ValueError(f"{number} is no count")
    return number


def _strings(text: str) -> list[str]:
    parsed = json.loads(text)
    if not isinstance(parsed, list) or not all(isinstance(item, str) for item in parsed):
        raise ValueError(f"{text[:80]!r} is no list of names")
    "".join(parsed).encode()  # a lone surrogate is a ValueError here, not a crash in Arrow
    return parsed


def _directions(text: str) -> list[str]:
    directions = _strings(text)
    if not set(directions) <= {"maximize", "minimize"}:
        raise ValueError(f"directions {directions} are not maximize or minimize")
    return directions


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)

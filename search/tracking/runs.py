"""Runs as a store has them, before anybody asks what they mean: one Arrow row a run.

Readers fill this table (sql_reader.py, rest_reader.py), the cache keeps it (cache.py), and meaning
is given to it in parse.py. Params, tags, metrics and inputs stand as JSON text.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import pyarrow as pa

from search.history.curves import CURVES, GREATEST
from search.tracking import tag_names

RAW = pa.schema(
    [
        ("run_id", pa.string()),
        ("name", pa.string()),
        ("status", pa.string()),
        ("stage", pa.string()),  # active or deleted
        ("start", pa.int64()),  # milliseconds since 1970, as the client's clock had it
        ("end", pa.int64()),
        ("params", pa.string()),
        ("tags", pa.string()),
        ("metrics", pa.string()),  # each metric's last value
        ("inputs", pa.string()),
        ("signature", pa.string()),  # differs if the run was changed since
        ("curves", CURVES),
    ]
)
# The tag that says what a logged data set was used for.
CONTEXT = "mlflow.data.context"


@dataclass(frozen=True)
class Run:
    """One run, its JSON parsed. Times are milliseconds, 0 if unknown."""

    run_id: str
    name: str
    status: str
    stage: str = "active"
    start: int = 0
    end: int = 0
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    inputs: Sequence[Mapping[str, str]] = ()

    @property
    def parent(self) -> str | None:
        """The run it is nested below, if any but itself."""
        parent = self.tags.get("mlflow.parentRunId")
        return parent if parent != self.run_id else None

    @property
    def is_ours(self) -> bool:
        """Whether Twentieth says it logged this run."""
        return self.tags.get(tag_names.KIND) in ("search", "trial")


def parsed_runs(table: pa.Table) -> list[Run]:
    """The rows of a RAW table, without their curves."""
    columns = [name for name in RAW.names if name not in ("curves", "signature")]
    return [_parsed(row) for row in table.select(columns).to_pylist()]


def _parsed(row: Mapping[str, Any]) -> Run:
    return Run(
        run_id=row["run_id"],
        name=row["name"],
        status=row["status"],
        stage=row["stage"],
        start=row["start"],
        end=row["end"],
        params=json.loads(row["params"]),
        tags=json.loads(row["tags"]),
        metrics=json.loads(row["metrics"]),
        inputs=json.loads(row["inputs"]),
    )


def raw_row(
    info: Mapping[str, Any],
    *,
    params: Mapping[str, str],
    tags: Mapping[str, str],
    metrics: Mapping[str, float],
    inputs: Iterable[Mapping[str, str]],
    signature: str,
) -> dict[str, Any]:
    """A row of RAW without its curves; `info` has run_id, name, status, stage, start and end."""
    return {
        "run_id": info["run_id"],
        "name": clean(info["name"] or ""),
        "status": clean(info["status"] or ""),
        "stage": info["stage"],
        "start": whole_number(info["start"]),
        "end": whole_number(info["end"]),
        "params": json.dumps(dict(params)),
        "tags": json.dumps(dict(tags)),
        "metrics": json.dumps({name: real_number(value) for name, value in metrics.items()}),
        "inputs": json.dumps([dict(entry) for entry in inputs]),
        "signature": signature,
    }


def clean(text: object) -> str:
    """Text that Arrow can hold: a lone surrogate becomes a question mark."""
    return str(text).encode("utf-8", "replace").decode("utf-8")


def whole_number(value: Any) -> int:
    """A time or a step as it should be; 0 for what is no whole number of 64 bits."""
    try:
        found = int(value)
    except (TypeError, ValueError, OverflowError):
        return 0
    return found if -(2**63) <= found < 2**63 else 0


def real_number(value: Any) -> float:
    """A metric's value as it should be: NaN for what is no number, infinity given back."""
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan
    return math.copysign(math.inf, found) if abs(found) >= GREATEST else found


def checksum(pairs: Iterable[tuple[str, Any]]) -> int:
    """A sum over named values in any order, to tell whether one of them was changed."""
    return sum(crc32(f"{name}\0{value}".encode("utf-8", "replace")) for name, value in pairs)


# The years that Python's datetime knows, less a day for time zones, in milliseconds.
LAST_MOMENT = 253_402_214_400_000
# Thirty years: what took longer was timed by a clock that jumped.
LONGEST_MILLISECONDS = 10**12
LONGEST_REASON = 500
# How the ids of searches and tasks begin that Twentieth did not log.
FOREIGN = "mlflow:"


def moment(milliseconds: int) -> int | None:
    """A time that a calendar has, or None."""
    return milliseconds if 0 < milliseconds < LAST_MOMENT else None


def duration(start: int, end: int) -> float | None:
    """Seconds from start to end; 0 if a clock went backwards between, None if nobody can know."""
    if not (moment(start) and moment(end)) or end - start > LONGEST_MILLISECONDS:
        return None
    return max(end - start, 0) / 1000


def rejection(run: Run, reason: str) -> dict[str, str]:
    """A row for a run that is left out; "search" is what it says it belongs to."""
    return {
        "run_id": run.run_id, "name": run.name, "reason": clean(reason[:LONGEST_REASON]),
        "search": run.tags.get(tag_names.SEARCH, ""),
    }  # fmt: skip

"""Uninterpreted runs of a store: one Arrow row per run.

Readers fill this table (sql_reader.py, rest_reader.py), cache.py stores it, and parse.py interprets
it. Params, tags, metrics and inputs are JSON text.
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
        ("start", pa.int64()),  # milliseconds since 1970, by the client's clock
        ("end", pa.int64()),
        ("params", pa.string()),
        ("tags", pa.string()),
        ("metrics", pa.string()),  # the last value of each metric
        ("inputs", pa.string()),
        ("signature", pa.string()),  # changes when the run changes
        ("curves", CURVES),
    ]
)
# The tag that says what a logged data set was used for (training, evaluation).
CONTEXT = "mlflow.data.context"
# What parsing the text of a run can raise; JSON nested 100,000 deep is a RecursionError, and a
# distribution of Optuna's, which counts its steps in decimals, an ArithmeticError.
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError)


@dataclass(frozen=True)
class Run:
    """One run with its JSON parsed. Times are milliseconds since 1970, 0 if unknown."""

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
        """The id of the run it is nested below; None for none, or for itself."""
        parent = self.tags.get("mlflow.parentRunId")
        return parent if parent != self.run_id else None

    @property
    def is_ours(self) -> bool:
        """Whether the run has the tags of a run that Twentieth logged."""
        return self.tags.get(tag_names.KIND) in ("search", "trial")


def parsed_runs(table: pa.Table) -> list[Run]:
    """Returns the rows of a RAW table as runs, without their curves."""
    columns = [name for name in RAW.names if name not in ("curves", "signature")]
    as_json = ("params", "tags", "metrics", "inputs")
    return [
        Run(**row | {name: json.loads(row[name]) for name in as_json})
        for row in table.select(columns).to_pylist()
    ]


def raw_row(
    info: Mapping[str, Any],
    *,
    params: Mapping[str, str],
    tags: Mapping[str, str],
    metrics: Mapping[str, float],
    inputs: Iterable[Mapping[str, str]],
    signature: str,
) -> dict[str, Any]:
    """Returns a row of RAW without curves; `info` has run_id, name, status, stage, start, end."""
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
    """Returns text that Arrow can hold: a lone surrogate becomes a question mark."""
    return str(text).encode("utf-8", "replace").decode("utf-8")


def whole_number(value: Any) -> int:
    """Returns a time, a step or a count as an integer; 0 for anything but a 64-bit integer."""
    try:
        found = int(value)
    except (TypeError, ValueError, OverflowError):
        return 0
    return found if -(2**63) <= found < 2**63 else 0


def trial_number(text: str) -> int | None:
    """Returns the number of a trial; None for anything else."""
    return int(text) if text.isdecimal() and len(text) < 10 else None


def real_number(value: Any) -> float:
    """Returns a metric's value: NaN if it is not a number, infinity from `GREATEST` on."""
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan
    return math.copysign(math.inf, found) if abs(found) >= GREATEST else found


def checksum(pairs: Iterable[tuple[str, Any]]) -> int:
    """Returns a sum over named values, in any order, that changes when one of them does."""
    return sum(crc32(f"{name}\0{value}".encode("utf-8", "replace")) for name, value in pairs)


# The last year of Python's datetime, less a day for time zones, in milliseconds since 1970.
LAST_MOMENT = 253_402_214_400_000
# Thirty years: a longer duration comes from a clock that jumped.
LONGEST_MILLISECONDS = 10**12
LONGEST_REASON = 500
# Prefix of the ids of searches and tasks that Twentieth did not log.
FOREIGN = "mlflow:"


def moment(milliseconds: int) -> int | None:
    """Returns a time that `datetime` can represent, or None."""
    return milliseconds if 0 < milliseconds < LAST_MOMENT else None


def duration(start: int, end: int) -> float | None:
    """Returns seconds from start to end; 0 if the clock went backwards, None if unknown."""
    if not (moment(start) and moment(end)) or end - start > LONGEST_MILLISECONDS:
        return None
    return max(end - start, 0) / 1000


def rejection(run: Run, reason: str) -> dict[str, str]:
    """Returns a row for a run that is left out; "search" is the search it says it belongs to."""
    return {
        "run_id": run.run_id, "name": run.name, "reason": clean(reason[:LONGEST_REASON]),
        "search": run.tags.get(tag_names.SEARCH, ""),
    }  # fmt: skip

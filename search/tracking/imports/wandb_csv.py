"""Reads the CSV that W&B exports from the table of a project's or a sweep's runs.

A row is a run: its name, state, start and duration, a column a key of its config and of its
summary, which has the last logged value of each metric. Curves are not in it. Source:
https://docs.wandb.ai/models/runs (states) and the export of the runs table.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from search.history import Trial
from search.history.plurals import counted
from search.history.states import State
from search.objectives import Objective
from search.objectives.objective import is_measured
from search.space import SearchSpace, Value
from search.space.values import brief, describe, read
from search.spec import Spec
from search.tracking.imports.imported import (
    Imported,
    ImportedRun,
    Matched,
    match_hyperparameters,
    match_objectives,
)

TOOL = "wandb"
# W&B's states -> ours; of the others nothing is known yet.
STATES: Mapping[str, State] = {
    "finished": "complete",
    "failed": "failed",
    "crashed": "failed",
    "killed": "interrupted",
    "preempted": "interrupted",
}
RUNNING = ("running", "pending", "preempting")
# Columns that W&B fills, in small letters; all others are keys of the config and of the summary.
_OWN = ("id", "name", "state", "notes", "user", "tags", "created", "runtime", "sweep", "group")
# A reason of ours begins so, too, and says that the trial diverged (`search/history/causes.py`).
_NOT_FINITE = "not finite: an objective at W&B"
# A century, and years that a store's milliseconds can hold: what lies beyond was not measured.
_MOST_SECONDS, _YEARS = 3.2e9, range(1971, 3000)
_LONGEST_ID = 200  # characters; W&B's have 8, and a longer one is kept by its digest
_SHOWN = 8  # rows that a line lists
_LONGEST_CELL = 1_000_000  # a config may hold a long text; the module's own limit is 131,072


@dataclass(frozen=True)
class _Table:
    """The rows of a file with their numbers, and what its columns are called."""

    file: str
    columns: tuple[str, ...]
    rows: tuple[tuple[int, dict[str, str]], ...]
    problems: list[str]

    def own(self, name: str) -> str:
        """Return the column that W&B itself fills, whatever its capitals; "" without one."""
        return next((each for each in self.columns if each.lower() == name), "")

    def note(self, row: int, column: str, problem: str) -> None:
        self.problems.append(f"{self.file}, row {row}, column {column}: {problem}")


def read_wandb_csv(path: Path, spec: Spec, *, is_partial: bool = False) -> Imported:
    """Read the exported runs, in the terms of a spec.

    Args:
        path: The file; row 1 has the names of the columns.
        spec: What the runs searched: hyperparameters, objectives and renames.
        is_partial: Whether some of its hyperparameters and objectives may have no column.

    Raises:
        ValueError: The file is no such table, or lacks a column; the message says which.
        OSError: It cannot be read.
    """
    table = _read(path)
    source = f"{path.name} has no column"
    keys = [each for each in table.columns if each.lower() not in _OWN or each in spec.space]
    matched = Matched(
        match_hyperparameters(spec, keys, source, is_partial=is_partial),
        match_objectives(spec, keys, source, is_partial=is_partial),
    )
    space = spec.search_space()
    runs: dict[str, ImportedRun] = {}
    repeats: list[str] = []
    for row, cells in table.rows:
        run = _run(table, row, cells, space, matched)
        if run is None:
            continue
        first = runs.setdefault(run.identity, run)
        if first is not run:
            same = replace(run, name=first.name, place=first.place) == first
            repeats.append(f"row {row} (as {first.place.partition(', ')[2]}"
                           f"{'' if same else ', with other cells'})")  # fmt: skip
    problems = [*_repeated(table.file, repeats), *table.problems]
    return Imported(TOOL, space, tuple(runs.values()), tuple(problems))


def _repeated(file: str, repeats: Sequence[str]) -> list[str]:
    """Return a line on the rows that are of a run that an earlier row has, if there are any."""
    if not repeats:
        return []
    more = f" and {len(repeats) - _SHOWN} more" if len(repeats) > _SHOWN else ""
    rows = counted(len(repeats), "row repeats", "rows repeat")
    return [f"{file}: {rows} the run of an earlier row and {'is' if len(repeats) == 1 else 'are'} "
            f"left out: {', '.join(repeats[:_SHOWN])}{more}; fix: none if each is one run; "
            "otherwise show the column ID in W&B's table, and export it again"]  # fmt: skip


def _read(path: Path) -> _Table:
    """Read a CSV file with names in its first row."""
    csv.field_size_limit(_LONGEST_CELL)
    problems: list[str] = []
    rows: list[tuple[int, dict[str, str]]] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file, strict=True)
            columns = tuple(next(lines, ()))
            if "" in columns or len(set(columns)) < len(columns):
                twice = sorted({each for each in columns if columns.count(each) > 1})
                raise ValueError(f"{path}, row 1: columns without a name or with one name: "
                                 f"{twice}; fix: hide all but one of them in W&B's table, and "
                                 "export it again")  # fmt: skip
            for row, cells in enumerate(lines, start=2):
                if len(cells) == len(columns):
                    rows.append((row, dict(zip(columns, cells, strict=True))))
                elif cells:
                    problems.append(f"{path.name}, row {row}: {len(cells)} cells in "
                                    f"{len(columns)} columns; the run is left out")  # fmt: skip
    except (UnicodeDecodeError, csv.Error) as error:
        fix = "fix: export the table from W&B as CSV again"
        raise ValueError(f"{path}: not a CSV file in UTF-8 ({error}); {fix}") from error
    if len(columns) < 2:
        raise ValueError(f"{path}: no table of runs; fix: export one from W&B as CSV")
    return _Table(path.name, columns, tuple(rows), problems)


def _run(
    table: _Table, row: int, cells: Mapping[str, str], space: SearchSpace, matched: Matched
) -> ImportedRun | None:
    """Return the run of a row; None if it cannot be used, which is noted."""
    stated = cells.get(table.own("state"), "").strip().lower()
    state = STATES.get(stated, "complete" if not table.own("state") else None)
    if state is None:
        text = f"the run is {stated}; import it again when it has ended"
        if stated not in RUNNING:
            text = f"{brief(stated)} is no state of W&B's; the run is left out"
        table.note(row, table.own("state"), text)
        return None
    configuration = _configuration(table, row, cells, space, matched.hyperparameters)
    values = _values(table, row, cells, matched.objectives) if state == "complete" else ()
    if not configuration or values is None:
        return None
    is_failed = not all(map(is_measured, values))  # as a trial of ours with such a value is
    created = _created(table, row, cells)
    trial = Trial(
        state="failed" if is_failed else state,
        configuration=configuration,
        values=() if is_failed else values,
        objectives=tuple(matched.objectives),
        started=created,
        seconds=_seconds(table, row, cells),
        reason=f"{stated} at W&B" if state == "failed" else _NOT_FINITE if is_failed else "",
    )
    name = cells.get(table.own("name"), "")
    return ImportedRun(_identity(table, cells), name, f"{table.file}, row {row}", trial)


def _configuration(
    table: _Table,
    row: int,
    cells: Mapping[str, str],
    space: SearchSpace,
    columns: Mapping[str, str],
) -> dict[str, Value] | None:
    """Return the active hyperparameters; None if a cell of theirs is missing or no value."""
    found: dict[str, Value] = {}
    for name, kind in space.distributions.items():
        if name not in columns or not space.is_active(name, found):
            continue
        cell = cells[columns[name]].strip()
        value = read(kind, cell)
        if value.problem in ("missing", "vanished"):
            why = "is empty" if not cell else f"{brief(cell)} is none of {describe(kind)}"
            table.note(row, columns[name], f"{why}; the run is left out")
            return None
        if value.problem:
            text = f"{brief(cell)} is not in {describe(kind)}; the run is kept as it is"
            table.note(row, columns[name], text)
        found[name] = value.value
    return found


def _values(
    table: _Table, row: int, cells: Mapping[str, str], columns: Mapping[Objective, str]
) -> tuple[float, ...] | None:
    """Return the objectives of a finished run, NaN included; None if one is missing."""
    found = []
    for column in columns.values():
        cell = cells[column].strip()
        try:
            found.append(float(cell))
        except ValueError:
            why = f"{brief(cell)} is no number" if cell else "is empty"
            table.note(row, column, f"{why}; the run is left out")
            return None
    return tuple(found)


def _created(table: _Table, row: int, cells: Mapping[str, str]) -> datetime | None:
    column = table.own("created")
    text = cells.get(column, "").strip()
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.year not in _YEARS:
        table.note(row, column, f"{brief(text)} is no time; the run is kept without it")
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _seconds(table: _Table, row: int, cells: Mapping[str, str]) -> float:
    column = table.own("runtime")
    text = cells.get(column, "").strip()
    try:
        seconds = float(text or 0)
    except ValueError:
        seconds = -1.0
    if 0 <= seconds <= _MOST_SECONDS:
        return seconds
    table.note(row, column, f"{brief(text)} is no number of seconds; the run is kept without it")
    return 0.0


def _identity(table: _Table, cells: Mapping[str, str]) -> str:
    """Return the id of a run; without that column its name and start, else a digest of its row."""
    stated = cells.get(table.own("id"), "").strip()
    both = [cells.get(table.own(name), "").strip() for name in ("name", "created")]
    if 0 < len(stated) <= _LONGEST_ID:
        return stated
    parts: Sequence[str] = (
        [stated]
        if stated
        else both
        if all(both)
        else [f"{key}={cells[key]}" for key in sorted(cells)]
    )
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]

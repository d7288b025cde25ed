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
class _Row:
    """A row of a file, and the list that its problems are noted in."""

    place: str
    cells: Mapping[str, str]
    problems: list[str]

    def text(self, column: str) -> str:
        """Return the text of a column; "" without one."""
        return self.cells.get(column, "").strip()

    def own(self, name: str) -> str:
        """Return the text of a column that W&B itself fills, whatever its capitals."""
        return self.text(self.column(name))

    def column(self, name: str) -> str:
        """Return the column that W&B itself fills; "" without one."""
        return next((each for each in self.cells if each.lower() == name), "")

    def note(self, column: str, problem: str) -> None:
        self.problems.append(f"{self.place}, column {column}: {problem}")


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
    problems: list[str] = []
    columns, rows = _read(path, problems)
    source = f"{path.name} has no column"
    keys = [each for each in columns if each.lower() not in _OWN or each in spec.space]
    names = match_hyperparameters(spec, keys, source, is_partial=is_partial)
    objectives = match_objectives(spec, keys, source, is_partial=is_partial)
    space = spec.search_space()
    runs: dict[str, ImportedRun] = {}
    repeats: list[str] = []
    for row in rows:
        run = _run(row, space, names, objectives)
        if run is None:
            continue
        first = runs.setdefault(run.identity, run)
        if first is not run:
            same = replace(run, name=first.name, place=first.place) == first
            number, known = (each.place.partition(", ")[2] for each in (run, first))
            repeats.append(f"{number} (as {known}{'' if same else ', with other cells'})")
    told = [*_repeated(path.name, repeats), *problems]
    return Imported(TOOL, space, tuple(runs.values()), tuple(told))


def _repeated(file: str, repeats: Sequence[str]) -> list[str]:
    """Return a line on the rows that are of a run that an earlier row has, if there are any."""
    if not repeats:
        return []
    more = f" and {len(repeats) - _SHOWN} more" if len(repeats) > _SHOWN else ""
    rows = counted(len(repeats), "row repeats", "rows repeat")
    return [f"{file}: {rows} the run of an earlier row and {'is' if len(repeats) == 1 else 'are'} "
            f"left out: {', '.join(repeats[:_SHOWN])}{more}; fix: none if each is one run; "
            "otherwise show the column ID in W&B's table, and export it again"]  # fmt: skip


def _read(path: Path, problems: list[str]) -> tuple[tuple[str, ...], list[_Row]]:
    """Read a CSV file with names in its first row; return these names and the other rows."""
    csv.field_size_limit(_LONGEST_CELL)
    rows: list[_Row] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file, strict=True)
            columns = tuple(next(lines, ()))
            if "" in columns or len(set(columns)) < len(columns):
                twice = sorted({each for each in columns if columns.count(each) > 1})
                raise ValueError(f"{path}, row 1: columns without a name or with one name: "
                                 f"{twice}; fix: hide all but one of them in W&B's table, and "
                                 "export it again")  # fmt: skip
            for number, cells in enumerate(lines, start=2):
                place = f"{path.name}, row {number}"
                if len(cells) == len(columns):
                    rows.append(_Row(place, dict(zip(columns, cells, strict=True)), problems))
                elif cells:
                    problems.append(f"{place}: {len(cells)} cells in {len(columns)} columns; the "
                                    "run is left out")  # fmt: skip
    except (UnicodeDecodeError, csv.Error) as error:
        fix = "fix: export the table from W&B as CSV again"
        raise ValueError(f"{path}: not a CSV file in UTF-8 ({error}); {fix}") from error
    if len(columns) < 2:
        raise ValueError(f"{path}: no table of runs; fix: export one from W&B as CSV")
    return columns, rows


def _run(
    row: _Row, space: SearchSpace, names: Mapping[str, str], objectives: Mapping[Objective, str]
) -> ImportedRun | None:
    """Return the run of a row; None if it cannot be used, which is noted."""
    stated = row.own("state").lower()
    state = STATES.get(stated, None if row.column("state") else "complete")
    if state is None:
        text = f"the run is {stated}; import it again when it has ended"
        if stated not in RUNNING:
            text = f"{brief(stated)} is no state of W&B's; the run is left out"
        row.note(row.column("state"), text)
        return None
    configuration = _configuration(row, space, names)
    values = _values(row, objectives) if state == "complete" else ()
    if not configuration or values is None:
        return None
    is_failed = not all(map(is_measured, values))  # as a trial of ours with such a value is
    created = _created(row)
    trial = Trial(
        state="failed" if is_failed else state,
        configuration=configuration,
        values=() if is_failed else values,
        objectives=tuple(objectives),
        started=created,
        seconds=_seconds(row),
        reason=f"{stated} at W&B" if state == "failed" else _NOT_FINITE if is_failed else "",
    )
    return ImportedRun(_identity(row), row.cells.get(row.column("name"), ""), row.place, trial)


def _configuration(
    row: _Row, space: SearchSpace, columns: Mapping[str, str]
) -> dict[str, Value] | None:
    """Return the active hyperparameters; None if a cell of theirs is missing or no value."""
    found: dict[str, Value] = {}
    for name, kind in space.distributions.items():
        if name not in columns or not space.is_active(name, found):
            continue
        cell = row.text(columns[name])
        value = read(kind, cell)
        if value.problem in ("missing", "vanished"):
            why = "is empty" if not cell else f"{brief(cell)} is none of {describe(kind)}"
            row.note(columns[name], f"{why}; the run is left out")
            return None
        if value.problem:
            text = f"{brief(cell)} is not in {describe(kind)}; the run is kept as it is"
            row.note(columns[name], text)
        found[name] = value.value
    return found


def _values(row: _Row, columns: Mapping[Objective, str]) -> tuple[float, ...] | None:
    """Return the objectives of a finished run, NaN included; None if one is missing."""
    found = []
    for column in columns.values():
        cell = row.text(column)
        try:
            found.append(float(cell))
        except ValueError:
            why = f"{brief(cell)} is no number" if cell else "is empty"
            row.note(column, f"{why}; the run is left out")
            return None
    return tuple(found)


def _created(row: _Row) -> datetime | None:
    text = row.own("created")
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.year not in _YEARS:
        row.note(row.column("created"), f"{brief(text)} is no time; the run is kept without it")
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _seconds(row: _Row) -> float:
    text = row.own("runtime")
    try:
        seconds = float(text or 0)
    except ValueError:
        seconds = -1.0
    if 0 <= seconds <= _MOST_SECONDS:
        return seconds
    what = f"{brief(text)} is no number of seconds; the run is kept without it"
    row.note(row.column("runtime"), what)
    return 0.0


def _identity(row: _Row) -> str:
    """Return the id of a run; without that column its name and start, else a digest of its row."""
    stated, both = row.own("id"), [row.own("name"), row.own("created")]
    if 0 < len(stated) <= _LONGEST_ID:
        return stated
    everything = [f"{key}={row.cells[key]}" for key in sorted(row.cells)]
    parts = [stated] if stated else both if all(both) else everything
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]

"""The lines of a file at which the rows of its table begin, as an editor counts them.

`datasets` says only the number of a row; the file is read once more for messages about wrong rows.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path


def lines_of_rows(file: Path, rows: int) -> list[int]:
    """Return the line, from 1, at which each row begins.

    Args:
        file: The only file of a table.
        rows: How many rows the table has.

    Returns:
        A line for each row; none at all if the file has no lines of rows (parquet, a JSON list), or
        if its rows cannot be counted as the table's were.
    """
    ending = file.suffix.lower()
    try:
        if ending in (".csv", ".tsv"):
            lines = list(_of_records(file, "\t" if ending == ".tsv" else ","))[1:]
        elif ending == ".jsonl":
            lines = list(_of_objects(file))
        else:
            return []
    except (OSError, ValueError, csv.Error):
        return []
    return lines if len(lines) == rows else []


def _of_records(file: Path, separator: str) -> Iterator[int]:
    """Yield the first line of every record, the header's included; blank lines are none."""
    with file.open(encoding="utf-8-sig", newline="") as opened:
        reader, begin = csv.reader(opened, delimiter=separator), 1
        for cells in reader:
            if len(cells) > 1 or "".join(cells).strip():
                yield begin
            begin = reader.line_num + 1


def _of_objects(file: Path) -> Iterator[int]:
    with file.open(encoding="utf-8-sig") as opened:
        yield from (number for number, line in enumerate(opened, start=1) if line.strip())

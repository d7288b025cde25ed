"""A split of texts as its source has it: columns under our names, and the places of its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from models.data.text.places import lines_of_rows

_SHOWN = 8  # places that a message lists


@dataclass(frozen=True)
class TextTable:
    """Columns of one length, unchecked; rows count from 0.

    Attributes:
        place: File or split, for messages.
        columns: "text", "text_pair" and "label"; "tokens" and "tags"; "prompt" and "answer", or
            "messages"; with "group" if there are groups.
        names: What the source calls a column, where it does not use our name.
        class_names: The names of the classes that the source states; empty if it states none.
        lines: For each sentence of a file of CoNLL columns the line of each word, from 1.
        file: The only file of the rows, if there is one and `lines` are not known.
    """

    place: str
    columns: Mapping[str, Sequence[Any]]
    names: Mapping[str, str] = field(default_factory=dict)
    class_names: tuple[str, ...] = ()
    lines: Sequence[Sequence[int]] = ()
    file: Path | None = None

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def name(self, column: str) -> str:
        """The source's name of a column."""
        return self.names.get(column, column)

    def row(self, row: int) -> str:
        """The place of a row. Only for messages, because it may read the file."""
        return f"{self.place}, {self._numbered(row)}"

    def others(self, rows: Sequence[int]) -> str:
        """Where else something is wrong, as the end of a message: ", and in line 7"."""
        if not rows:
            return ""
        listed = ", ".join(self._numbered(row) for row in rows[:_SHOWN])
        return f", and in {listed}" + f" and {len(rows) - _SHOWN} more" * (len(rows) > _SHOWN)

    def _numbered(self, row: int) -> str:
        if self.lines:
            return f"line {self.lines[row][0]}"
        return f"line {self._file_lines[row]}" if self._file_lines else f"row {row}"

    @cached_property
    def _file_lines(self) -> Sequence[int]:
        return lines_of_rows(self.file, len(self)) if self.file is not None else ()

    def word(self, row: int, word: int) -> str:
        """The place of a word of a sentence."""
        if self.lines:
            return f"{self.place}, line {self.lines[row][word]}"
        return f"{self.row(row)}, word {word}"

"""A split of texts as its source has it: columns under our names, and the places of its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


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
    """

    place: str
    columns: Mapping[str, Sequence[Any]]
    names: Mapping[str, str] = field(default_factory=dict)
    class_names: tuple[str, ...] = ()
    lines: Sequence[Sequence[int]] = ()

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def name(self, column: str) -> str:
        """The source's name of a column."""
        return self.names.get(column, column)

    def row(self, row: int) -> str:
        """The place of a row."""
        return f"{self.place}, " + (f"line {self.lines[row][0]}" if self.lines else f"row {row}")

    def word(self, row: int, word: int) -> str:
        """The place of a word of a sentence."""
        if self.lines:
            return f"{self.place}, line {self.lines[row][word]}"
        return f"{self.place}, row {row}, word {word}"

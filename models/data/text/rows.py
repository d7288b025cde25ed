"""Checks of the rows of texts, whatever source they are from, so that trials need none."""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from typing import Any

from models.data.sources import DataError
from models.data.text.columns import GROUP, SECOND_TEXT
from models.data.text.table import TextTable

_REMOVE = "remove the row or fill it in"


def read_texts(table: TextTable) -> tuple[tuple[str, ...], ...]:
    """Return the text, or the pair of texts, of every row.

    Raises:
        DataError: a text is missing, empty or of another type.
    """
    return _strings(table, ("text", SECOND_TEXT) if SECOND_TEXT in table.columns else ("text",))


def read_exchanges(table: TextTable) -> tuple[tuple[str, ...], ...]:
    """Return the prompt and the answer of every row.

    Raises:
        DataError: as `read_texts`.
    """
    return _strings(table, ("prompt", "answer"))


def _strings(table: TextTable, columns: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    for column in columns:
        found = ((row, _problem(text)) for row, text in enumerate(table.columns[column]))
        wrong = [(row, *problem) for row, problem in found if problem]
        if wrong:
            row, what, fix = wrong[0]
            alike = [other for other, _, same in wrong[1:] if same == fix]
            raise DataError(f"{table.row(row)}: {table.name(column)} {what}"
                            f"{table.others(alike)}; fix: {fix}")  # fmt: skip
    return tuple(zip(*(table.columns[column] for column in columns), strict=True))


def read_groups(table: TextTable) -> list[str]:
    """Return the group of every row, as text.

    Raises:
        DataError: a row has none.
    """
    groups = list(map(str, table.columns[GROUP]))
    wrong = [
        row
        for row, group in enumerate(table.columns[GROUP])
        if group is None or group != group or not groups[row].strip()  # NaN is not equal to itself
    ]
    if wrong:
        raise DataError(f"{table.row(wrong[0])}: {table.name(GROUP)} is missing"
                        f"{table.others(wrong[1:])}; fix: {_REMOVE}")  # fmt: skip
    return groups


def read_sentences(table: TextTable) -> tuple[tuple[str, ...], ...]:
    """Return the words of every row, each with one tag; `tag_schemes.py` checks the tags.

    Raises:
        DataError: a row has no words, an empty one, or another number of tags than of words.
    """
    names = (table.name("tokens"), table.name("tags"))
    pairs = zip(table.columns["tokens"], table.columns["tags"], strict=True)
    for row, values in enumerate(pairs):
        for name, value in zip(names, values, strict=True):
            if not isinstance(value, list | tuple):
                raise DataError(f"{table.row(row)}: {name} is {reprlib.repr(value)}; fix: store a "
                                "list of strings")  # fmt: skip
        words, tags = values
        if not words:
            raise DataError(f"{table.row(row)}: a sentence without words; fix: remove the row")
        if len(words) != len(tags):
            raise DataError(
                f"{table.row(row)}: {len(words)} words but {len(tags)} tags "
                f"({list(words)[:6]}...); fix: give every word exactly one tag"
            )
        for index, word in enumerate(words):
            if problem := _problem(word):
                what, fix = problem
                raise DataError(f"{table.word(row, index)}: token {what}; fix: {fix}")
    return tuple(map(tuple, table.columns["tokens"]))


def _problem(text: Any) -> tuple[str, str] | None:
    """Return what a text is that is none, and the fix; None for a text."""
    if text is None or (isinstance(text, float) and text != text):
        return "is missing", _REMOVE
    if not isinstance(text, str):
        return f"is {reprlib.repr(text)}", "store a string"
    return None if text.strip() else (f"is empty ({text!r})", _REMOVE)

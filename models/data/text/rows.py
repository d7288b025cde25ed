"""Checks of the rows of texts, whatever source they are from, so that trials need none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from models.data.sources import DataError
from models.data.text.columns import SECOND_TEXT
from models.data.text.table import TextTable


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
        for row, text in enumerate(table.columns[column]):
            _check_text(table.row(row), table.name(column), text)
    return tuple(zip(*(table.columns[column] for column in columns), strict=True))


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
                raise DataError(f"{table.row(row)}: {name} is {value!r}; fix: store a list of "
                                "strings")  # fmt: skip
        words, tags = values
        if not words:
            raise DataError(f"{table.row(row)}: a sentence without words; fix: remove the row")
        if len(words) != len(tags):
            raise DataError(
                f"{table.row(row)}: {len(words)} words but {len(tags)} tags "
                f"({list(words)[:6]}...); fix: give every word exactly one tag"
            )
        for index, word in enumerate(words):
            _check_text(table.word(row, index), "token", word)
    return tuple(map(tuple, table.columns["tokens"]))


def _check_text(place: str, name: str, text: Any) -> None:
    if text is None or (isinstance(text, float) and text != text):
        raise DataError(f"{place}: {name} is missing; fix: remove the row or fill it in")
    if not isinstance(text, str):
        raise DataError(f"{place}: {name} is {text!r}; fix: store a string")
    if not text.strip():
        raise DataError(f"{place}: {name} is empty ({text!r}); fix: remove the row or fill it in")

"""Sentences in CoNLL columns: one word a line, its tag in a later column, blank lines between them.

Columns are separated by tabs, or by blanks where a line has no tab. The first column is the word
and the last one the tag, unless `text_column` and `label_column` give other numbers, from 1. Lines
`-DOCSTART-` are skipped; sentences between two of them are of one `group_column: document`. A line
`# ...` before the first word of a sentence is a comment (as in CoNLL-U), unless it has the columns
of a word and ends with a tag.

In a folder the split is in the file's name: train, dev, valid, test, ..., and for the data of
CoNLL-2003 (Tjong Kim Sang & De Meulder 2003) eng.train, eng.testa (validation), eng.testb (test).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from models.data.settings import DataSettings
from models.data.sources import SPLITS, DataError, line_not_utf8
from models.data.splitting import NAMES
from models.data.tables import FORMATS
from models.data.text.columns import GROUP
from models.data.text.table import TextTable

DOCUMENT = "document"
ENDINGS = (".conll", ".bio", ".iob", ".iob2", ".txt", ".train", ".testa", ".testb")
_SPLITS = {name: split for split in SPLITS for name in NAMES[split]} | {
    "testa": "validation",
    "testb": "test",
}
_TAG = re.compile(r"O|[BIESLU]-\S+")


class _Line(NamedTuple):
    number: int
    cells: list[str]


def is_conll(path: Path) -> bool:
    """Whether a file or folder has CoNLL columns; in a folder files of other formats come first."""
    if path.is_file():
        return path.suffix.lower() in ENDINGS
    endings = {file.suffix.lower() for file in path.rglob("*")}
    return bool(endings & set(ENDINGS)) and not endings & FORMATS.keys()


def read_conll(path: Path, settings: DataSettings) -> dict[str, TextTable]:
    """Return the table of each split: all rows of a file are "train".

    Raises:
        DataError: a file's name has no split or that of another file, a file is not UTF-8, or a
            line has other columns than the first one.
    """
    if path.is_file():
        return {"train": _read_file(path, settings)}
    files = [each for each in sorted(path.rglob("*")) if each.suffix.lower() in ENDINGS]
    files = [each for each in files if each.is_file() and not _is_note(each)]
    named: dict[str, Path] = {}
    for file in files:
        split = "train" if len(files) == 1 else _split_of(file)
        if split in named:
            raise DataError(f"{file}: {named[split].name} is the {split} split, too; "
                            "fix: keep one of them, or join them")  # fmt: skip
        named[split] = file
    return {split: _read_file(file, settings) for split, file in named.items()}


def _is_note(file: Path) -> bool:
    """Whether a text file is a note about the data, and holds none."""
    return file.suffix.lower() == ".txt" and file.stem.lower() in ("readme", "licence", "license")


def _split_of(file: Path) -> str:
    words = re.split(r"[^a-z]+", file.name.lower())
    found = {_SPLITS[word] for word in words if word in _SPLITS}
    if len(found) != 1:
        raise DataError(f"{file}: its name says no split; fix: name it train, validation or "
                        f"test{file.suffix}")  # fmt: skip
    return found.pop()


def _read_file(file: Path, settings: DataSettings) -> TextTable:
    if settings.pair_column is not None:
        raise DataError("pair_column means nothing for entities; fix: remove it")
    if settings.group_column not in (None, DOCUMENT):
        raise DataError(f"{file}: group_column is {settings.group_column!r}; fix: give {DOCUMENT}, "
                        "which -DOCSTART- lines separate")  # fmt: skip
    words, tags, lines, documents = list[Any](), list[Any](), list[list[int]](), list[int]()
    for document, sentence in _sentences(file):
        width = len(sentence[0].cells)
        word = _number(file, "text_column", settings.text_column, 1, width)
        tag = _number(file, "label_column", settings.label_column, width, width)
        words.append([line.cells[word] for line in sentence])
        tags.append([line.cells[tag] for line in sentence])
        lines.append([line.number for line in sentence])
        documents.append(document)
    if settings.group_column and not any(documents):
        raise DataError(f"{file}: no -DOCSTART- lines; fix: remove group_column")
    columns = {"tokens": words, "tags": tags}
    columns |= {GROUP: documents} if settings.group_column else {}
    return TextTable(str(file), columns, {GROUP: DOCUMENT}, lines=lines)


def _number(file: Path, key: str, given: str | None, usual: int, width: int) -> int:
    """Return the index of a column from its number, or refuse what is none."""
    number = usual if given is None else int(given) if given.isdecimal() else 0
    if not 1 <= number <= width:
        raise DataError(f"{file}: {key} is {given!r}; fix: give the number of a column, from "
                        f"'1' to '{width}'")  # fmt: skip
    return number - 1


def _sentences(file: Path) -> Iterator[tuple[int, list[_Line]]]:
    """Yield the sentences of a file, each with the number of its document, 0 before the first."""
    document, width, sentence = 0, 0, list[_Line]()
    for line in _lines(file):
        starts_document = line.cells[:1] == ["-DOCSTART-"]
        if not line.cells or starts_document:
            if sentence:
                yield document, sentence
            document, sentence = document + starts_document, []
        elif sentence or not _is_comment(line.cells, width):
            width = width or len(line.cells)
            if len(line.cells) != width or width < 2:
                raise DataError(f"{file}, line {line.number}: columns are {line.cells}, "
                                f"{_expected(width)}")  # fmt: skip
            sentence.append(line)
    if sentence:
        yield document, sentence


def _expected(width: int) -> str:
    if width < 2:
        return "but a word and its tag are two; fix: separate them by a tab or a blank"
    return (
        f"but other lines have {width} of them; fix: correct the line, or put a blank line "
        "between sentences"
    )


def _is_comment(cells: list[str], width: int) -> bool:
    """Whether the first line of a sentence is a comment, not the word "#"; `width` 0: unknown."""
    if cells[0].split(" ")[0] != "#":
        return False
    is_word = len(cells) == (width or len(cells)) and bool(_TAG.fullmatch(cells[-1]))
    return not is_word or cells[2:3] == ["="]


def _lines(file: Path) -> Iterator[_Line]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(line_not_utf8(file)) from error
    # Not splitlines and not split(): rare blanks of Unicode are parts of words.
    for number, line in enumerate(text.split("\n"), start=1):
        line = line.strip(" \t\r")
        parts = line.split("\t") if "\t" in line else re.split(" +", line)
        yield _Line(number, [part.strip(" ") for part in parts] if line else [])

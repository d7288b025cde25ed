"""Synonyms from a table that the user supplies.

The table decides what counts as the same meaning; nothing here checks it. It is a TSV file, one
line for each word (the word, then its synonyms, separated by tabs), or a JSON file, one object that
maps words to lists of synonyms. The greedy attack with it is that of Jin et al. 2020 (TextFooler)
with the table instead of embeddings.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from models.data.sources import DataError

Synonyms = Mapping[str, tuple[str, ...]]  # lower-case word -> its synonyms


def load_synonyms(path: str | Path) -> Synonyms:
    """Read the table in `path` (`.json`, or anything else as TSV), immutable, in lower case.

    Raises:
        DataError: the file cannot be read, is empty, or an entry is invalid; names file and line.
    """
    path = Path(path)
    try:
        content = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(
            f"{path}: the synonym table cannot be read ({error.strerror}); "
            "fix: give an existing file"
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: the synonym table is not UTF-8 ({error}); fix: convert it"
        ) from error
    entries = _json_entries if path.suffix.lower() == ".json" else _tsv_entries
    table: dict[str, tuple[str, ...]] = {}
    first_lines: dict[str, int] = {}
    for line, word, synonyms in entries(path, content):
        _check(f"{path}:{line}", word, synonyms)
        key = word.lower()
        if key in table:
            raise DataError(
                f"{path}:{line}: {word!r} is listed again after line {first_lines[key]} (case does "
                "not count); fix: put all its synonyms into one entry"
            )
        table[key], first_lines[key] = tuple(synonyms), line
    if not table:
        raise DataError(f"{path}: the synonym table is empty; fix: give at least one word")
    return MappingProxyType(table)


def substitutions(word: str, synonyms: Synonyms) -> tuple[str, ...]:
    """Return the replacements of `word`, in the table's order and the word's case; () if unlisted.

    CAPITALS and Capitalised words stay so; for a lower-case word synonyms are used as listed.
    """
    listed = synonyms.get(word.lower(), ())
    if len(word) > 1 and word.isupper():
        listed = tuple(synonym.upper() for synonym in listed)
    elif word[:1].isupper():
        listed = tuple(synonym[:1].upper() + synonym[1:] for synonym in listed)
    return tuple(dict.fromkeys(synonym for synonym in listed if synonym != word))


def _tsv_entries(path: Path, content: str) -> Iterator[tuple[int, str, list[str]]]:
    """Yield (line, word, synonyms) of every line that is not blank."""
    for number, line in enumerate(content.split("\n"), start=1):
        if line.strip():
            word, *synonyms = [cell.strip() for cell in line.split("\t")]
            yield number, word, synonyms


def _json_entries(path: Path, content: str) -> Iterator[tuple[int, str, list[str]]]:
    """Yield (line, word, synonyms) of every key; the line is found by searching for the key."""
    try:
        # As pairs, because a dict would silently keep the last of two equal keys.
        pairs: Any = json.loads(content, object_pairs_hook=list)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}:{error.lineno}: invalid JSON ({error.msg}); fix: correct the syntax"
        ) from error
    except RecursionError as error:
        raise DataError(f"{path}: nested too deeply; fix: give one object of lists") from error
    if not content.lstrip().startswith("{"):
        raise DataError(
            f"{path}:1: no object; fix: give one object that maps words to lists of synonyms"
        )
    position = 0
    for word, synonyms in pairs:
        found = content.find(json.dumps(word, ensure_ascii=False), position)
        line = content.count("\n", 0, max(position, found)) + 1
        position = max(position, found + 1)
        if not isinstance(synonyms, list) or not all(isinstance(s, str) for s in synonyms):
            raise DataError(
                f"{path}:{line}: the value of {word!r} is no list of words; fix: give one"
            )
        yield line, word, synonyms


def _check(where: str, word: str, synonyms: list[str]) -> None:
    if not synonyms:
        raise DataError(
            f"{where}: {word!r} has no synonyms; fix: add one after a tab, or remove it"
        )
    for entry in (word, *synonyms):
        # One word for one word, so that word tags and the share of words changed stay valid.
        if len(entry.split()) != 1 or entry != entry.strip():
            raise DataError(f"{where}: {entry!r} is not one word; fix: remove or replace it")
    lowered = [synonym.lower() for synonym in synonyms]
    for synonym in synonyms:
        if synonym.lower() == word.lower():
            raise DataError(f"{where}: {word!r} is its own synonym; fix: remove it there")
        if lowered.count(synonym.lower()) > 1:
            raise DataError(f"{where}: {synonym!r} is listed twice for {word!r}; fix: remove one")

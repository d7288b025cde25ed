"""Texts of a file, a folder or the hub: checked row by row and divided into three splits.

Rows are checked before they are divided, so that a message has the row of the file.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from models.data.labels import check_classes, number_labels
from models.data.settings import DataSettings
from models.data.sources import SPLITS, DataError
from models.data.splitting import hold_out
from models.data.tables import stamp_of
from models.data.text.columns import GROUP, MESSAGES
from models.data.text.messages import read_messages
from models.data.text.opening import open_texts
from models.data.text.relevance import check_groups, read_grades
from models.data.text.rows import read_exchanges, read_groups, read_sentences, read_texts
from models.data.text.splits import NOT_STATED, TextExamples, TextSource
from models.data.text.table import TextTable
from models.data.text.tag_schemes import to_iob2
from models.kinds import KINDS


class _Rows(NamedTuple):
    """The examples of a table and the row of each; `labels` has the class of each row, or 0."""

    examples: TextExamples
    rows: Sequence[int]
    labels: npt.NDArray[np.int64]


def read_source(settings: DataSettings, kind: str) -> TextSource:
    """Return the texts of a path or of the hub; they are read once for each state of the files.

    Raises:
        DataError: the source is missing or damaged, a setting does not fit it, or a row is wrong.
    """
    path = Path(settings.path) if settings.path is not None else None
    stamp = stamp_of(path) if path and path.exists() else ()
    of_source = replace(settings, train_examples=None, deduplicate=False, without=())
    return _read(of_source, kind, stamp)


@functools.lru_cache(maxsize=16)
def _read(settings: DataSettings, kind: str, stamp: Any) -> TextSource:
    """Read a path or a data set of the hub; `stamp` is part of the cache's key."""
    opened = open_texts(settings, kind)
    tables, place = opened.tables, opened.place
    for table in tables.values():
        if not len(table):
            raise DataError(f"{table.place}: no rows; fix: give at least one example")
        if table.columns.keys() != tables["train"].columns.keys():
            raise DataError(f"{table.place}: columns {list(table.columns)} are not those of train, "
                            f"{list(tables['train'].columns)}; fix: give all splits the "
                            "same")  # fmt: skip
    rows, label_names, warnings = _examples(tables, kind, place)
    rows = {split: _grouped(each, tables[split]) for split, each in rows.items()}
    warnings += _groups_in_two(tables, place)
    splits = {split: each.examples for split, each in rows.items()}
    if opened.shares:
        splits |= _held_out(rows["train"], tables["train"], opened.shares, settings.split_seed)
    if kind == "ranking":
        stated = tables["train"].class_names
        label_names, splits = read_grades(opened.name, label_names, stated, splits)
        warnings += check_groups(opened.name, splits)
    if KINDS[kind].has_text_class:
        numbers = {split: np.asarray(splits[split].labels, np.int64) for split in SPLITS}
        warnings += check_classes(opened.name, label_names, numbers)
    licence = opened.licence or NOT_STATED
    return TextSource(opened.name, splits, label_names, licence, tuple(warnings))


def _examples(
    tables: Mapping[str, TextTable], kind: str, place: str
) -> tuple[dict[str, _Rows], tuple[str, ...], list[str]]:
    """Return the checked examples of every table, the names of the classes, and warnings."""
    if KINDS[kind].has_text_class:
        return *_classified(tables), []
    if kind == "entities":
        words = {split: read_sentences(table) for split, table in tables.items()}

        def where(split: str, row: int, word: int) -> str:
            return f"{tables[split].word(row, word)} ({words[split][row][word]!r})"

        tags, scheme = to_iob2({s: table.columns["tags"] for s, table in tables.items()}, where)
        notes = [f"{place}: the tags are {scheme} and are read as IOB2; fix: none is needed, the "
                 "entities are the same"] if scheme != "IOB2" else []  # fmt: skip
        found = {s: TextExamples(words[s], tuple(tags[s])) for s in tables}
        return {s: _all_rows(each) for s, each in found.items()}, (), notes
    if MESSAGES in tables["train"].columns:
        dialogues = {split: read_messages(table) for split, table in tables.items()}
        return {
            split: _Rows(examples, rows, np.zeros(len(tables[split]), np.int64))
            for split, (examples, rows) in dialogues.items()
        }, (), []  # fmt: skip
    exchanges = {split: read_exchanges(table) for split, table in tables.items()}
    return {
        split: _all_rows(TextExamples(texts, (None,) * len(texts)))
        for split, texts in exchanges.items()
    }, (), []  # fmt: skip


def _classified(tables: Mapping[str, TextTable]) -> tuple[dict[str, _Rows], tuple[str, ...]]:
    texts = {split: read_texts(table) for split, table in tables.items()}
    expected = tables["train"].class_names
    for table in tables.values():
        if table.class_names != expected:
            raise DataError(f"{table.place}: label names {list(table.class_names)} are not those "
                            f"of train, {list(expected)}; "
                            "fix: write the same in both, in the same order")  # fmt: skip
    names, numbers = number_labels(
        {split: table.columns["label"] for split, table in tables.items()},
        expected,
        {split: table.row for split, table in tables.items()},
    )
    return {
        split: _all_rows(TextExamples(texts[split], tuple(numbers[split].tolist())), numbers[split])
        for split in tables
    }, names


def _all_rows(examples: TextExamples, labels: npt.NDArray[np.int64] | None = None) -> _Rows:
    rows = range(len(examples))
    return _Rows(examples, rows, np.zeros(len(examples), np.int64) if labels is None else labels)


def _grouped(rows: _Rows, table: TextTable) -> _Rows:
    """Return the rows with the group of each example, if there are groups.

    The examples of one row, which are the answers of one conversation, are a group by themselves.
    """
    if GROUP in table.columns:
        every = read_groups(table)
        groups = tuple(every[row] for row in rows.rows)
    elif len(set(rows.rows)) < len(rows.rows):
        groups = tuple(map(str, rows.rows))
    else:
        return rows
    return rows._replace(examples=replace(rows.examples, groups=groups))


def _held_out(
    rows: _Rows, table: TextTable, shares: Mapping[str, float], seed: int
) -> dict[str, TextExamples]:
    """Divide the rows of the training table; the examples of one row stay together."""
    groups = read_groups(table) if GROUP in table.columns else None
    needed = len(shares) + 1
    there = len(set(groups)) if groups is not None else len(table)
    if there < needed:
        what = "rows" if groups is None else f"groups of {table.name(GROUP)}"
        raise DataError(f"{table.place}: {there} {what} for {needed} splits; fix: give more, or "
                        "splits of their own")  # fmt: skip
    try:
        parts = hold_out(rows.labels, shares, seed, groups)
    except DataError as error:
        raise DataError(f"{table.place}: {error}") from error
    chosen = {split: set(part.tolist()) for split, part in parts.items()}
    return {
        split: rows.examples.take(i for i, row in enumerate(rows.rows) if row in part)
        for split, part in chosen.items()
    }


def _groups_in_two(tables: Mapping[str, TextTable], place: str) -> list[str]:
    """Warn of groups that are in training and in another split of the source."""
    if GROUP not in tables["train"].columns:
        return []
    trained = set(read_groups(tables["train"]))
    warnings = []
    for split in [each for each in SPLITS[1:] if each in tables and not tables[each].lines]:
        both = sorted(trained.intersection(read_groups(tables[split])))
        if both:
            warnings.append(f"{place}: groups of {tables[split].name(GROUP)!r} in train and in "
                            f"{split}: {len(both)}, e.g. {both[0]!r}, so metrics are too high; "
                            "fix: keep each in one split")  # fmt: skip
    return warnings

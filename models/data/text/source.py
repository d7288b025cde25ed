"""Texts of a file, a folder or the hub: checked row by row and divided into three splits.

Tables come from `datasets` (CSV, TSV, JSON lines, parquet) or are CoNLL columns. Rows are checked
before they are divided, so that a message has the row of the file.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from models.data.labels import check_classes, number_labels
from models.data.settings import DataSettings
from models.data.sources import SPLITS, DataError
from models.data.splitting import NAMES, hold_out, named_splits
from models.data.tables import FORMATS, open_tables, stamp_of
from models.data.text.columns import GROUP, MESSAGES, choose_columns
from models.data.text.conll import is_conll, read_conll
from models.data.text.messages import read_messages
from models.data.text.parquet_metadata import licence_of, stated_classes
from models.data.text.rows import read_exchanges, read_sentences, read_texts
from models.data.text.splits import NOT_STATED, TextExamples, TextSource
from models.data.text.table import TextTable
from models.data.text.tag_schemes import to_iob2


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
    path = Path(settings.path) if settings.path is not None else None
    if kind == "entities" and path is not None and path.exists() and is_conll(path):
        name, place, licence = path.stem if path.is_file() else path.resolve().name, str(path), ""
        tables: Mapping[str, TextTable] = read_conll(path, settings)
        names, shares = named_splits(list(tables), settings.splits, place)
        tables = {split: tables[own] for split, own in names.items()}
    else:
        opened = open_tables(settings)
        name, place, licence = opened.name, opened.place, opened.licence
        names, shares = named_splits(list(opened.rows), settings.splits, place)
        files = {split: _files(path, split, own) for split, own in names.items()}
        tables = {
            split: _table(opened.rows[own], files[split], f"{place}, {own}", kind, settings)
            for split, own in names.items()
        }
        licence = licence or licence_of(files["train"])
    for table in tables.values():
        if not len(table):
            raise DataError(f"{table.place}: no rows; fix: give at least one example")
        if table.columns.keys() != tables["train"].columns.keys():
            raise DataError(f"{table.place}: columns {list(table.columns)} are not those of train, "
                            f"{list(tables['train'].columns)}; fix: give all splits the "
                            "same")  # fmt: skip
    rows, label_names, warnings = _examples(tables, kind, place)
    warnings += _groups_in_two(tables, place)
    splits = {split: each.examples for split, each in rows.items()}
    if shares:
        splits |= _held_out(rows["train"], tables["train"], shares, settings.split_seed)
    if kind == "classification":
        numbers = {split: np.asarray(splits[split].labels, np.int64) for split in SPLITS}
        warnings += check_classes(name, label_names, numbers)
    return TextSource(name, splits, label_names, licence or NOT_STATED, tuple(warnings))


def _table(
    rows: Any, files: Sequence[Path], place: str, kind: str, settings: DataSettings
) -> TextTable:
    """Return the columns of one split of `datasets`, which has `files` if they are local."""
    place = str(files[0]) if len(files) == 1 else place
    features = rows.features
    # A list that is not the same in all rows has no type of its own.
    lists = [name for name, each in features.items() if type(each).__name__ not in _SCALARS]
    chosen = choose_columns(place, kind, settings, list(features), lists)
    values = rows.select_columns(list(dict.fromkeys(chosen.values())))[:]
    columns = {name: values[own] for name, own in chosen.items()}
    class_names: tuple[str, ...] = ()
    if kind == "classification":
        own = chosen["label"]
        stated = {stated_classes(file, own) for file in files}
        if len(stated) > 1:
            raise DataError(f"{place}: its files state the label names {sorted(stated)}; "
                            "fix: write the same in all, in the same order")  # fmt: skip
        of_type = tuple(getattr(features[own], "names", None) or ())
        class_names = next(iter(stated), ()) or of_type
    tag_names = kind == "entities" and _tag_names(features[chosen["tags"]])
    if tag_names:
        # A number without a name (-1: a hidden tag) stays, so that its row is refused.
        named = dict(enumerate(tag_names))
        columns["tags"] = [[named.get(tag, tag) for tag in tags] for tags in columns["tags"]]
    return TextTable(place, columns, chosen, class_names)


_SCALARS = ("Value", "ClassLabel", "Image", "Audio")


def _tag_names(feature: Any) -> Sequence[str]:
    return getattr(getattr(feature, "feature", None), "names", None) or ()


def _files(path: Path | None, split: str, own: str) -> list[Path]:
    """Return the files of a split of `path`, as far as their names say so."""
    if path is None or path.is_file():
        return [] if path is None else [path]
    files = sorted(each for each in path.rglob("*") if each.suffix.lower() in FORMATS)
    names = {*NAMES[split], own}
    found = [
        each
        for each in files
        if names & set(re.split(r"[^a-z]+", str(each.relative_to(path)).lower()))
    ]
    return files if len(files) == 1 else found


def _examples(
    tables: Mapping[str, TextTable], kind: str, place: str
) -> tuple[dict[str, _Rows], tuple[str, ...], list[str]]:
    """Return the checked examples of every table, the names of the classes, and warnings."""
    if kind == "classification":
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
        {split: table.place for split, table in tables.items()},
    )
    return {
        split: _all_rows(TextExamples(texts[split], tuple(numbers[split].tolist())), numbers[split])
        for split in tables
    }, names


def _all_rows(examples: TextExamples, labels: npt.NDArray[np.int64] | None = None) -> _Rows:
    rows = range(len(examples))
    return _Rows(examples, rows, np.zeros(len(examples), np.int64) if labels is None else labels)


def _held_out(
    rows: _Rows, table: TextTable, shares: Mapping[str, float], seed: int
) -> dict[str, TextExamples]:
    """Divide the rows of the training table; the examples of one row stay together."""
    groups = list(map(str, table.columns[GROUP])) if GROUP in table.columns else None
    needed = len(shares) + 1
    there = len(set(groups)) if groups is not None else len(table)
    if there < needed:
        what = "rows" if groups is None else f"groups of {table.name(GROUP)}"
        raise DataError(f"{table.place}: {there} {what} for {needed} splits; fix: give more, or "
                        "splits of their own")  # fmt: skip
    try:
        parts = hold_out(rows.labels, shares, seed, groups)
    except ValueError as error:  # scikit-learn's, of fewer groups with a class than splits
        raise DataError(f"{table.place}: its groups cannot be divided ({error}); fix: give splits "
                        "of their own, or remove group_column") from error  # fmt: skip
    chosen = {split: set(part.tolist()) for split, part in parts.items()}
    return {
        split: rows.examples.take(i for i, row in enumerate(rows.rows) if row in part)
        for split, part in chosen.items()
    }


def _groups_in_two(tables: Mapping[str, TextTable], place: str) -> list[str]:
    """Warn of groups that are in training and in another split of the source."""
    if GROUP not in tables["train"].columns:
        return []
    trained = set(map(str, tables["train"].columns[GROUP]))
    warnings = []
    for split in [each for each in SPLITS[1:] if each in tables and not tables[each].lines]:
        both = sorted(trained & set(map(str, tables[split].columns[GROUP])))
        if both:
            warnings.append(f"{place}: groups of {tables[split].name(GROUP)!r} in train and in "
                            f"{split}: {len(both)}, e.g. {both[0]!r}, so metrics are too high; "
                            "fix: keep each in one split")  # fmt: skip
    return warnings

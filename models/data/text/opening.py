"""The tables of a file, a folder or the hub, for texts: which splits and which columns they have.

Tables come from `datasets` (CSV, TSV, JSON lines, parquet) or are CoNLL columns. Rows are not
checked here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.data.settings import DataSettings
from models.data.sources import DataError
from models.data.splitting import NAMES, named_splits
from models.data.tables import FORMATS, open_tables
from models.data.text.columns import choose_columns
from models.data.text.conll import ENDINGS, is_conll, read_conll
from models.data.text.parquet_metadata import licence_of, stated_classes
from models.data.text.table import TextTable
from models.kinds import KINDS

# Types of `datasets` that are no lists; a list that differs between rows has the type Json.
_SCALARS = ("Value", "ClassLabel", "Image", "Audio")


@dataclass(frozen=True)
class OpenedTexts:
    """A source before its rows are checked.

    `tables` has "train" and the other splits of the source; `shares` has those that it lacks, to
    the share of the training rows to hold out. `licence` is "" if it states none.
    """

    name: str
    place: str
    licence: str
    tables: Mapping[str, TextTable]
    shares: Mapping[str, float]


def open_texts(settings: DataSettings, kind: str) -> OpenedTexts:
    """Open the path or the data set of the hub that `settings` name.

    Raises:
        DataError: it is missing or damaged, or lacks a split or a column.
    """
    path = Path(settings.path) if settings.path is not None else None
    if kind == "entities" and path is not None and path.exists() and is_conll(path):
        by_name = read_conll(path, settings)
        names, shares = named_splits(list(by_name), settings.splits, str(path))
        tables = {split: by_name[own] for split, own in names.items()}
        name = path.stem if path.is_file() else path.resolve().name
        return OpenedTexts(name, str(path), "", tables, shares)
    formats = (*FORMATS, *ENDINGS)
    is_file = path is not None and path.is_file()
    if kind == "entities" and path and is_file and path.suffix.lower() not in formats:
        raise DataError(f"{path}: no format that is read here; fix: give one of "
                        f"{', '.join(formats)}, or a folder")  # fmt: skip
    opened = open_tables(settings)
    names, shares = named_splits(list(opened.rows), settings.splits, opened.place)
    files = _files(path, names, len(opened.rows))
    tables = {
        split: _table(opened.rows[own], files[split], f"{opened.place}, {own}", kind, settings)
        for split, own in names.items()
    }
    licence = opened.licence or licence_of(files["train"])
    return OpenedTexts(opened.name, opened.place, licence, tables, shares)


def _table(
    rows: Any, files: Sequence[Path], place: str, kind: str, settings: DataSettings
) -> TextTable:
    """Return the columns of one split of `datasets`, which has `files` if they are local."""
    place = str(files[0]) if len(files) == 1 else place
    features = rows.features
    lists = [name for name, each in features.items() if type(each).__name__ not in _SCALARS]
    chosen = choose_columns(place, kind, settings, list(features), lists)
    values = rows.select_columns(list(dict.fromkeys(chosen.values())))[:]
    columns = {name: values[own] for name, own in chosen.items()}
    class_names: tuple[str, ...] = ()
    if KINDS[kind].has_text_class:
        own = chosen["label"]
        stated = {stated_classes(file, own) for file in files}
        if len(stated) > 1:
            raise DataError(f"{place}: its files state the label names {sorted(stated)}; "
                            "fix: write the same in all, in the same order")  # fmt: skip
        of_type = tuple(getattr(features[own], "names", None) or ())
        class_names = next(iter(stated), ()) or of_type
    tag_names = _tag_names(features[chosen["tags"]]) if kind == "entities" else ()
    if tag_names:
        # A number without a name (-1: a hidden tag) stays, as no tags at all do, so that its row is
        # refused.
        named = dict(enumerate(tag_names))
        columns["tags"] = [
            [named.get(tag, tag) for tag in tags] if isinstance(tags, list) else tags
            for tags in columns["tags"]
        ]
    file = files[0] if len(files) == 1 else None
    return TextTable(place, columns, chosen, class_names, file=file)


def _tag_names(feature: Any) -> Sequence[str]:
    return getattr(getattr(feature, "feature", None), "names", None) or ()


def _files(path: Path | None, names: Mapping[str, str], available: int) -> dict[str, list[Path]]:
    """Return the local files of each split: all of the only one, else those named like it."""
    if path is None or path.is_file():
        return {split: [path] if path else [] for split in names}
    files = sorted(each for each in path.rglob("*") if each.suffix.lower() in FORMATS)
    if available == 1:
        return dict.fromkeys(names, files)
    words = {each: set(re.split(r"[^a-z]+", str(each.relative_to(path)).lower())) for each in files}
    return {
        split: [each for each in files if words[each] & {*NAMES[split], own}]
        for split, own in names.items()
    }

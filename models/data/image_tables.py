"""Images in tables: which columns hold pictures, labels and groups, and their values.

A picture is `{bytes, path}` (as `datasets` writes it), its encoded bytes alone, a file of a folder,
or raw pixels (`raw_pixels.py`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.data.pictures import Picture, read_pictures
from models.data.raw_pixels import RawFormat, file_digest, raw_format, raw_images
from models.data.settings import DataSettings
from models.data.sources import DataError, Images
from models.data.stored_images import Facts, Found, StoredImages, cached
from models.data.tables import Tables, open_tables, stamp_of


def read_image_tables(settings: DataSettings) -> StoredImages:
    """Return the images of a file, a folder or a data set of the hub, from the cache if possible.

    Raises:
        DataError: as `open_tables`; or columns, pictures or pixels are missing or wrong.
    """
    if settings.hub is not None:
        rows = open_tables(settings).rows.values()
        built = [Path(file["filename"]) for each in rows for file in each.cache_files]
        place, files = settings.hub, [each for path in built for each in stamp_of(path)]
    else:
        path = Path(settings.path or "")
        place, files = os.path.abspath(path), list(stamp_of(path)) if path.exists() else []
    chosen = (settings.subset, settings.image_column, settings.label_column, settings.group_column,
              settings.image_size)  # fmt: skip
    return cached(place, files, chosen, lambda: _read(settings))


def _read(settings: DataSettings) -> Found:
    parquet = _parquet_files(settings)
    form = raw_format(parquet) if parquet else None
    tables = open_tables(settings)
    places = {split: _place(tables, split, parquet) for split in tables.rows}
    label, names = _label_column(tables, places, settings)
    data = {split: rows.with_format("arrow")[:] for split, rows in tables.rows.items()}
    image = _image_column(tables, places, settings, form)
    columns = {split: table[image] for split, table in data.items()}
    warnings: list[str] = []
    if form is None:
        images, warnings = _decoded(tables, columns, places, settings)
    else:
        images = {split: raw_images(places[split], columns[split], form) for split in columns}
        names = form.label_names
    group = settings.group_column
    facts = Facts(
        name=tables.name,
        place=tables.place,
        places=places,
        kind="hub" if settings.hub else "parquet" if form else "files",
        labels={split: table[label].to_pylist() for split, table in data.items()},
        label_names=names,
        groups={split: table[group].to_pylist() for split, table in data.items()} if group else {},
        warnings=(*tables.warnings, *warnings),
        file_digest=file_digest(parquet) if form else "",
    )
    return facts, images


def _parquet_files(settings: DataSettings) -> list[Path]:
    if settings.path is None:
        return []
    path = Path(settings.path)
    files = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
    files.sort(key=lambda file: "train" not in file.stem)  # others are compared with it
    return [
        file for file in files
        if file.suffix == ".parquet" and file.name != "metadata.parquet"
        and file.is_file() and file.stat().st_size
    ]  # fmt: skip


def _place(tables: Tables, split: str, parquet: list[Path]) -> str:
    """Return the file of a split if it is one, else the source and the split."""
    files = [str(file) for file in parquet if file.stem == split]
    return files[0] if len(files) == 1 else f"{tables.place}, {split}"


def _label_column(
    tables: Tables, places: Mapping[str, str], settings: DataSettings
) -> tuple[str, tuple[str, ...]]:
    """Return the column of labels, and the names of the classes if the source states them."""
    stated: dict[str, tuple[str, ...]] = {}
    for split, rows in tables.rows.items():
        features, place = rows.features, places[split]
        if not len(rows):
            raise DataError(f"{place}: empty, it has no rows; fix: give at least one example")
        named = [each for each, kind in features.items() if type(kind).__name__ == "ClassLabel"]
        column = settings.label_column or (named[0] if len(named) == 1 else "label")
        keys = {"label_column": column, "group_column": settings.group_column}
        for key, wanted in keys.items():
            if wanted is not None and wanted not in features:
                raise DataError(f"{place}: no column {wanted!r}, its columns are {list(features)}; "
                                f"fix: name one in {key}")  # fmt: skip
        stated[split] = tuple(map(str, getattr(features[column], "names", None) or ()))
    first, names = next(iter(stated.items()))
    for split, others in stated.items():
        if others != names:
            raise DataError(f"{places[split]}: names of labels are {list(others)}, those of "
                            f"{first} are {list(names)}; fix: write the same in all")  # fmt: skip
    return column, names


def _image_column(
    tables: Tables, places: Mapping[str, str], settings: DataSettings, form: RawFormat | None
) -> str:
    """Return the column of pictures: the one of the setting, or the only one of its type."""
    first, rows = next(iter(tables.rows.items()))
    features = rows.features
    kinds = {name: _kind(feature) for name, feature in features.items()}
    found = [name for name, kind in kinds.items() if kind == "picture"]
    found = found or [name for name, kind in kinds.items() if kind == "bytes"]
    column = settings.image_column or ("image" if form else found[0] if len(found) == 1 else "")
    if not column:
        raise DataError(
            f"{places[first]}: {len(found)} columns of pictures among {list(features)}; fix: "
            + ("name one in image_column" if found else "give pictures, or another kind of model")
        )
    for split, others in tables.rows.items():
        if column not in others.features:
            raise DataError(f"{places[split]}: no column {column!r}, its columns are "
                            f"{list(others.features)}; fix: name one in image_column")  # fmt: skip
    if form is None and not kinds[column]:
        raise DataError(f"{places[first]}: column {column!r} is {features[column]}, no pictures; "
                        "fix: name another in image_column")  # fmt: skip
    return column


def holds_pictures(features: Mapping[str, Any]) -> bool:
    """Return whether a table has a column of pictures or of raw pixels."""
    return any(map(_kind, features.values()))


def _kind(feature: Any) -> str:
    if type(feature).__name__ == "Image" or (
        isinstance(feature, dict) and feature.keys() == {"bytes", "path"}
    ):
        return "picture"
    return "bytes" if "binary" in str(getattr(feature, "dtype", "")) else ""


def _decoded(
    tables: Tables, columns: Mapping[str, Any], places: Mapping[str, str], settings: DataSettings
) -> tuple[Mapping[str, Images], list[str]]:
    folder = os.path.abspath(settings.path) if settings.path is not None else None

    def get(split: str, at: int) -> tuple[Picture, str]:
        value, place = columns[split][at].as_py(), f"{places[split]}, row {at}"
        if isinstance(value, bytes):
            return value, place
        if value is None or (value["bytes"] is None and value["path"] is None):
            raise DataError(f"{place}: the picture is missing; fix: remove the row")
        path = Path(value["path"] or "")
        if value["bytes"] is not None:
            return value["bytes"], f"{place} ({path})" if value["path"] else place
        # A table must not make us open other files of this machine.
        if folder is None or not path.is_relative_to(folder):
            raise DataError(f"{place}: only the path {path} of the picture is stored; "
                            "fix: store its bytes, as Dataset.to_parquet does")  # fmt: skip
        return path, str(path)

    counts = {split: len(column) for split, column in columns.items()}
    return read_pictures(counts, get, tables.place, settings.image_size)

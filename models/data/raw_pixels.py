"""Parquet of raw pixels, the format of this project: every image is the bytes of its pixels.

Each file has the columns `image` (the pixels' bytes, row-major) and `label` (int64), and key-value
metadata in JSON: `shape` ([height, width], with channels where `layout` has them), `dtype`
("uint8"), `layout` ("HW", "HWC" or "CHW") and `label_names`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from models.data.sources import SPLITS, DataError, Images

_LAYOUTS = {"HW": 2, "HWC": 3, "CHW": 3}
_KEYS = ("shape", "dtype", "layout", "label_names")


@dataclass(frozen=True)
class RawFormat:
    """The metadata, the same in all files."""

    shape: tuple[int, ...]
    layout: str
    label_names: tuple[str, ...]


def raw_format(files: Sequence[Path]) -> RawFormat | None:
    """Return what the metadata of parquet files say; None if none of them is of this format.

    Raises:
        DataError: a file is damaged or empty, columns differ, or metadata are missing, wrong or
            different.
    """
    stated: dict[Path, Mapping[bytes, bytes]] = {}
    columns: dict[str, pa.DataType] = {}
    for file in files:
        try:
            metadata, schema = pq.read_metadata(file), pq.read_schema(file)
        except (pa.ArrowInvalid, OSError) as error:
            raise DataError(
                f"{file}: not a readable parquet file ({error}); fix: write it again"
            ) from error
        if metadata.num_rows == 0:  # which `datasets` fails to read
            raise DataError(f"{file}: empty, it has no rows; fix: give at least one example")
        found = dict(zip(schema.names, schema.types, strict=True))
        columns = columns or found
        if found != columns:
            raise DataError(f"{file}: columns are {_listed(found)}, those of {files[0].name} are "
                            f"{_listed(columns)}; fix: write the same in all")  # fmt: skip
        stated[file] = metadata.metadata or {}
    # Names of classes alone are also those of texts and of encoded pictures.
    if not any(key.encode() in raw for raw in stated.values() for key in _KEYS[:3]):
        return None
    forms = {file: _format(file, raw) for file, raw in stated.items()}
    first, form = next(iter(forms.items()))
    for file, other in forms.items():
        if other != form:
            raise DataError(f"{file}: metadata differ from {first.name}'s; fix: write the same in "
                            "both")  # fmt: skip
    return form


def _listed(columns: Mapping[str, pa.DataType]) -> str:
    return ", ".join(f"{name!r} ({kind})" for name, kind in columns.items())


def _format(path: Path, raw: Mapping[bytes, bytes]) -> RawFormat:
    missing = [key for key in _KEYS if key.encode() not in raw]
    if missing:
        raise DataError(f"{path}: metadata lack {missing}; fix: write all of {list(_KEYS)}")
    text = {key: raw[key.encode()].decode(errors="replace") for key in _KEYS}
    if text["dtype"] != "uint8":
        raise DataError(f"{path}: dtype is {text['dtype']!r}; fix: store pixels as uint8")
    if text["layout"] not in _LAYOUTS:
        raise DataError(
            f"{path}: layout is {text['layout']!r}; fix: choose one of {list(_LAYOUTS)}"
        )
    shape, names = _json(path, "shape", text["shape"]), _json(path, "names", text["label_names"])
    sizes = isinstance(shape, list) and all(type(side) is int and side > 0 for side in shape)
    if not sizes or len(shape) != _LAYOUTS[text["layout"]]:
        raise DataError(
            f"{path}: shape is {shape!r}; fix: give one positive size per {text['layout']}"
        )
    if not isinstance(names, list) or len(names) < 2 or len(set(map(str, names))) < len(names):
        raise DataError(f"{path}: label_names are {names!r}; fix: list two or more different names")
    return RawFormat(tuple(shape), text["layout"], tuple(str(name) for name in names))


def _json(path: Path, key: str, text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}: {key} is {text!r}, which is not JSON; fix: write a list"
        ) from error


def raw_images(place: str, column: pa.ChunkedArray, form: RawFormat) -> Images:
    """Return the images (n, channels, height, width) of a column of bytes.

    Raises:
        DataError: the column is of another type, or an image is missing or of another length.
    """
    if not (pa.types.is_fixed_size_binary(column.type) or pa.types.is_binary(column.type)):
        raise DataError(
            f"{place}: image is {column.type}; fix: store the pixels' bytes as fixed_size_binary"
        )
    if column.null_count:
        raise DataError(f"{place}: {column.null_count} images are null; fix: remove those rows")
    span = pc.min_max(pc.binary_length(column)).as_py()
    expected = int(np.prod(form.shape))
    if len(column) and span != {"min": expected, "max": expected}:
        raise DataError(
            f"{place}: images of {span['min']} to {span['max']} bytes, but shape "
            f"{list(form.shape)} needs {expected}; "
            "fix: correct the shape in the metadata or the images"
        )
    images = np.empty((len(column), *form.shape), np.uint8)
    for at, image in enumerate(column):
        images[at] = np.frombuffer(image.as_buffer(), np.uint8).reshape(form.shape)
    if form.layout == "HW":
        return images[:, None]
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2)) if form.layout == "HWC" else images


def file_digest(files: Sequence[Path]) -> str:
    """Return hex digits over train.parquet, validation.parquet and test.parquet; else "".

    Their pixels are not hashed: a folder of these three has always had this digest in history.
    """
    by_name = {file.name: file for file in files}
    names = [f"{split}.parquet" for split in SPLITS]
    if sorted(by_name) != sorted(names) or len(files) != len(names):
        return ""
    found = ""
    for name in names:
        with by_name[name].open("rb") as opened:
            found += hashlib.file_digest(opened, "sha256").hexdigest()
    return found

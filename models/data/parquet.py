"""Images in a folder of train.parquet, validation.parquet and test.parquet.

Each file has the columns `image` (the pixels' bytes, row-major) and `label` (int64), and key-value
metadata in JSON: `shape` ([height, width], with channels where `layout` has them), `dtype`
("uint8"), `layout` ("HW", "HWC" or "CHW") and `label_names`. Everything is checked here, so
that trials need no checks.
"""

from __future__ import annotations

import functools
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from models.data.sources import SPLITS, DataError, Images, ImageSource, Labels

_LAYOUTS = {"HW": 2, "HWC": 3, "CHW": 3}
_KEYS = ("shape", "dtype", "layout", "label_names")


@dataclass(frozen=True)
class _Format:
    """The metadata of a file; the same in all three."""

    shape: tuple[int, ...]
    layout: str
    label_names: tuple[str, ...]

    @property
    def channels_first(self) -> tuple[int, int, int]:
        if self.layout == "HW":
            return (1, self.shape[0], self.shape[1])
        if self.layout == "HWC":
            return (self.shape[2], self.shape[0], self.shape[1])
        return (self.shape[0], self.shape[1], self.shape[2])


def parquet_source(folder: str) -> ImageSource:
    """Return the data set in `folder`, checked except for its pixels, whose values are free.

    Raises:
        DataError: the folder or a split is missing, or a file is damaged, empty, or has wrong
            columns, metadata, labels or lengths of images.
    """
    root = Path(folder)
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; fix: give the folder that holds train.parquet")
    formats, counts = {}, {}
    for split in SPLITS:
        path = root / f"{split}.parquet"
        if not path.is_file():
            raise DataError(f"{path}: missing; fix: write this split like the other two")
        formats[split], counts[split] = _check_file(path, *_stamp(path))
        if formats[split] != formats["train"]:
            raise DataError(
                f"{path}: metadata differ from train.parquet's; fix: write the same in both"
            )
    form = formats["train"]
    return ImageSource(
        name=root.name,
        kind="parquet",
        shape=form.channels_first,
        label_names=form.label_names,
        counts=counts,
        scale=255.0,
        seeded_splits=False,
        read=lambda: {path.stem: _read_file(path, form) for path in _paths(root)},
        digest=lambda: "".join(_digest(p, *_stamp(p)) for p in _paths(root)),
    )


def _paths(root: Path) -> list[Path]:
    return [root / f"{split}.parquet" for split in SPLITS]


def _stamp(path: Path) -> tuple[int, int]:
    """Return size and time of change, the cache key of a file's checks and digest."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns


@functools.lru_cache(maxsize=64)
def _digest(path: Path, size: int, changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@functools.lru_cache(maxsize=64)
def _check_file(path: Path, size: int, changed: int) -> tuple[_Format, int]:
    """Check a file, and return its format and number of rows."""
    try:
        metadata = pq.read_metadata(path)
        schema = pq.read_schema(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(
            f"{path}: not a readable parquet file ({error}); fix: write it again"
        ) from error
    if not {"image", "label"} <= set(schema.names):
        raise DataError(f"{path}: columns are {schema.names}; fix: name them 'image' and 'label'")
    if schema.field("label").type != pa.int64():
        raise DataError(f"{path}: label is {schema.field('label').type}; fix: store int64")
    form = _check_metadata(path, metadata.metadata or {})
    if metadata.num_rows == 0:
        raise DataError(f"{path}: empty; fix: give at least one example")
    _check_images(path, schema.field("image").type, form)
    _check_labels(path, len(form.label_names))
    return form, int(metadata.num_rows)


def _check_metadata(path: Path, raw: dict[bytes, bytes]) -> _Format:
    missing = [key for key in _KEYS if key.encode() not in raw]
    if missing:
        raise DataError(f"{path}: metadata lack {missing}; fix: write all of {list(_KEYS)}")
    text = {key: raw[key.encode()].decode() for key in _KEYS}
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
    return _Format(tuple(shape), text["layout"], tuple(str(name) for name in names))


def _json(path: Path, key: str, text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}: {key} is {text!r}, which is not JSON; fix: write a list"
        ) from error


def _check_images(path: Path, kind: pa.DataType, form: _Format) -> None:
    if not (pa.types.is_fixed_size_binary(kind) or pa.types.is_binary(kind)):
        raise DataError(
            f"{path}: image is {kind}; fix: store the pixels' bytes as fixed_size_binary"
        )
    images = pq.read_table(path, columns=["image"])["image"]
    if images.null_count:
        raise DataError(f"{path}: {images.null_count} images are null; fix: remove those rows")
    span = pc.min_max(pc.binary_length(images)).as_py()
    expected = int(np.prod(form.shape))
    if span != {"min": expected, "max": expected}:
        raise DataError(
            f"{path}: images of {span['min']} to {span['max']} bytes, but shape "
            f"{list(form.shape)} needs {expected}; "
            "fix: correct the shape in the metadata or the images"
        )


def _check_labels(path: Path, classes: int) -> None:
    labels = pq.read_table(path, columns=["label"])["label"]
    nulls = labels.null_count
    span = pc.min_max(labels).as_py()
    if nulls or span["min"] < 0 or span["max"] >= classes:
        found = f"{nulls} labels are null" if nulls else f"labels {span['min']}..{span['max']}"
        raise DataError(
            f"{path}: {found}, but label_names has {classes} names (0..{classes - 1}); "
            "fix: correct the labels or name every class"
        )


def _read_file(path: Path, form: _Format) -> tuple[Images, Labels]:
    table = pq.read_table(path, columns=["image", "label"])
    pixels = np.frombuffer(b"".join(table["image"].to_pylist()), np.uint8)
    images = pixels.reshape(-1, *form.shape)  # (n, *shape)
    if form.layout == "HWC":
        images = images.transpose(0, 3, 1, 2)
    images = images.reshape(-1, *form.channels_first)  # (n, channels, height, width)
    return np.ascontiguousarray(images), table["label"].to_numpy().astype(np.int64)

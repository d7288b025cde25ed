"""Images of a source as arrays, one for each of its splits, and a cache of them on this machine.

Decoding thousands of pictures takes minutes; a data set is described by the command line and loaded
by the driver. So decoded pixels are kept in the cache folder of this machine, under the names,
sizes and times of the source's files. Nothing in it is trusted: it holds no pickles, and a damaged
file is made again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.data import tables
from models.data.sources import DataError, Images

# Goes up when the same files give other pixels or labels than before.
_VERSION = 1
# Pixels of less than this share of their range are probably of fewer bits than their type, or masks
# of 0 and 1. An attack's epsilon is relative to the whole range.
_BRIGHT = 1 / 8
_DAMAGE = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile)


@dataclass(frozen=True)
class Facts:
    """What is known of a source besides its pixels.

    Attributes:
        name: Of the data set.
        place: File, folder or name on the hub, for messages.
        places: Split to its file, or another name of its place.
        kind: "files", "parquet" (raw pixels) or "hub".
        labels: Split to labels as the source has them.
        label_names: The classes in the order of their numbers, if the source states them.
        groups: Split to the values of `group_column`; empty without that setting.
        warnings: What is suspicious, each with its fix.
        file_digest: Hex digits over the bytes of the files; "" where the pixels are the content.
    """

    name: str
    place: str
    places: Mapping[str, str]
    kind: str
    labels: Mapping[str, Sequence[Any]]
    label_names: tuple[str, ...] = ()
    groups: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    file_digest: str = ""


# What was read of a source: split to images (n, channels, height, width).
Found = tuple[Facts, Mapping[str, Images]]


@dataclass(frozen=True)
class StoredImages:
    """The images of a source, in its own splits and its own order.

    Attributes:
        facts: What is known of the source.
        shape: (channels, height, width).
        dtype: "uint8" or "uint16".
        keys: Split to (n, 16) bytes that are equal where the pixels are equal.
        read: Returns split to images (n, channels, height, width).
    """

    facts: Facts
    shape: tuple[int, int, int]
    dtype: str
    keys: Mapping[str, npt.NDArray[np.uint8]]
    read: Callable[[], Mapping[str, Images]]


def in_memory(found: Found) -> StoredImages:
    """Return images that stay in memory.

    Raises:
        DataError: a split is empty, or the splits differ in shape or type.
    """
    facts, splits = found
    for split, images in splits.items():
        if not len(images):
            raise DataError(f"{facts.places[split]}: no images; fix: give some, or remove it")
    first, *others = splits.values()
    for split, other in zip(list(splits)[1:], others, strict=True):
        if other.shape[1:] != first.shape[1:] or other.dtype != first.dtype:
            raise DataError(
                f"{facts.places[split]}: images are {_form(other)}, those of "
                f"{next(iter(splits))} are {_form(first)}; fix: write all in one form"
            )
    _, channels, height, width = first.shape
    top, high = np.iinfo(first.dtype).max, max(int(each.max()) for each in splits.values())
    if high < top * _BRIGHT:
        dark = (f"{facts.place}: no pixel is above {high}, of {top} in {first.dtype}, so all "
                "images are dark; fix: scale them to the whole range")  # fmt: skip
        facts = replace(facts, warnings=(*facts.warnings, dark))
    keys = {split: _keys(images) for split, images in splits.items()}
    return StoredImages(facts, (channels, height, width), str(first.dtype), keys, lambda: splits)


def _form(images: Images) -> str:
    return f"{'x'.join(map(str, images.shape[1:]))} {images.dtype}"


def _keys(images: Images) -> npt.NDArray[np.uint8]:
    digests = (hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in images)
    return np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 16)


def cached(
    place: str, files: Sequence[object], settings: object, read: Callable[[], Found]
) -> StoredImages:
    """Return images from the cache, or read, check and keep them.

    Args:
        place: file, folder or name on the hub; what was kept of it before is removed.
        files: names, sizes and times of the source's files; empty: nothing is kept.
        settings: what else decides about the pixels and labels.
        read: reads the source.

    Raises:
        DataError: the source is wrong.
    """
    if not files:
        return in_memory(read())
    parts = [hashlib.sha256(repr(part).encode()).hexdigest()[:16]
             for part in (place, (_VERSION, files), settings)]  # fmt: skip
    folder = tables.CACHE / "pixels"
    path = folder / f"{'-'.join(parts)}.npz"
    with contextlib.suppress(*_DAMAGE):
        return _opened(path, read)
    stored = in_memory(read())
    # Without a place to keep them, images are only decoded more often.
    with contextlib.suppress(OSError, TypeError):
        _keep(path, stored)
        for old in folder.glob(f"{parts[0]}-*.npz"):
            if not old.name.startswith(f"{parts[0]}-{parts[1]}"):
                old.unlink(missing_ok=True)
    return stored


def _keep(path: Path, stored: StoredImages) -> None:
    """Write a file of the cache at once, so that no other process sees half of it."""
    known = asdict(stored.facts) | {"shape": stored.shape, "dtype": stored.dtype}
    arrays: dict[str, npt.NDArray[Any]] = {
        "known": np.frombuffer(json.dumps(known).encode(), np.uint8)
    }
    images = stored.read()
    for number, split in enumerate(stored.facts.labels):
        arrays |= {f"keys{number}": stored.keys[split], f"images{number}": images[split]}
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        try:
            np.savez(file, allow_pickle=False, **arrays)
            file.close()
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def _opened(path: Path, read: Callable[[], Found]) -> StoredImages:
    with np.load(path, allow_pickle=False) as file:
        known = json.loads(file["known"].tobytes())
        splits = list(known["labels"])
        keys = {split: file[f"keys{number}"] for number, split in enumerate(splits)}

    def images() -> Mapping[str, Images]:
        try:
            with np.load(path, allow_pickle=False) as file:
                return {split: file[f"images{number}"] for number, split in enumerate(splits)}
        except _DAMAGE:  # damaged, or another process has replaced the cache
            return read()[1]

    for name in ("label_names", "warnings"):
        known[name] = tuple(known[name])
    (channels, height, width), dtype = known.pop("shape"), known.pop("dtype")
    return StoredImages(Facts(**known), (channels, height, width), dtype, keys, images)

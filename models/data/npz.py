"""Images in a NumPy archive: `.npz` of Keras, of MedMNIST, or of arrays `images` and `labels`."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.data.settings import DataSettings
from models.data.sources import DataError, Images
from models.data.splitting import NAMES
from models.data.stored_images import Facts, Found

_IMAGES = ("images", "x", "image", "data")
_LABELS = ("labels", "y", "label", "target")
_NAMES = ("label_names", "class_names")
# An axis of this length is that of the channels.
_CHANNELS = (1, 2, 3, 4)
_LAYOUTS = "(n, height, width), (n, height, width, channels) or (n, channels, height, width)"

Array = npt.NDArray[Any]


def read_npz(settings: DataSettings) -> Found:
    """Return the images in an archive; nothing in it is unpickled.

    An array is called `images`, or with its split: `train_images`, `x_train`.

    Raises:
        DataError: the file is damaged, an array is missing, has a wrong type or shape, or needs
            pickle.
    """
    path = Path(settings.path or "")
    try:
        opened = np.load(path, allow_pickle=False)
        if isinstance(opened, np.ndarray):
            raise DataError(f"{path}: a single array; fix: write images and labels by np.savez")
        with opened as file:
            return _read(path, file, settings)
    except DataError:
        raise
    # NumPy raises these for what is no archive, is cut off, or holds pickled objects.
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{path}: cannot be read ({reason}); fix: write it again by np.savez, "
                        "texts as str and no objects") from error  # fmt: skip


def _read(path: Path, file: Mapping[str, Array], settings: DataSettings) -> Found:
    keys = list(file)
    wanted = [value for value in settings.splits.values() if isinstance(value, str)]
    parts = {key: _parts(key, wanted) for key in keys}
    image = _column(path, parts, "image_column", settings.image_column, _IMAGES)
    label = _column(path, parts, "label_column", settings.label_column, _LABELS)
    found = {split: key for key, (column, split) in parts.items() if column == image}
    images: dict[str, Images] = {}
    labels: dict[str, list[Any]] = {}
    groups: dict[str, list[Any]] = {}
    for split, key in found.items():
        images[split or "train"] = _layout(f"{path}, {key}", file[key])
        count = len(images[split or "train"])
        labels[split or "train"] = _values(path, file, parts, (label, split), count)
        if settings.group_column is not None:
            groups[split or "train"] = _values(
                path, file, parts, (settings.group_column, split), count
            )
    names = next((file[key] for key in _NAMES if key in keys), np.array([], str))
    facts = Facts(
        name=path.stem,
        place=str(path),
        places={split or "train": f"{path}, {split}" if split else str(path) for split in found},
        kind="files",
        labels=labels,
        label_names=tuple(map(str, names.tolist())),
        groups=groups,
    )
    return facts, _as_whole(images)


def _parts(key: str, wanted: list[str]) -> tuple[str, str]:
    """Return the column and the split of a key: of `x_train` x and train, of `images` no split."""
    for split in (*wanted, *(name for names in NAMES.values() for name in names)):
        if key.startswith(f"{split}_"):
            return key.removeprefix(f"{split}_"), split
        if key.endswith(f"_{split}"):
            return key.removesuffix(f"_{split}"), split
    return key, ""


def _column(
    path: Path, parts: Mapping[str, tuple[str, str]], key: str, given: str | None,
    usual: tuple[str, ...],
) -> str:  # fmt: skip
    columns = {column for column, _ in parts.values()}
    for name in (given,) if given is not None else usual:
        if name in columns:
            return str(name)
    looked_for = repr(given) if given is not None else f"one of {', '.join(usual)}"
    raise DataError(
        f"{path}: no array {looked_for}, or with a split as train_{usual[0]} or {usual[1]}_train; "
        f"its arrays are {sorted(parts)}; fix: name it in {key}"
    )


def _values(
    path: Path, file: Mapping[str, Array], parts: Mapping[str, tuple[str, str]],
    wanted: tuple[str, str], count: int,
) -> list[Any]:  # fmt: skip
    """Return the values of a column of labels or groups, one for each image."""
    column, split = wanted
    key = next((key for key, part in parts.items() if part == wanted), None)
    if key is None:
        raise DataError(f"{path}: no array {column!r} for the split {split!r}; its arrays are "
                        f"{sorted(parts)}; fix: add it")  # fmt: skip
    values = file[key]
    if values.ndim == 2 and values.shape[1] == 1:  # as CIFAR of Keras and MedMNIST have them
        values = values[:, 0]
    if values.ndim != 1:
        raise DataError(f"{path}, {key}: shape is {values.shape}, not one value for each image; "
                        "fix: give the number of its class, as argmax(axis=1) does")  # fmt: skip
    if len(values) != count:
        raise DataError(f"{path}, {key}: {len(values)} values for {count} images; fix: give one "
                        "for each")  # fmt: skip
    if values.dtype.kind not in "biuU":
        raise DataError(f"{path}, {key}: values are {values.dtype}; fix: give whole numbers or "
                        "str")  # fmt: skip
    found: list[Any] = values.tolist()
    return found


def _layout(place: str, array: Array) -> Array:
    """Return images (n, channels, height, width), uint8, uint16 or floats of 0 to 1."""
    if array.ndim == 4 and array.shape[3] in _CHANNELS:
        array = array.transpose(0, 3, 1, 2)
    elif array.ndim == 3:
        array = array[:, None]
    elif array.ndim != 4 or array.shape[1] not in _CHANNELS:
        raise DataError(f"{place}: shape is {array.shape}; fix: write {_LAYOUTS}, of at most "
                        f"{_CHANNELS[-1]} channels")  # fmt: skip
    if 0 in array.shape:
        raise DataError(f"{place}: empty, its shape is {array.shape}; fix: give images")
    if array.dtype not in (np.uint8, np.uint16) and array.dtype.kind != "f":
        raise DataError(f"{place}: pixels are {array.dtype}; fix: write uint8, uint16, or floats "
                        "of 0 to 1")  # fmt: skip
    low, high = float(array.min()), float(array.max())
    if array.dtype.kind == "f" and not (low >= 0 and high <= 1):  # also for NaN
        fix = "replace what is not a number"
        if low < 0:
            fix = "undo their normalisation: floats are 0 to 1, and networks normalise inside"
        elif high > 1:
            fix = "divide them by the largest that they can have, such as 255, or write uint8"
        raise DataError(f"{place}: pixels are {low:g} to {high:g}; fix: {fix}")
    return np.ascontiguousarray(array)


def _as_whole(splits: Mapping[str, Array]) -> dict[str, Images]:
    """Return the images with whole numbers for floats: 8 bits if those hold all, else 16."""
    # The tolerance is half a step of 16 bits; floats of 32 bits are off by less than 1e-4.
    is_byte = all(
        np.abs(np.rint(image * 255.0) - image * 255.0).max() < 1 / 514
        for images in splits.values() if images.dtype.kind == "f" for image in images
    )  # fmt: skip
    scale, kind = (255.0, np.uint8) if is_byte else (65535.0, np.uint16)
    return {
        split: _scaled(images, scale, kind) if images.dtype.kind == "f" else images
        for split, images in splits.items()
    }


def _scaled(images: Array, scale: float, kind: type[np.unsignedinteger[Any]]) -> Images:
    pixels = np.empty(images.shape, kind)
    for at, image in enumerate(images):  # one at a time, for 64-bit floats take much memory
        pixels[at] = np.rint(image.astype(np.float64) * scale)
    return pixels

"""Sources of images: the type of every source, and the digits embedded in scikit-learn.

Files and the Hugging Face hub are opened by `images.py`. Imports no torch, because describing a
data set is part of checking a specification.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

# (n, channels, height, width): uint8, uint16, or int32 for trials (`loading.py`).
Images = npt.NDArray[np.integer[Any]]
Labels = npt.NDArray[np.int64]  # (n,)
Splits = Mapping[str, tuple[Images, Labels]]

SPLITS = ("train", "validation", "test")

# Digest of load_digits(), the same in every scikit-learn so far. A constant, so that describing the
# data set does not import scikit-learn (two seconds); reading the data verifies it.
_DIGITS_DIGEST = "3bdcbf898d4e4ae2f3de959032fd61698f9cfd69ee85a8f024b3c115d56ec81a"


class DataError(ValueError):
    """A data set cannot be used; the message says which file, the problem and the fix."""


def line_not_utf8(file: Path) -> str:
    """Say which line of a file is no UTF-8 text, and the fix; "" if all are."""
    with file.open("rb") as opened:
        for number, line in enumerate(opened, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                byte = f"byte 0x{line[error.start]:02x} is not UTF-8"
                return f"{file}, line {number}: {byte}; fix: save the file as UTF-8"
    return ""


@dataclass(frozen=True)
class ImageSource:
    """A checked data set; pixels are read and content is hashed on demand.

    `shape` is (channels, height, width); pixel / `scale` lies in [0, 1]. `seeded_splits` says
    whether the split seed decided which example is in which split. `warnings` say what is
    suspicious, each with its fix.
    """

    name: str
    kind: str
    shape: tuple[int, int, int]
    label_names: tuple[str, ...]
    counts: Mapping[str, int]
    scale: float
    seeded_splits: bool
    read: Callable[[], Splits]
    digest: Callable[[], str]
    warnings: tuple[str, ...] = ()


def stratified(labels: Labels, count: int, seed: int) -> npt.NDArray[np.int64]:
    """Return indices (count,), ascending, of a seeded subset that keeps the class shares.

    Each class gets its share rounded down; the largest remainders get one more (lower class first
    on a tie), so no class is off by more than one example.
    """
    classes, sizes = np.unique(labels, return_counts=True)
    exact = sizes * (count / len(labels))
    quotas = np.floor(exact).astype(np.int64)
    quotas[np.argsort(-(exact - quotas), kind="stable")[: count - quotas.sum()]] += 1
    order = np.random.default_rng(seed).permutation(len(labels))
    parts = [order[labels[order] == c][:q] for c, q in zip(classes, quotas, strict=True)]
    return np.sort(np.concatenate(parts))


def content_digest(*arrays: npt.NDArray[np.generic]) -> str:
    """Return the hex SHA-256 over dtype, shape and bytes of the arrays in turn."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


@functools.cache
def _digits() -> tuple[Images, Labels]:
    # Imported here: scikit-learn takes a second to import, and only this data set needs it.
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images: Images = bunch.images[:, None].astype(np.uint8)
    labels: Labels = bunch.target.astype(np.int64)
    if content_digest(images, labels) != _DIGITS_DIGEST:
        raise DataError(
            "digits: this scikit-learn has other images than those of history; "
            "fix: install another version, or give a path"
        )
    return images, labels


def digits_source(split_seed: int) -> ImageSource:
    """Return scikit-learn's 1,797 digits 8x8 (UCI, Alpaydin & Kaynak 1998), split 1000/297/500."""

    def read() -> Splits:
        images, labels = _digits()
        test = stratified(labels, 500, split_seed)
        rest = np.setdiff1d(np.arange(len(labels)), test)
        # Another seed than the first draw's, so that the two permutations are unrelated.
        validation = rest[stratified(labels[rest], 297, split_seed + 1)]
        train = np.setdiff1d(rest, validation)
        parts = {"train": train, "validation": validation, "test": test}
        return {split: (images[i], labels[i]) for split, i in parts.items()}

    return ImageSource(
        name="digits",
        kind="digits",
        shape=(1, 8, 8),
        label_names=tuple(str(digit) for digit in range(10)),
        counts={"train": 1000, "validation": 297, "test": 500},
        scale=16.0,
        seeded_splits=True,
        read=read,
        digest=lambda: _DIGITS_DIGEST,
    )

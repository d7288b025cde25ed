"""Images with a class of the Hugging Face hub, by name.

They need the package `datasets` and, the first time, the network. Images must have one size.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from models.data.sources import (
    SPLITS,
    DataError,
    Images,
    ImageSource,
    Labels,
    Splits,
    content_digest,
    stratified,
)

_FIX = "fix: pip install 'twentieth[hub]', or give a folder by parquet"


def hub_source(name: str, split_seed: int) -> ImageSource:
    """Return the images `name` of the hub; without a validation split, a tenth of train is it.

    Raises:
        DataError: `datasets` is missing, the hub cannot be reached or has no such data set, or it
            lacks a train or test split, an image column, a label column or one size of images.
    """
    splits, label_names = _load_images(name)
    seeded = "validation" not in splits
    if seeded:
        images, labels = splits["train"]
        held_out = stratified(labels, max(1, len(labels) // 10), split_seed)
        kept = np.setdiff1d(np.arange(len(labels)), held_out)
        splits = {
            **splits,
            "train": (images[kept], labels[kept]),
            "validation": (images[held_out], labels[held_out]),
        }
    arrays = [array for split in sorted(splits) for array in splits[split]]
    _, channels, height, width = splits["train"][0].shape
    return ImageSource(
        name=name,
        kind="hub",
        shape=(channels, height, width),
        label_names=label_names,
        counts={split: len(labels) for split, (_, labels) in splits.items()},
        scale=255.0,
        seeded_splits=seeded,
        read=lambda: splits,
        digest=lambda: content_digest(*arrays),
    )


@functools.lru_cache(maxsize=2)
def _load(name: str) -> Any:
    """Load all splits of `name`; train and test exist."""
    try:
        import datasets
    except ImportError as error:
        raise DataError(f"hub {name!r}: the package 'datasets' is missing; {_FIX}") from error
    try:
        loaded = datasets.load_dataset(name)
    # The hub's client raises errors of four packages.
    except (OSError, ValueError, RuntimeError) as error:
        raise DataError(
            f"hub {name!r}: cannot be loaded ({error}); fix: check the name and the network, or "
            "give a folder by parquet"
        ) from error
    missing = [split for split in ("train", "test") if split not in loaded]
    if missing:
        raise DataError(
            f"hub {name!r}: no split {missing}; it has {sorted(loaded)}; fix: use another"
        )
    return loaded


@functools.lru_cache(maxsize=2)
def _load_images(name: str) -> tuple[Splits, tuple[str, ...]]:
    loaded = _load(name)
    features = loaded["train"].features
    image = _column(name, features, "Image")
    label = _column(name, features, "ClassLabel")
    names = [split for split in SPLITS if split in loaded]
    splits = {split: _arrays(name, split, loaded[split], image, label) for split in names}
    if len({images.shape[1:] for images, _ in splits.values()}) > 1:
        raise DataError(f"hub {name!r}: its splits differ in size or channels; fix: use another")
    return splits, tuple(str(text) for text in features[label].names)


def _column(name: str, features: Any, kind: str) -> str:
    found = [column for column, feature in features.items() if type(feature).__name__ == kind]
    if len(found) != 1:
        raise DataError(f"hub {name!r}: {len(found)} columns of type {kind} in {list(features)}; "
                        "fix: use a data set with exactly one")  # fmt: skip
    return str(found[0])


def _arrays(name: str, split: str, rows: Any, image: str, label: str) -> tuple[Images, Labels]:
    pictures = [np.asarray(picture, dtype=np.uint8) for picture in rows[image]]
    if not pictures or len({picture.shape for picture in pictures}) > 1:
        raise DataError(f"hub {name!r}, {split}: images of different sizes, or none; fix: resize "
                        "them and give a folder by parquet")  # fmt: skip
    images = np.stack(pictures)  # (n, height, width) or (n, height, width, channels)
    images = images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)
    labels = np.asarray(rows[label], dtype=np.int64)
    if labels.min() < 0:  # -1 is the hub's mark of a hidden test label
        raise DataError(f"hub {name!r}, {split}: labels are hidden (-1); fix: use another data set")
    return np.ascontiguousarray(images), labels

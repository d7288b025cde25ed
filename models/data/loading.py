"""Loading of a task's images or texts; `describe_data` documents the settings.

Images of 8 bits stay uint8: a data set crosses Ray's object store once per node, at a quarter of
the size of float32. There they are shared and read-only, so nothing may write to them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.data.description import Selection, select
from models.data.sources import Images, Labels, stratified
from models.data.text.selection import load_text
from models.data.text.splits import TextSplits


@dataclass(frozen=True)
class ImageSplits:
    """Three splits; images (n, channels, height, width), labels int64 (n,).

    `scale` is the largest pixel: pixel / scale lies in [0, 1]. Images are uint8; those of 16 bits
    are int32, because torch cannot index uint16 on a GPU.
    """

    train_images: Images
    train_labels: Labels
    validation_images: Images
    validation_labels: Labels
    test_images: Images
    test_labels: Labels
    scale: float
    label_names: tuple[str, ...]


# The data of a trial.
Splits = ImageSplits | TextSplits


def load_data(settings: Mapping[str, Any], kind: str) -> Splits:
    """Load what `settings` select, as a model's `kind` of data.

    Raises:
        DataError: as `describe_data`.
    """
    return load_images(settings) if kind == "images" else load_text(settings, kind)


def load_images(settings: Mapping[str, Any]) -> ImageSplits:
    """Load what `settings` select; their keys are those of `models.catalog.describe_data`.

    Example:
        `load_images({"path": "/data/mnist", "train_examples": 1000, "image_size": 14})`

    Raises:
        DataError: as `describe_data`.
    """
    selection = select(settings)
    splits = selection.source.read()
    images, labels = splits["train"]
    if selection.train_examples is not None:
        kept = stratified(labels, selection.train_examples, selection.split_seed)
        images, labels = images[kept], labels[kept]
    return ImageSplits(
        train_images=_reduced(images, selection),
        train_labels=labels,
        validation_images=_reduced(splits["validation"][0], selection),
        validation_labels=splits["validation"][1],
        test_images=_reduced(splits["test"][0], selection),
        test_labels=splits["test"][1],
        scale=selection.source.scale,
        label_names=selection.source.label_names,
    )


def _reduced(images: Images, selection: Selection) -> Images:
    _, height, width = selection.shape
    if selection.is_pooled:
        images = pool(images, height)
    elif images.shape[2:] != (height, width):
        # Imported here: resizing alone needs Pillow, and a training has the pixels already.
        from models.data.pictures import fit

        images = np.stack([fit(image, height) for image in images])
    return images if images.dtype == np.uint8 else images.astype(np.int32)


def pool(images: Images, height: int) -> Images:
    """Average images (n, channels, h, w) over squares to `height`, rounded; h % height == 0.

    The factor is the same in both directions; native height returns the images themselves.
    """
    n, channels, rows, columns = images.shape
    factor = rows // height
    if factor == 1:
        return images
    # (n, channels, height, factor, width, factor): the two factors are the squares' sides.
    squares = images.reshape(n, channels, height, factor, columns // factor, factor)
    pooled: Images = np.rint(squares.mean(axis=(3, 5), dtype=np.float32)).astype(images.dtype)
    return pooled

"""Tiny pictures in folders, for the tests of data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

CLASSES = ("cat", "dog")
COUNTS = {"train": 6, "validation": 3, "test": 3}  # pictures of each class


def picture(number: int, size: tuple[int, int] = (4, 6), mode: str = "L") -> Image.Image:
    """Returns a picture of random pixels, the same for the same number; size is height, width."""
    channels = {"L": (), "RGB": (3,), "RGBA": (4,), "I;16": ()}[mode]
    kind = np.uint16 if mode == "I;16" else np.uint8
    top = 65536 if mode == "I;16" else 256
    pixels = np.random.default_rng(number).integers(0, top, (*size, *channels), dtype=kind)
    return Image.fromarray(pixels)


def write_classes(folder: Path, count: int, start: int = 0, **form: Any) -> Path:
    """Writes CLASS/NUMBER.png, `count` pictures of each class."""
    for index, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            shown = picture(start + index * count + number, **form)
            shown.save(folder / name / f"{number:03}.png")
    return folder


def write_splits(root: Path, **form: Any) -> Path:
    """Writes SPLIT/CLASS/NUMBER.png; no two pictures are equal."""
    for index, (split, count) in enumerate(COUNTS.items()):
        write_classes(root / split, count, start=1000 * index, **form)
    return root


def pixels(root: Path, split: str) -> np.ndarray:
    """Returns the pictures of a split in the order of their files, as Pillow reads them."""
    return np.stack(
        [np.asarray(Image.open(file)) for file in sorted((root / split).rglob("*.png"))]
    )

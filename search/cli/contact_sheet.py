"""A contact sheet: one PNG with a few images of every class, for people to look at."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

# A row has so many images of a class; more classes than rows are left out.
COLUMNS, ROWS = 10, 20
_SIDE = 64  # pixels of an image's longer side on the sheet, if it is not larger
_LARGEST = 128
_GAP = 6
_TITLE = 18
_TEXT = 13


def write_contact_sheet(
    path: Path,
    images: npt.NDArray[Any],
    labels: npt.NDArray[np.int64],
    names: Sequence[str],
    scale: float,
) -> None:
    """Writes the first images of every class, each row under the name of its class.

    Args:
        path: The PNG; its folder is made.
        images: (n, channels, height, width), 0 to `scale`. Of two channels, or more than three, the
            first is shown.
        labels: (n,), numbers of classes.
        names: The classes.
        scale: The largest pixel.
    """
    _, _, height, width = images.shape
    factor = _factor(max(height, width))
    tall, wide = max(1, round(height * factor)), max(1, round(width * factor))
    shown = [number for number in range(len(names)) if (labels == number).any()][:ROWS]
    row = _TITLE + tall + _GAP
    size = (COLUMNS * (wide + _GAP) + _GAP, max(1, len(shown)) * row + _GAP)
    sheet = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(_TEXT)
    for index, number in enumerate(shown):
        top = index * row + _GAP
        draw.text((_GAP, top), _fitted(names[number], font, size[0] - 2 * _GAP), "black", font)
        for column, at in enumerate(np.flatnonzero(labels == number)[:COLUMNS]):
            # Small images are enlarged without smoothing, so that their pixels are seen.
            filter_ = Image.Resampling.NEAREST if factor >= 1 else Image.Resampling.BILINEAR
            picture = _picture(images[at], scale).resize((wide, tall), filter_)
            sheet.paste(picture, (_GAP + column * (wide + _GAP), top + _TITLE))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, "PNG")


def _factor(side: int) -> float:
    """Returns by how much an image is enlarged: by a whole number, or reduced to the largest."""
    return _LARGEST / side if side > _LARGEST else max(1, math.ceil(_SIDE / side))


def _picture(image: npt.NDArray[Any], scale: float) -> Image.Image:
    pixels = np.rint(image * (255.0 / scale)).astype(np.uint8)
    if len(pixels) == 3:
        return Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    return Image.fromarray(np.ascontiguousarray(pixels[0]))


def _fitted(
    text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int
) -> str:  # fmt: skip
    """Returns a text that is no wider than `width`, with an ellipsis if it was cut."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text + "…"

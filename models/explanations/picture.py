"""Pictures of explained images: the image above, what spoke for and against the class below.

Red raised the logit of the predicted class, blue lowered it, white did nothing; the scale is each
attribution's own. Small images are enlarged without smoothing, so that their pixels are seen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from models.explanations.images import ExplainedImage, View

_SIDE = 128  # pixels of the longer side of an image in the picture
_GAP = 12
_LINE = 18
_TEXT = 13
# So large a value has the full colour: single pixels would leave the others pale.
_FULL = 0.99
_RED, _BLUE = np.array([178, 24, 43]), np.array([33, 102, 172])  # ColorBrewer's RdBu


def draw_examples(
    title: str, examples: Sequence[ExplainedImage], names: Sequence[str], path: Path
) -> None:
    """Write a PNG with a column an example, of one group.

    Args:
        title: The line above all.
        examples: At least one; all with, or all without an adversarial example.
        names: The classes.
        path: The file.
    """
    font = ImageFont.load_default(_TEXT)
    heads = [[_head(view, each, names) for view in each.views] for each in examples]
    wide = max(_SIDE, *(int(font.getlength(line)) for each in heads for line in each)) + _GAP
    rows = 2 * len(examples[0].views)
    width = max(wide * len(examples), int(font.getlength(title))) + 2 * _GAP
    height = _LINE + rows // 2 * (2 * (_SIDE + _GAP) + _LINE) + 2 * _GAP
    sheet = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(sheet)
    draw.text((_GAP, _GAP // 2), title, "black", font)
    for column, (each, lines) in enumerate(zip(examples, heads, strict=True)):
        left, top = _GAP + column * wide, _GAP + _LINE
        for view, line in zip(each.views, lines, strict=True):
            draw.text((left, top), line, "black", font)
            for picture in (_shown(view.image), _coloured(view.attribution.values)):
                sheet.paste(_enlarged(picture), (left, top + _LINE))
                top += _SIDE + _GAP
            top += _LINE
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, "PNG")


def _head(view: View, example: ExplainedImage, names: Sequence[str]) -> str:
    """Return the line above a view: what it is predicted as, and what it is."""
    predicted, label = _name(names[view.predicted]), _name(names[example.label])
    text = f"{predicted}" if view.predicted == example.label else f"{predicted}, not {label}"
    return f"attacked: {text}" if view is example.attacked else text


def _name(name: str, longest: int = 14) -> str:
    line = " ".join(name.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def _shown(image: Tensor) -> npt.NDArray[np.uint8]:
    """Return an image (height, width, 3); of two channels, or more than three, the first."""
    pixels = np.rint(image.clamp(0, 1).numpy() * 255).astype(np.uint8)
    pixels = pixels if len(pixels) == 3 else np.repeat(pixels[:1], 3, axis=0)
    return np.ascontiguousarray(pixels.transpose(1, 2, 0))


def _coloured(values: Tensor) -> npt.NDArray[np.uint8]:
    """Return colours (height, width, 3) of attributions (channels, height, width)."""
    total = values.sum(dim=0).numpy()
    scale = float(np.quantile(np.abs(total), _FULL)) or float(np.abs(total).max()) or 1.0
    share = np.clip(np.abs(total) / scale, 0, 1)[..., None]
    colour = np.where((total > 0)[..., None], _RED, _BLUE)
    pixels: npt.NDArray[np.uint8] = np.rint(255 + share * (colour - 255)).astype(np.uint8)
    return pixels


def _enlarged(pixels: npt.NDArray[np.uint8]) -> Image.Image:
    height, width, _ = pixels.shape
    factor = _SIDE / max(height, width)
    size = max(1, math.floor(width * factor)), max(1, math.floor(height * factor))
    filter_ = Image.Resampling.NEAREST if factor >= 1 else Image.Resampling.BILINEAR
    return Image.fromarray(pixels).resize(size, filter_)

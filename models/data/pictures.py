"""Pictures to pixels, with Pillow: channels, depth, transparency, orientation and size.

All pictures of a data set become one array. Its form is found from the files' headers before any
picture is decoded, so that no picture is held twice.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from models.data.sources import DataError, Images

# A picture in a table is its encoded bytes, in a folder its file.
Picture = bytes | Path

# What Pillow raises for damaged files, by the formats' plugins.
_DAMAGE = (OSError, SyntaxError, ValueError, IndexError, EOFError, struct.error, zlib.error,
           Image.DecompressionBombError)  # fmt: skip
_ORIENTATION = 274  # the tag of EXIF
_GREY = ("1", "L", "LA", "La")
_SIXTEEN = 257  # 255 * 257 == 65535
# What is said of some pictures of a data set: what they are, and what to do.
_TRANSPARENT = ("transparent in parts, read on white", "write them on another background if it "
                "matters")  # fmt: skip
_FRAMES = ("of several frames, of which the first is read", "write the others as files if needed")
_COLOURS = ("of 16 bits a colour, of which 8 are read", "give .npz of uint16 if they matter")
_ENLARGED = ("smaller than image_size, enlarged", "give a smaller image_size")
_Note = tuple[str, str]


@dataclass(frozen=True)
class _Form:
    """What a header says: size as shown (height, width), channels and bits."""

    size: tuple[int, int]
    channels: int
    bits: int


def read_pictures(
    counts: Mapping[str, int],
    get: Callable[[str, int], tuple[Picture, str]],
    name: str,
    image_size: int | None,
) -> tuple[dict[str, Images], list[str]]:
    """Return the images (n, channels, height, width) of each split, and warnings.

    Grey and coloured pictures together become coloured, 8 and 16 bits together 16. Pictures of
    several sizes are cut to squares of `image_size`, see `fit`; of one size they keep it.

    Args:
        counts: number of pictures of each split.
        get: returns a picture of a split by its number, and its file or row for messages. Many
            threads call it.
        name: the file or folder of the data set, for messages.
        image_size: the setting of a task's data; None: not given.

    Raises:
        DataError: a file is no picture or damaged, or the sizes differ without `image_size`.
    """
    with ThreadPoolExecutor() as threads:
        every = [
            form for split, count in counts.items()
            for form in threads.map(lambda at, s=split: _form(*get(s, at)), range(count))
        ]  # fmt: skip
        sizes = Counter(form.size for form in every)
        if len(sizes) > 1 and image_size is None:
            raise DataError(_mixed(name, sizes))
        cut = image_size if len(sizes) > 1 else None
        shape = (max((f.channels for f in every), default=1),
                 *((cut, cut) if cut else next(iter(sizes), (1, 1))))  # fmt: skip
        bits = max((form.bits for form in every), default=8)
        notes: Counter[_Note] = Counter()
        images: dict[str, Images] = {}
        for split, count in counts.items():
            images[split] = np.empty((count, *shape), f"uint{bits}")

            def fill(at: int, split: str = split) -> list[_Note]:
                pixels, found = _decode(*get(split, at), shape[0], bits)
                images[split][at] = fit(pixels, cut) if cut else pixels
                return found

            for found in threads.map(fill, range(count)):
                notes.update(found)
    small = sum(n for size, n in sizes.items() if cut and min(size) < cut)
    notes.update({_ENLARGED: small} if small else {})
    return images, [
        f"{name}: pictures {what}: {count} of {len(every)}; fix: {fix}"
        for (what, fix), count in sorted(notes.items())
    ]


def _mixed(name: str, sizes: Counter[tuple[int, int]]) -> str:
    shown = [f"{count} of {h}x{w}" for (h, w), count in sizes.most_common(3)]
    more = f", of {len(sizes)} sizes in all" if len(sizes) > 3 else ""
    smallest = min(min(size) for size in sizes)
    return (
        f"{name}: the pictures have different sizes (height x width): {', '.join(shown)}{more}; "
        f"fix: set task.data.image_size, at most {smallest} to enlarge none: the shorter side is "
        "resized to it and the middle square is kept"
    )


def _open(picture: Picture, place: str) -> Image.Image:
    if isinstance(picture, bytes) and not picture:
        raise DataError(f"{place}: an empty picture; fix: write it again, or remove it")
    try:
        return Image.open(io.BytesIO(picture) if isinstance(picture, bytes) else picture)
    except _DAMAGE as error:
        raise DataError(
            f"{place}: no picture that can be read ({_reason(error)}); fix: write it again as PNG, "
            "or remove it"
        ) from error


def _reason(error: BaseException) -> str:
    # Pillow names what it read, which for bytes is an address in memory.
    reason = " ".join(str(error).split())
    return "of an unknown format" if "cannot identify" in reason else reason


def _form(picture: Picture, place: str) -> _Form:
    with _open(picture, place) as image:
        width, height = image.size
        if _is_turned(image, place) and image.getexif()[_ORIENTATION] >= 5:  # by 90 degrees
            width, height = height, width
        is_deep = image.mode.startswith("I")
        return _Form(
            (height, width),
            1 if is_deep or image.mode in (*_GREY, "F") else 3,
            16 if is_deep else 8,
        )


def _is_turned(image: Image.Image, place: str) -> bool:
    """Whether a picture is to be turned as EXIF says.

    Of a PNG only what stands before its pixels counts: looking for more decodes it. Pillow turns
    TIFF by itself.
    """
    if image.format == "TIFF" or (image.format == "PNG" and "exif" not in image.info):
        return False
    try:
        return image.getexif().get(_ORIENTATION, 1) in range(2, 9)
    except _DAMAGE:
        return False  # damaged notes of a camera do not make the pixels unusable


def _decode(
    picture: Picture, place: str, channels: int, bits: int
) -> tuple[npt.NDArray[np.generic], list[_Note]]:
    """Return (channels, height, width), uint8 or uint16, and what is to be said of it."""
    notes: list[_Note] = []
    with _open(picture, place) as image:
        if getattr(image, "is_animated", False):
            notes.append(_FRAMES)
        tiles = getattr(image, "tile", [])
        if image.mode in ("RGB", "RGBA", "LA") and tiles and ";16" in str(tiles[0][3]):
            notes.append(_COLOURS)
        try:
            image.load()
            shown = ImageOps.exif_transpose(image) if _is_turned(image, place) else image
            plain, is_transparent = _opaque(shown)
        except _DAMAGE as error:
            raise DataError(
                f"{place}: a damaged picture ({_reason(error)}); fix: write it again, or remove it"
            ) from error
    if is_transparent:
        notes.append(_TRANSPARENT)
    if plain.mode == "F":
        raise DataError(
            f"{place}: pixels are floats; fix: write it with 8 or 16 bits, or give .npz"
        )
    pixels = np.asarray(plain)
    if plain.mode == "I" and (pixels.min() < 0 or pixels.max() > 65535):
        raise DataError(f"{place}: pixels are {pixels.min()} to {pixels.max()}; "
                        "fix: write it with 16 bits")  # fmt: skip
    if bits == 16:
        is_deep = plain.mode.startswith("I")
        pixels = pixels.astype(np.uint16) * np.uint16(1 if is_deep else _SIXTEEN)
    pixels = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    return np.broadcast_to(pixels, (channels, *pixels.shape[1:])), notes


def _opaque(image: Image.Image) -> tuple[Image.Image, bool]:
    """Return a picture as L, RGB, I or F, on white where it is transparent, and whether it is."""
    if image.mode.startswith("I") or image.mode == "F":
        return image, False
    mode = "L" if image.mode in _GREY else "RGB"
    if not image.has_transparency_data:
        return image.convert(mode), False
    layers = image.convert("RGBA")
    if layers.getchannel("A").getextrema() == (255, 255):
        return layers.convert(mode), False
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, layers).convert(mode), True


def fit(image: npt.NDArray[np.generic], side: int) -> npt.NDArray[np.generic]:
    """Return the middle square of an image (channels, height, width), resized to `side`.

    Antialiased, as `torchvision.transforms.Resize` and `CenterCrop` do it.
    """
    channels = []
    for channel in image:
        # Pillow resizes 8 bits in their own type; 16 bits as floats, which hold them exactly.
        is_byte = channel.dtype == np.uint8
        plane = Image.fromarray(
            np.ascontiguousarray(channel if is_byte else channel.astype(np.float32))
        )
        resized = np.asarray(ImageOps.fit(plane, (side, side), Image.Resampling.BILINEAR))
        channels.append(resized if is_byte else np.clip(np.rint(resized), 0, 65535))
    return np.stack(channels).astype(image.dtype)

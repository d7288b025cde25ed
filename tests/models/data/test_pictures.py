"""What becomes of modes, depths, transparency, orientation and sizes of pictures."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.catalog import DataError, describe_data
from models.data.loading import load_images
from models.data.pictures import fit, read_pictures
from tests.support.pictures import picture, write_splits


def read(folder: Path, size: int | None = None) -> tuple[np.ndarray, list[str]]:
    """Reads the pictures of one folder, in the order of their names."""
    files = sorted(folder.iterdir())
    images, notes = read_pictures(
        {"train": len(files)}, lambda _, at: (files[at], str(files[at])), "pets", size
    )
    return images["train"], notes


def test_sixteen_bits_of_grey_are_kept(tmp_path: Path) -> None:
    deep = picture(0, mode="I;16")
    deep.save(tmp_path / "0.png")
    deep.save(tmp_path / "1.tif")
    images, notes = read(tmp_path)
    assert images.dtype == np.uint16 and notes == []
    assert np.array_equal(images[0, 0], np.asarray(deep))
    assert np.array_equal(images[1, 0], np.asarray(deep))


def test_eight_bits_among_sixteen_and_grey_among_colours_are_widened(tmp_path: Path) -> None:
    plain, deep = picture(0), picture(1, mode="I;16")
    colour = picture(2, mode="RGB")
    for number, each in enumerate((plain, deep, colour)):
        each.save(tmp_path / f"{number}.png")
    images, _ = read(tmp_path)
    assert images.shape == (3, 3, 4, 6) and images.dtype == np.uint16
    assert np.array_equal(images[0], [np.asarray(plain, np.uint16) * 257] * 3)
    assert np.array_equal(images[1], [np.asarray(deep)] * 3)
    assert np.array_equal(images[2], np.moveaxis(np.asarray(colour, np.uint16) * 257, -1, 0))


def test_transparent_parts_become_white_and_are_said(tmp_path: Path) -> None:
    pixels = np.zeros((2, 2, 4), np.uint8)
    pixels[0, 0] = (255, 0, 0, 255)  # opaque red
    pixels[0, 1] = (0, 0, 0, 51)  # a fifth of black: 255 * 4 / 5
    Image.fromarray(pixels).save(tmp_path / "0.png")
    Image.fromarray(np.full((2, 2, 4), 255, np.uint8)).save(tmp_path / "1.png")  # all opaque
    images, notes = read(tmp_path)
    assert images[0, :, 0, 0].tolist() == [255, 0, 0]
    assert images[0, :, 0, 1].tolist() == [204, 204, 204]
    assert images[0, :, 1, 1].tolist() == [255, 255, 255]
    (note,) = notes
    assert note.startswith("pets: pictures transparent in parts") and ": 1 of 2; fix" in note


def test_grey_with_transparency_stays_grey(tmp_path: Path) -> None:
    Image.merge("LA", [Image.new("L", (2, 2), 0), Image.new("L", (2, 2), 0)]).save(
        tmp_path / "0.png"
    )
    images, notes = read(tmp_path)
    assert images.shape == (1, 1, 2, 2) and images.min() == 255 and len(notes) == 1


@pytest.mark.parametrize(
    ("mode", "ending", "channels"),
    [("1", "png", 1), ("P", "png", 3), ("P", "gif", 3), ("CMYK", "tif", 3), ("L", "bmp", 1)],
)
def test_other_modes_are_converted(tmp_path: Path, mode: str, ending: str, channels: int) -> None:
    white = Image.new("RGB", (3, 2), "white").convert(mode)
    white.save(tmp_path / f"0.{ending}")
    images, notes = read(tmp_path)
    assert images.shape == (1, channels, 2, 3) and images.min() == 255 and notes == []


def test_a_transparent_colour_of_a_palette_becomes_white(tmp_path: Path) -> None:
    shown = Image.new("P", (2, 2), 1)
    shown.putpalette([0, 0, 0, 0, 0, 255])
    shown.putpixel((0, 0), 0)
    shown.save(tmp_path / "0.png", transparency=0)
    images, notes = read(tmp_path)
    assert images[0, :, 0, 0].tolist() == [255, 255, 255] and len(notes) == 1
    assert images[0, :, 1, 1].tolist() == [0, 0, 255]


@pytest.mark.parametrize("ending", ["png", "tif", "webp"])
def test_pictures_are_turned_as_their_camera_says(tmp_path: Path, ending: str) -> None:
    shown = picture(0, (2, 3), mode="RGB")
    exif = Image.Exif()
    exif[274] = 6  # shown turned by 90 degrees clockwise
    options = {"lossless": True} if ending == "webp" else {}
    shown.save(tmp_path / f"0.{ending}", exif=exif, **options)
    images, _ = read(tmp_path)
    assert np.array_equal(images[0], np.rot90(np.moveaxis(np.asarray(shown), -1, 0), -1, (1, 2)))


def test_only_the_first_frame_is_read_and_that_is_said(tmp_path: Path) -> None:
    frames = [Image.new("L", (2, 2), 0), Image.new("L", (2, 2), 255)]
    frames[0].save(tmp_path / "0.tif", save_all=True, append_images=frames[1:])
    images, notes = read(tmp_path)
    assert images.max() == 0 and "several frames" in notes[0]


def test_mixed_sizes_need_a_size(tmp_path: Path) -> None:
    root = write_splits(tmp_path / "pets")
    picture(9, (8, 5)).save(root / "test/cat/000.png")
    with pytest.raises(DataError, match=r"pets: .*23 of 4x6, 1 of 8x5; fix: .*, at most 4 "):
        describe_data({"path": str(root)})
    description = describe_data({"path": str(root), "image_size": 4})
    assert description.shape == (1, 4, 4) and description.warnings == ()
    larger = describe_data({"path": str(root), "image_size": 5})
    assert "enlarged: 23 of 24" in larger.warnings[0]
    assert larger.digest != description.digest


def test_the_shorter_side_is_resized_and_the_middle_kept() -> None:
    image = np.zeros((1, 4, 20), np.uint8)
    image[:, :, 6:14] = 200  # the square, and the neighbours that antialiasing mixes in
    assert fit(image, 2).tolist() == [[[200, 200], [200, 200]]]
    assert fit(image.astype(np.uint16) * 300, 2).max() == 60000
    assert fit(image.transpose(0, 2, 1), 3).shape == (1, 3, 3)


def test_a_size_that_does_not_divide_resizes_and_cuts(tmp_path: Path) -> None:
    root = write_splits(tmp_path / "pets", size=(6, 9))
    settings: Mapping[str, object] = {"path": str(root), "image_size": 4}
    data = load_images(settings)
    assert data.train_images.shape == (12, 1, 4, 4)
    assert describe_data(settings).shape == (1, 4, 4)
    whole = load_images({"path": str(root)}).train_images
    assert np.array_equal(data.train_images[3], fit(whole[3], 4))
    assert describe_data(settings).digest != describe_data({"path": str(root)}).digest
    # One that divides keeps the proportions.
    assert describe_data({"path": str(root), "image_size": 2}).shape == (1, 2, 3)
    with pytest.raises(DataError, match=r"image_size is 7, but the images have 6x9.*at most 6"):
        describe_data({"path": str(root), "image_size": 7})


def test_trials_get_sixteen_bits_as_torch_can_index_them(tmp_path: Path) -> None:
    root = write_splits(tmp_path / "scans", mode="I;16", size=(4, 4))
    data = load_images({"path": str(root), "image_size": 2})
    assert data.train_images.dtype == np.int32 and data.scale == 65535.0
    assert data.train_images.max() > 255

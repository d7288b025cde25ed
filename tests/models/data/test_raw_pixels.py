import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from models.catalog import DataError, describe_data
from models.data.loading import load_images

Write = Callable[..., Path]


def test_a_correct_folder_is_described(folder: Path) -> None:
    description = describe_data({"path": str(folder)})
    assert (description.name, description.shape, description.classes) == ("shapes", (1, 4, 6), 3)
    assert (description.train, description.validation, description.test) == (30, 9, 12)


def test_pixels_come_back_as_they_were_written(folder: Path) -> None:
    data = load_images({"path": str(folder)})
    expected = np.random.default_rng(30).integers(0, 256, (30, 24), dtype=np.uint8)
    assert np.array_equal(data.train_images.reshape(30, 24), expected)
    assert data.train_labels.tolist() == [i % 3 for i in range(30)]
    assert data.label_names == ("a", "b", "c") and data.scale == 255.0


@pytest.mark.parametrize(("layout", "shape"), [("HWC", [2, 4, 3]), ("CHW", [3, 2, 4])])
def test_layouts_with_channels_become_channels_first(
    tmp_path: Path, write_split: Write, layout: str, shape: list[int]
) -> None:
    image = np.arange(24, dtype=np.uint8).reshape(shape)
    columns = {"image": pa.array([image.tobytes()] * 3, pa.binary(24))}
    for split in ("train", "validation", "test"):
        metadata = {"layout": layout, "shape": json.dumps(shape)}
        write_split(tmp_path / f"{split}.parquet", 3, columns=columns, metadata=metadata)
    images = load_images({"path": str(tmp_path)}).test_images
    assert images.shape == (3, 3, 2, 4)
    assert np.array_equal(images[0], image if layout == "CHW" else np.moveaxis(image, -1, 0))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"columns": {"label": None}}, ["columns are 'image'", "those of train.parquet"]),
        ({"columns": {"label": pa.array([0] * 12, pa.int32())}}, ["int32", "int64"]),
        ({"columns": {"label": pa.array([0, 1, 3] * 4)}}, ["row 2", "label is 3", "(0..2)"]),
        ({"columns": {"label": pa.array([0, -1, 1] * 4)}}, ["row 1", "-1, a hidden label"]),
        ({"columns": {"label": pa.array([0, None, 1] * 4)}}, ["row 1", "label is missing"]),
        ({"columns": {"image": pa.array([b"x" * 23] * 12, pa.binary(23))}}, ["[23]", "[24]"]),
        ({"columns": {"image": pa.array(["text"] * 12)}}, ["string", "fixed_size_binary"]),
        ({"metadata": {"layout": None}}, ["lack", "layout"]),
        ({"metadata": {"layout": "WH"}}, ["'WH'", "HWC"]),
        ({"metadata": {"dtype": "float32"}}, ["float32", "uint8"]),
        ({"metadata": {"shape": "[4]"}}, ["shape", "[4]"]),
        ({"metadata": {"shape": "4x6"}}, ["4x6", "JSON"]),
        ({"metadata": {"shape": b"4\xd76"}}, ["4\ufffd6", "JSON"]),
        ({"metadata": {"label_names": '["a", "a"]'}}, ["label_names", "different"]),
        ({"rows": 0}, ["empty", "no rows"]),
    ],
)
def test_a_wrong_file_is_named_with_problem_and_remedy(
    folder: Path, write_split: Write, change: dict, words: list[str]
) -> None:
    write_split(folder / "validation.parquet", **change)
    with pytest.raises(DataError) as error:
        describe_data({"path": str(folder)})
    assert str(error.value).startswith(str(folder / "validation.parquet"))
    assert all(word in str(error.value) for word in [*words, "fix: "]), error.value


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (pa.array([b"x" * 24, b"x" * 9] * 6), ["images of 9 to 24 bytes", "shape [4, 6] needs 24"]),
        (pa.array([b"x" * 24, None] * 6), ["6 images are null"]),
        (pa.array(["text"] * 12), ["image is string", "fixed_size_binary"]),
    ],
)
def test_images_that_are_not_their_shape_are_named(
    folder: Path, write_split: Write, images: pa.Array, words: list[str]
) -> None:
    for split in ("train", "validation", "test"):
        write_split(folder / f"{split}.parquet", columns={"image": images})
    with pytest.raises(DataError) as error:
        describe_data({"path": str(folder)})
    assert str(error.value).startswith(str(folder / "train.parquet"))
    assert all(word in str(error.value) for word in [*words, "fix: "]), error.value


def test_a_split_of_another_shape_is_named(folder: Path, write_split: Write) -> None:
    write_split(folder / "test.parquet", metadata={"shape": "[6, 4]"})
    with pytest.raises(DataError, match=r"test\.parquet: metadata differ"):
        describe_data({"path": str(folder)})


def test_a_split_that_is_missing_is_held_out_of_training(folder: Path) -> None:
    (folder / "validation.parquet").unlink()
    description = describe_data({"path": str(folder)})
    assert (description.train, description.validation, description.test) == (27, 3, 12)
    assert description.digest != describe_data({"path": str(folder), "split_seed": 1}).digest


def test_splits_chosen_otherwise_have_another_digest(folder: Path) -> None:
    chosen = [
        {},
        {"validation": 0.2},
        {"validation": 0.3},
        {"train": "test", "test": "train"},
        {"train": "train", "validation": "validation", "test": "test"},
    ]
    found = [describe_data({"path": str(folder), "splits": splits}).digest for splits in chosen]
    assert len(set(found)) == 4 and found[0] == found[-1]


def test_a_damaged_file_is_named(folder: Path) -> None:
    (folder / "train.parquet").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(DataError, match=r"train\.parquet: not a readable parquet file"):
        describe_data({"path": str(folder)})

"""Wrong images are refused before any training, with their file, the problem and the fix."""

import shutil
from collections.abc import Callable
from pathlib import Path

import datasets
import numpy as np
import pytest
from PIL import Image

from models.catalog import DataError, describe_data
from tests.support.pictures import picture, write_classes, write_splits

Spoil = Callable[[Path], object]


def emptied(folder: Path) -> None:
    for file in folder.rglob("*.png"):
        file.unlink()


def cut_off(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-30])


def moved_up(root: Path) -> None:
    for file in sorted(root.rglob("*.png")):
        file.rename(file.parents[1] / f"{file.parent.name}-{file.name}")
    for split in ("train", "validation", "test"):
        for name in ("cat", "dog"):
            (root / split / name).rmdir()


def with_metadata(text: str) -> Spoil:
    def spoil(root: Path) -> None:
        shutil.rmtree(root)
        write_classes(root, 6)
        (root / "metadata.csv").write_text(text)

    return spoil


def rows(values: str) -> str:
    return "\n".join(f"cat/00{n}.png,{value}" for n, value in enumerate(values.split()))


@pytest.mark.parametrize(
    ("spoil", "settings", "words"),
    [
        (lambda root: shutil.rmtree(root), {}, ["pets: no such file"]),
        (
            lambda root: (shutil.rmtree(root), write_classes(root, 1)), {},
            ["too few examples to hold out test and validation: 2 to train on", "give more"],
        ),
        (emptied, {}, ["pets: an empty folder", "a folder a class"]),
        (lambda root: cut_off(root / "train/cat/003.png"), {}, ["train/cat/003.png: a damaged"]),
        (lambda root: (root / "test/dog/001.png").write_bytes(b""), {}, ["001.png: an empty file"]),
        (
            lambda root: (root / "test/dog/001.png").write_text("<html>404</html>"),
            {},
            ["test/dog/001.png: no picture", "unknown format"],
        ),
        (
            lambda root: (root / "test/dog/001.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"x" * 40),
            {},
            ["test/dog/001.png: no picture"],
        ),
        (
            lambda root: Image.fromarray(np.ones((4, 6), np.float32)).save(root / "test/cat/9.tif"),
            {},
            ["test/cat/9.tif: pixels are floats", "16 bits"],
        ),
        (
            lambda root: Image.fromarray(np.full((4, 6), 70000, np.int32)).save(
                root / "test/cat/9.tif"
            ),
            {},
            ["test/cat/9.tif: pixels are 70000 to 70000", "16 bits"],
        ),
        (
            lambda root: picture(0, (5, 5)).save(root / "test/cat/9.png"),
            {},
            ["pets: the pictures have different sizes", "24 of 4x6, 1 of 5x5", "image_size"],
        ),
        (
            lambda root: (root / "train/cow").symlink_to(root / "train/cat"),
            {},
            ["train/cow: a link to a folder", "fix: link each file"],
        ),
        (lambda root: (root / "train/cow").mkdir(), {}, ["train/cow: a class without pictures"]),
        (lambda root: emptied(root / "train/dog"), {}, ["train/dog: a class without pictures"]),
        (lambda root: shutil.rmtree(root / "train/dog"), {}, ["train: every example is 'cat'"]),
        (lambda root: emptied(root / "test"), {}, ["pets/test: a split without pictures"]),
        (lambda root: (root / "extra").mkdir(), {}, ["pets/extra: a split without pictures"]),
        (
            lambda root: (root / "test/cat").rename(root / "test/cats"),
            {},
            ["pets, test: 'cats' is not in the training split"],
        ),
        (moved_up, {}, ["test/cat-000.png", "without a class", "metadata.csv"]),
        (lambda root: picture(0).save(root / "logo.png"), {}, ["logo.png: a picture without"]),
        (
            lambda root: (root / "train/cat/old").mkdir() or picture(0).save(
                root / "train/cat/old/1.png"
            ),
            {},
            ["pets: pictures are nested", "cat/old/1.png"],
        ),
        (
            lambda root: emptied(root) or (root / "train/a.dcm").write_bytes(b"x"),
            {},
            ["pets: neither pictures nor tables (.dcm)"],
        ),
        (
            lambda root: emptied(root / "validation/cat") or emptied(root / "validation/dog")
            or picture(77).save(root / "validation/dog/0.png"),
            {},
            ["pets: the validation split has 1 examples"],
        ),
        (lambda root: (root / "train").rename(root / "a"), {}, ["no training split"]),
        (lambda root: None, {"splits": {"test": "tset"}}, ["'tset'", "'validation'"]),
        (lambda root: None, {"label_column": "breed"}, ["no column 'breed'", "'label'"]),
        (lambda root: None, {"image_column": "label"}, ["'label' is", "no pictures"]),
        (lambda root: None, {"group_column": "owner"}, ["no column 'owner'", "group_column"]),
        (lambda root: None, {"text_column": "a"}, ["text_column means nothing for images"]),
        (with_metadata("file_name,label\n" + rows("a b a")), {}, ["pets, train: every example is"]),
        (with_metadata("file_name,kind\n" + rows("a b a b")), {}, ["no column 'label'", "'kind'"]),
        (with_metadata("file,label\n" + rows("a b a b")), {}, ["file_name", "metadata"]),
        (with_metadata("file_name,label\nmissing.png,a\n"), {}, ["missing.png"]),
        (
            with_metadata("file_name,label\n../../secret.png,a\n"),
            {},
            ["secret.png"],
        ),
        (
            with_metadata("file_name,label\n" + rows("a b a b a") + "\ncat/005.png,\n"),
            {},
            ["pets, train, row 5: the label is missing"],
        ),
        (with_metadata("file_name,label\n" + rows("1.5 0 1")), {}, ["label is 1.5"]),
    ],
)  # fmt: skip
def test_wrong_pictures_are_named_with_problem_and_fix(
    tmp_path: Path, spoil: Spoil, settings: dict, words: list[str]
) -> None:
    root = write_splits(tmp_path / "pets")
    spoil(root)
    with pytest.raises(DataError) as error:
        describe_data({"path": str(root), **settings})
    assert all(word in str(error.value) for word in [*words, "fix: "]), error.value


IMAGES = np.random.default_rng(0).integers(0, 256, (30, 4, 4), dtype=np.uint8)
Y = np.arange(30) % 2


@pytest.mark.parametrize(
    ("arrays", "settings", "words"),
    [
        ({"pixels": IMAGES, "labels": Y}, {}, ["no array one of images, x", "'pixels']"]),
        ({"images": IMAGES}, {}, ["no array one of labels, y", "label_column"]),
        ({"images": IMAGES, "labels": Y}, {"image_column": "x"}, ["no array 'x'"]),
        ({"images": IMAGES, "labels": Y[:29]}, {}, ["labels: 29 values for 30 images"]),
        ({"images": IMAGES, "labels": np.eye(2)[Y]}, {}, ["labels: shape is (30, 2)", "argmax"]),
        ({"images": IMAGES, "labels": Y / 2}, {}, ["labels: values are float64"]),
        (
            {"x_train": IMAGES, "y_train": Y, "x_test": IMAGES, "y_test": Y * 0 - 1},
            {},
            ["pets.npz, test, row 0: label is -1, a hidden label"],
        ),
        ({"images": IMAGES, "labels": Y * 0}, {}, ["train: every example is '0'"]),
        ({"images": IMAGES, "labels": np.arange(30)}, {}, ["examples of 30 classes"]),
        ({"images": IMAGES.reshape(30, 16), "labels": Y}, {}, ["images: shape is (30, 16)"]),
        ({"images": np.zeros((30, 8, 8, 9), np.uint8), "labels": Y}, {}, ["(30, 8, 8, 9)"]),
        ({"images": IMAGES[:0], "labels": Y[:0]}, {}, ["images: empty"]),
        ({"images": IMAGES.astype(int), "labels": Y}, {}, ["pixels are int64", "uint8"]),
        ({"images": IMAGES * 1.0, "labels": Y}, {}, ["images: pixels are 0 to 255", "divide"]),
        ({"images": IMAGES / 127.5 - 1, "labels": Y}, {}, ["pixels are -1 to 1", "normalisation"]),
        ({"images": IMAGES * np.nan, "labels": Y}, {}, ["images: pixels are nan", "replace"]),
        ({"images": IMAGES.astype(object), "labels": Y}, {}, ["cannot be read", "no objects"]),
        (
            {"x_train": IMAGES, "y_train": Y, "x_test": IMAGES},
            {},
            ["no array 'y' for the split 'test'"],
        ),
        (
            {"x_train": IMAGES, "y_train": Y, "x_test": IMAGES[:, :3], "y_test": Y},
            {},
            ["test: images are 1x3x4 uint8", "train are 1x4x4 uint8"],
        ),
        ({"images": IMAGES, "labels": Y}, {"group_column": "who"}, ["no array 'who'"]),
        (
            {"images": IMAGES, "labels": Y, "who": Y * 0},
            {"group_column": "who"},
            ["one group", "group_column"],
        ),
        (
            {"images": IMAGES, "labels": np.arange(30) // 3, "who": np.arange(30) // 2},
            {"group_column": "who"},
            ["pets.npz: its groups cannot be divided", "remove group_column"],
        ),
        ({"images": IMAGES, "labels": Y}, {"splits": {"test": "hard"}}, ["'hard'", "['train']"]),
        (
            {"images": IMAGES, "labels": Y, "label_names": np.array(["a"])},
            {},
            ["row 1: label is 1, but there are 1 label names"],
        ),
    ],
)  # fmt: skip
def test_wrong_archives_are_named_with_problem_and_fix(
    tmp_path: Path, arrays: dict, settings: dict, words: list[str]
) -> None:
    np.savez(tmp_path / "pets.npz", **arrays)
    with pytest.raises(DataError) as error:
        describe_data({"path": str(tmp_path / "pets.npz"), **settings})
    assert "pets.npz" in str(error.value)
    assert all(word in str(error.value) for word in [*words, "fix: "]), error.value


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut off"])
def test_a_file_that_is_no_archive_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "pets.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"pets\.npz: cannot be read \(.+\); fix: "):
        describe_data({"path": str(tmp_path / "pets.npz")})


def encoded(number: int) -> bytes:
    from io import BytesIO

    stream = BytesIO()
    picture(number).save(stream, "PNG")
    return stream.getvalue()


GOOD = [{"bytes": encoded(number), "path": f"{number}.png"} for number in range(20)]
TWO = [0, 1] * 10


@pytest.mark.parametrize(
    ("columns", "settings", "words"),
    [
        ({"text": ["a"] * 20, "label": TWO}, {}, ["0 columns of pictures", "another kind"]),
        ({"a": GOOD, "b": GOOD, "label": TWO}, {}, ["2 columns of pictures", "image_column"]),
        ({"image": GOOD, "kind": TWO}, {}, ["no column 'label'", "label_column"]),
        ({"image": [None, *GOOD[1:]], "label": TWO}, {}, ["row 0: the picture is missing"]),
        (
            {"image": [{"bytes": None, "path": "/etc/passwd"}, *GOOD[1:]], "label": TWO},
            {},
            ["row 0: only the path /etc/passwd", "to_parquet"],
        ),
        (
            {"image": [{"bytes": b"GIF", "path": "a.gif"}, *GOOD[1:]], "label": TWO},
            {},
            ["row 0 (a.gif): no picture"],
        ),
        ({"image": [b"", *(each["bytes"] for each in GOOD[1:])], "label": TWO}, {}, ["row 0: an"]),
        ({"image": GOOD, "label": [None, *TWO[1:]]}, {}, ["row 0: the label is missing"]),
        ({"image": GOOD, "label": TWO, "who": [None] + ["a"] * 19}, {"group_column": "who"},
         ["row 0: the group is missing"]),
        ({"image": GOOD, "label": TWO, "who": [1.0] * 19 + [float("nan")]}, {"group_column": "who"},
         ["row 19: the group is missing"]),
        ({"image": GOOD, "label": [[each] for each in TWO]}, {},
         ["row 0: label is [0], a list", "label_column"]),
        ({"image": GOOD, "label": TWO}, {"splits": {"test": 0.6, "validation": 0.4}}, ["shares"]),
    ],
)  # fmt: skip
def test_wrong_tables_are_named_with_problem_and_fix(
    tmp_path: Path, columns: dict, settings: dict, words: list[str]
) -> None:
    path = tmp_path / "pets.parquet"
    datasets.Dataset.from_dict(columns).to_parquet(path)
    with pytest.raises(DataError) as error:
        describe_data({"path": str(path), **settings})
    assert "pets.parquet" in str(error.value)
    assert all(word in str(error.value) for word in [*words, "fix: "]), error.value


def test_a_single_array_is_no_archive(tmp_path: Path) -> None:
    with (tmp_path / "pets.npz").open("wb") as file:
        np.save(file, IMAGES)
    with pytest.raises(DataError, match=r"pets\.npz: a single array; fix: .*np\.savez"):
        describe_data({"path": str(tmp_path / "pets.npz")})


def test_a_cache_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "taken").write_text("")
    monkeypatch.setattr("models.data.tables.CACHE", tmp_path / "taken" / "data")
    root = write_classes(tmp_path / "pets", 20)
    with pytest.raises(DataError, match=r"taken/data: the cache of data.*fix: set XDG_CACHE_HOME"):
        describe_data({"path": str(root)})

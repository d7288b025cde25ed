"""Images of every format of files become the same arrays, labels and digest."""

import socket
from collections.abc import Callable
from pathlib import Path

import datasets
import numpy as np
import pytest
from PIL import Image

from models.catalog import describe_data
from models.data.loading import load_images
from tests.support.pictures import COUNTS, pixels, write_classes, write_splits

LABELS = {split: np.repeat([0, 1], count) for split, count in COUNTS.items()}


def write_npz(path: Path, root: Path, pattern: str, **others: np.ndarray) -> Path:
    """Writes the pictures of a folder as an archive; `pattern` has the places of split and name."""
    arrays = {}
    for split, labels in LABELS.items():
        arrays[pattern.format(split, "x")] = pixels(root, split)
        arrays[pattern.format(split, "y")] = labels
    np.savez(path, **arrays, **others)
    return path


def write_parquet(folder: Path, root: Path, keeps_types: bool = True) -> Path:
    """Writes the pictures as `datasets` writes them for the hub."""
    folder.mkdir()
    for split in COUNTS:
        files = sorted((root / split).rglob("*.png"))
        rows = {"image": [{"bytes": f.read_bytes(), "path": f.name} for f in files]}
        rows["label"] = LABELS[split].tolist()
        kinds = datasets.Features(
            image=datasets.Image(), label=datasets.ClassLabel(names=["cat", "dog"])
        )
        table = datasets.Dataset.from_dict(rows, features=kinds if keeps_types else None)
        if keeps_types:
            table.to_parquet(folder / f"{split}.parquet")
        else:
            import pyarrow.parquet as pq

            plain = table.with_format("arrow")[:].replace_schema_metadata(None)
            pq.write_table(plain, folder / f"{split}.parquet")
    return folder


def test_a_folder_of_splits_and_classes_is_read(tmp_path: Path) -> None:
    root = write_splits(tmp_path / "pets")
    description = describe_data({"path": str(root)})
    assert (description.name, description.kind, description.classes) == ("pets", "files", 2)
    assert (description.shape, description.warnings) == ((1, 4, 6), ())
    assert (description.train, description.validation, description.test) == (12, 6, 6)
    data = load_images({"path": str(root)})
    assert data.label_names == ("cat", "dog") and data.scale == 255.0
    assert np.array_equal(data.train_images[:, 0], pixels(root, "train"))
    assert np.array_equal(data.test_labels, LABELS["test"])


def test_every_format_of_the_same_pixels_has_the_same_digest(tmp_path: Path) -> None:
    root = write_splits(tmp_path / "pets", mode="RGB")
    names = np.array(["cat", "dog"])
    sources = [
        root,
        write_parquet(tmp_path / "hub", root),
        write_npz(tmp_path / "keras.npz", root, "{1}_{0}", label_names=names),
        write_npz(tmp_path / "medmnist.npz", root, "{0}_{1}", class_names=names),
    ]
    descriptions = [describe_data({"path": str(source)}) for source in sources]
    assert {each.digest for each in descriptions} == {descriptions[0].digest}
    assert {each.shape for each in descriptions} == {(3, 4, 6)}
    loaded = [load_images({"path": str(source)}) for source in sources]
    for data in loaded[1:]:
        assert np.array_equal(data.validation_images, loaded[0].validation_images)
    # The names of classes belong to the digest: those that `datasets` states are gone here.
    plain = describe_data({"path": str(write_parquet(tmp_path / "plain", root, False))})
    assert plain.shape == (3, 4, 6) and plain.digest != descriptions[0].digest


@pytest.mark.parametrize("change", ["pixel", "label", "name"])
def test_the_digest_follows_pixels_labels_and_names(tmp_path: Path, change: str) -> None:
    root = write_splits(tmp_path / "pets")
    before = describe_data({"path": str(root)}).digest
    if change == "pixel":
        shown = np.asarray(Image.open(root / "test/dog/000.png")).copy()
        shown[3, 5] ^= 1
        Image.fromarray(shown).save(root / "test/dog/000.png")
    elif change == "label":
        (root / "train/cat/005.png").rename(root / "train/dog/000-again.png")
    else:
        for split in COUNTS:
            (root / split / "cat").rename(root / split / "cow")
    assert describe_data({"path": str(root)}).digest != before


def test_classes_without_splits_are_split_by_the_seed(tmp_path: Path) -> None:
    root = write_classes(tmp_path / "pets", 20)
    first = load_images({"path": str(root)})
    counts = [len(first.train_labels), len(first.validation_labels), len(first.test_labels)]
    assert counts == [24, 8, 8]
    assert np.bincount(first.test_labels).tolist() == [4, 4]
    digests = {describe_data({"path": str(root), "split_seed": seed}).digest for seed in (0, 0, 1)}
    assert len(digests) == 2
    shares = {"validation": 0.5, "test": 0.25}
    found = describe_data({"path": str(root), "splits": shares})
    assert (found.train, found.validation, found.test) == (10, 20, 10)


def test_names_of_folders_and_files_are_no_splits_by_accident(tmp_path: Path) -> None:
    root = tmp_path / "odd [x]*"
    for index, name in enumerate(("train", "test", "bus")):
        write_classes(tmp_path / "made" / name, 10, start=100 * index)
        (root / name).mkdir(parents=True)
        for number, file in enumerate(sorted((tmp_path / "made" / name).rglob("*.png"))):
            file.rename(root / name / f"valid-{number}.png")
    assert load_images({"path": str(root)}).label_names == ("bus", "test", "train")


def test_a_folder_may_be_named_in_any_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_splits(tmp_path / "pets")
    (tmp_path / "link").symlink_to(tmp_path / "pets")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    ways = ["../pets", "../link", str(tmp_path / "pets") + "/", f"{tmp_path}/here/../pets"]
    assert len({describe_data({"path": way}).digest for way in ways}) == 1


def test_splits_of_any_name_are_chosen_by_a_setting(tmp_path: Path) -> None:
    root = write_splits(tmp_path / "pets")
    (root / "train").rename(root / "fold-1")
    (root / "validation").rename(root / "fold 2")
    chosen = {"train": "fold-1", "validation": "fold 2"}
    found = describe_data({"path": str(root), "splits": chosen})
    assert (found.train, found.validation, found.test) == (12, 6, 6)


@pytest.mark.parametrize("in_splits", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_metadata_name_labels_and_groups(tmp_path: Path, in_splits: bool) -> None:
    root = tmp_path / "scans"
    for split in COUNTS if in_splits else [""]:
        folder = root / split
        lines = ["file_name,finding,patient"]
        write_classes(folder, 12, start=50 * len(split))
        for number, file in enumerate(sorted(folder.rglob("*.png"))):
            file.rename(folder / f"{number}.png")
            lines.append(f"{number}.png,{'ill' if number % 3 else 'well'},{split}{number // 4}")
        for name in ("cat", "dog"):
            (folder / name).rmdir()
        (folder / "metadata.csv").write_text("\n".join(lines))
    settings = {"path": str(root), "label_column": "finding", "group_column": "patient"}
    data = load_images(settings)
    assert data.label_names == ("ill", "well") and describe_data(settings).warnings == ()
    if not in_splits:
        whole = {image.tobytes(): n // 4 for n, image in enumerate(
            np.asarray(Image.open(root / f"{n}.png")) for n in range(24))}  # fmt: skip
        splits = (data.train_images, data.validation_images, data.test_images)
        groups = [{whole[image.tobytes()] for image in images} for images in splits]
        assert not (groups[0] & groups[1] or groups[0] & groups[2] or groups[1] & groups[2])


def test_pictures_that_no_metadata_list_are_said(tmp_path: Path) -> None:
    root = write_classes(tmp_path / "pets", 10)
    files = sorted(root.rglob("*.png"))[1:]
    lines = [f"{file.relative_to(root)},{file.parent.name}" for file in files]
    (root / "metadata.csv").write_text("\n".join(["file_name,label", *lines]))
    description = describe_data({"path": str(root)})
    assert description.train + description.validation + description.test == 19
    (warning,) = description.warnings
    assert "pictures that no metadata list and that are not read: 1; fix" in warning


def test_one_of_several_columns_is_chosen_in_a_table(tmp_path: Path) -> None:
    root = write_splits(tmp_path / "pets")
    files = sorted((root / "train").rglob("*.png"))
    columns = {
        "front": [{"bytes": file.read_bytes(), "path": None} for file in files],
        "back": [file.read_bytes() for file in reversed(files)],  # plain bytes, too
        "label": ["cat", "dog"] * 6,
        "indoors": [True, False] * 6,
    }
    path = tmp_path / "views.parquet"
    datasets.Dataset.from_dict(columns).to_parquet(path)
    settings = {"path": str(path), "splits": {"validation": 0.25, "test": 0.25}}
    assert load_images(settings).label_names == ("cat", "dog")  # the only column of that type
    other = load_images({**settings, "image_column": "back", "label_column": "indoors"})
    assert other.label_names == ("false", "true")


@pytest.mark.parametrize(
    ("shape", "found"),
    [((5, 7), (1, 5, 7)), ((5, 7, 1), (1, 5, 7)), ((5, 7, 3), (3, 5, 7)), ((3, 5, 7), (3, 5, 7))],
)
def test_layouts_of_an_archive_become_channels_first(
    tmp_path: Path, shape: tuple[int, ...], found: tuple[int, ...]
) -> None:
    images = np.random.default_rng(0).integers(0, 256, (30, *shape), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", images=images, labels=np.arange(30)[:, None] % 3)
    data = load_images({"path": str(tmp_path / "a.npz"), "splits": {"test": 0.1}})
    assert data.train_images.shape[1:] == found and data.label_names == ("0", "1", "2")
    kept = {image.tobytes() for image in images}
    moved = np.moveaxis(data.train_images, 1, -1) if shape[-1] in (1, 3) else data.train_images
    assert all(np.ascontiguousarray(image).tobytes() in kept for image in moved)


def test_columns_of_an_archive_may_be_named_and_grouped(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, 3, 3), dtype=np.uint8)
    np.savez(
        tmp_path / "a.npz", faces=images, who=np.array(["ann", "bob"] * 20), room=np.arange(40) // 4
    )
    columns = {"image_column": "faces", "label_column": "who", "group_column": "room"}
    data = load_images({"path": str(tmp_path / "a.npz"), **columns})
    room = {image.tobytes(): number // 4 for number, image in enumerate(images)}
    train = {room[image.tobytes()] for image in data.train_images}
    assert data.label_names == ("ann", "bob")
    assert not train & {room[image.tobytes()] for image in data.test_images}


def test_floats_become_whole_numbers_of_eight_bits_or_of_sixteen(tmp_path: Path) -> None:
    whole = np.random.default_rng(0).integers(0, 256, (30, 4, 4), dtype=np.uint8)
    labels = np.arange(30) % 2
    np.savez(tmp_path / "whole.npz", images=whole, labels=labels)
    np.savez(tmp_path / "float.npz", images=whole.astype(np.float32) / 255, labels=labels)
    digests = {
        describe_data({"path": str(tmp_path / f"{name}.npz")}).digest for name in ("whole", "float")
    }
    assert len(digests) == 1
    fine = np.random.default_rng(0).random((30, 4, 4))
    np.savez(tmp_path / "fine.npz", images=fine, labels=labels)
    data = load_images({"path": str(tmp_path / "fine.npz")})
    assert data.scale == 65535.0 and data.train_images.dtype == np.int32
    every = np.concatenate([data.train_images, data.validation_images, data.test_images])
    # Rounding moves a value by at most half a step.
    assert np.allclose(np.sort(every.ravel() / 65535), np.sort(fine.ravel()), atol=0.5 / 65535)


def test_what_is_suspicious_is_said_with_its_fix(tmp_path: Path) -> None:
    root = write_splits(tmp_path / "pets")
    (root / "train/notes.txt").write_text("of 2024")
    (root / "train/cat/.DS_Store").write_text("junk")
    (root / "train/dog/100.png").write_bytes((root / "train/cat/000.png").read_bytes())
    (root / "test/dog/100.png").write_bytes((root / "train/dog/001.png").read_bytes())
    for file in (root / "validation/dog").iterdir():
        file.unlink()
    warnings = "\n".join(describe_data({"path": str(root)}).warnings)
    for words in (
        "not read (1 .txt); fix",
        "train: images that repeat the pixels of another: 1 of 13, with another label: 1; fix",
        "test: images that are also in train: 1 of 7",
        "validation: no example of 'dog'",
    ):
        assert words in warnings


def test_splits_that_are_not_used_and_dark_pixels_are_said(tmp_path: Path) -> None:
    root = write_splits(tmp_path / "pets")
    write_classes(root / "extra", 2, start=9000)
    assert "splits that are not used: extra; fix" in describe_data({"path": str(root)}).warnings[0]
    images = np.random.default_rng(0).integers(0, 4096, (30, 4, 4), dtype=np.uint16)
    np.savez(tmp_path / "dark.npz", images=images, labels=np.arange(30) % 2)
    (warning,) = describe_data({"path": str(tmp_path / "dark.npz")}).warnings
    assert f"no pixel is above {images.max()}, of 65535 in uint16" in warning


def test_groups_that_the_source_divides_are_said(tmp_path: Path) -> None:
    arrays = {}
    for index, split in enumerate(("train", "val", "test")):
        rng = np.random.default_rng(index)
        arrays[f"{split}_images"] = rng.integers(0, 256, (8, 4, 4), dtype=np.uint8)
        arrays[f"{split}_labels"] = np.arange(8) % 2
        arrays[f"{split}_patient"] = np.arange(8) + 6 * index
    np.savez(tmp_path / "a.npz", **arrays)
    found = describe_data({"path": str(tmp_path / "a.npz"), "group_column": "patient"})
    assert any("validation: groups that are also in train: 2" in each for each in found.warnings)
    assert not any("test: " in each for each in found.warnings)


@pytest.mark.parametrize("wrap", [lambda each: [each], lambda each: {"id": each}])
def test_groups_in_lists_and_mappings_stay_together(
    tmp_path: Path, wrap: Callable[[int], object]
) -> None:
    root = write_classes(tmp_path / "pets", 12)
    files = sorted(root.rglob("*.png"))
    rows = {
        "image": [{"bytes": file.read_bytes(), "path": None} for file in files],
        "label": [0, 1] * 12,
        "patient": [wrap(row // 4) for row in range(24)],
    }
    datasets.Dataset.from_dict(rows).to_parquet(tmp_path / "pets.parquet")
    data = load_images({"path": str(tmp_path / "pets.parquet"), "group_column": "patient"})
    whole = {np.asarray(Image.open(file)).tobytes(): row // 4 for row, file in enumerate(files)}
    splits = (data.train_images, data.validation_images, data.test_images)
    groups = [{whole[image.tobytes()] for image in images} for images in splits]
    assert sum(map(len, groups)) == len(set.union(*groups)) == 6


def test_files_of_this_machine_need_no_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect(*arguments: object) -> None:
        raise AssertionError(f"a connection to {arguments[1:]}")

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", connect)
    root = write_splits(tmp_path / "pets")
    for source in (root, write_parquet(tmp_path / "hub", root)):
        assert describe_data({"path": str(source)}).train == 12


def test_classes_that_differ_only_in_case_are_named(tmp_path: Path) -> None:
    root = write_classes(tmp_path / "pets", 20)
    write_classes(tmp_path / "more", 20, start=100)
    (tmp_path / "more" / "cat").rename(root / "Cat")
    (warning,) = describe_data({"path": str(root)}).warnings
    assert "classes differ only in case or blanks ('Cat', 'cat'); fix: write those" in warning

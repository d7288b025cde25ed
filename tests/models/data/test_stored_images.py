"""Decoded pixels are kept on this machine, once, and nothing kept is trusted."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from models.catalog import describe_data
from models.data import pictures, stored_images, tables
from models.data.loading import load_images
from tests.support.pictures import pixels, write_splits


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tables, "CACHE", tmp_path / "cache")
    return tmp_path / "cache"


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that were decoded, in any order."""
    found: list[str] = []
    decode = pictures._decode

    def counted(picture: Path, place: str, *form: int) -> object:
        found.append(place)
        return decode(picture, place, *form)

    monkeypatch.setattr(pictures, "_decode", counted)
    return found


def test_pictures_are_decoded_once_for_describing_and_loading(
    tmp_path: Path, cache: Path, decoded: list[str]
) -> None:
    root = write_splits(tmp_path / "pets")
    first = describe_data({"path": str(root)})
    assert len(decoded) == 24
    data = load_images({"path": str(root), "train_examples": 6})
    assert describe_data({"path": str(root)}) == first and len(decoded) == 24
    assert np.array_equal(data.test_images[:, 0], pixels(root, "test"))
    # The settings of the selection do not decide about pixels; a column does.
    swapped = {"train": "test", "test": "train"}
    describe_data({"path": str(root), "split_seed": 3, "splits": swapped})
    assert len(decoded) == 24
    describe_data({"path": str(root), "label_column": "label"})
    assert len(decoded) == 48


def test_changed_files_are_read_again_and_their_old_pixels_removed(
    tmp_path: Path, cache: Path
) -> None:
    root = write_splits(tmp_path / "pets")
    before = describe_data({"path": str(root)}).digest
    (root / "train/cat/000.png").write_bytes((root / "test/cat/000.png").read_bytes())
    assert describe_data({"path": str(root)}).digest != before
    assert len(list((cache / "pixels").iterdir())) == 1


@pytest.mark.parametrize("keep", [0, 100, 0.5, 0.99])
def test_a_damaged_file_of_the_cache_is_made_again(
    tmp_path: Path, cache: Path, decoded: list[str], keep: float
) -> None:
    root = write_splits(tmp_path / "pets")
    first = describe_data({"path": str(root)})
    (kept,) = (cache / "pixels").iterdir()
    whole = kept.read_bytes()
    kept.write_bytes(whole[: int(keep * len(whole)) if keep < 1 else int(keep)])
    assert describe_data({"path": str(root)}) == first and len(decoded) == 48
    assert kept.read_bytes() == whole


def test_pixels_that_changed_in_the_cache_are_not_used(tmp_path: Path, cache: Path) -> None:
    root = write_splits(tmp_path / "pets")
    describe_data({"path": str(root)})
    (kept,) = (cache / "pixels").iterdir()
    image = pixels(root, "train")[3].tobytes()
    assert image in kept.read_bytes()
    kept.write_bytes(kept.read_bytes().replace(image, b"\0" * len(image)))
    found = load_images({"path": str(root)}).train_images
    assert np.array_equal(found[:, 0], pixels(root, "train"))


def test_a_pickle_in_the_cache_is_not_loaded(tmp_path: Path, cache: Path) -> None:
    root = write_splits(tmp_path / "pets")
    first = describe_data({"path": str(root)})
    (kept,) = (cache / "pixels").iterdir()
    np.savez(kept, known=np.array([{"name": "pets"}], object))
    assert describe_data({"path": str(root)}) == first


def test_without_a_place_for_the_cache_pictures_are_read_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise PermissionError("no")

    monkeypatch.setattr(stored_images, "_keep", refuse)
    root = write_splits(tmp_path / "pets")
    found = load_images({"path": str(root)}).train_images
    assert np.array_equal(found[:, 0], pixels(root, "train"))


def test_several_readers_at_once_do_not_hurt_each_other(tmp_path: Path, cache: Path) -> None:
    root = write_splits(tmp_path / "pets")
    describe_data({"path": str(root)})
    (kept,) = (cache / "pixels").iterdir()
    stored = stored_images._opened(kept, dict)  # type: ignore[arg-type]

    def use(number: int) -> int:
        if number % 2:
            stored_images._keep(kept, stored)
        return int(sum(images.sum() for images in stored.read().values()))

    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(use, range(40)))) == 1
    assert list((cache / "pixels").iterdir()) == [kept]

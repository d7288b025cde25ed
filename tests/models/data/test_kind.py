"""The kind of data that a source holds, if nobody says it."""

from pathlib import Path

import datasets
import pytest

from models.data.kind import guess_kind
from models.data.sources import DataError
from tests.support.pictures import write_classes
from tests.support.text_folders import WriteText


@pytest.mark.parametrize("kind", ["classification", "entities", "dialogue"])
def test_texts_are_known_by_their_columns(tmp_path: Path, write_text: WriteText, kind: str) -> None:
    assert guess_kind({"path": str(write_text(tmp_path / "texts", kind))}) == kind


def test_images_are_known_by_their_pictures_pixels_or_arrays(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "a.npz").touch()
    for source in (folder, write_classes(tmp_path / "pets", 3), tmp_path / "a.npz"):
        assert guess_kind({"path": str(source)}) == "images"


def test_conversations_are_dialogues_and_settings_may_say_more(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "Who?"}]
    path = tmp_path / "a.parquet"
    datasets.Dataset.from_dict({"messages": [turns] * 4}).to_parquet(path)
    assert guess_kind({"path": str(path)}) == "dialogue"
    assert guess_kind({"path": str(path), "image_size": 8}) == "images"
    datasets.Dataset.from_dict({"chat": [turns] * 4, "label": ["a"] * 4}).to_parquet(path)
    assert guess_kind({"path": str(path)}) == "dialogue"
    assert guess_kind({"targets": {"it": "folder"}}) == "classification"


def test_columns_of_words_and_tags_are_entities_unless_there_are_pictures(tmp_path: Path) -> None:
    (tmp_path / "words").mkdir()
    (tmp_path / "words/train.txt").write_text("In O\nParis B-place\n")
    assert guess_kind({"path": str(tmp_path / "words")}) == "entities"
    assert guess_kind({"path": str(tmp_path / "words/train.txt")}) == "entities"
    pets = write_classes(tmp_path / "pets", 3)
    (pets / "notes.txt").write_text("of 2024")
    assert guess_kind({"path": str(pets)}) == "images"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"path": {"x": 1}}, "path is {'x': 1}; fix: give text"),
        ({"path": 3, "text_column": "review"}, "path is 3; fix: give text"),
        ({"hub": "a", "path": "b"}, "sources .*fix: give one of"),
        ({"path": "a", "kind": "pictures"}, "kind is 'pictures'; fix: choose one of images, "),
        ({"path": "a", "kind": ["images"]}, "kind is .*fix: choose one of images, "),
    ],
)
def test_wrong_settings_are_named_before_anything_is_opened(settings: dict, words: str) -> None:
    with pytest.raises(DataError, match=words):
        guess_kind(settings)

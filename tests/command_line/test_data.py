"""`twentieth data`: what is understood of a data set, in words, as JSON and as a picture."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from jsonschema import Draft202012Validator
from PIL import Image

from models.data import tables
from search.cli.contact_sheet import write_contact_sheet
from search.cli.documents import schema_of
from search.session import screen
from tests.support.commands import Said
from tests.support.pictures import write_classes, write_splits

Cli = Callable[..., Said]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "CACHE", tmp_path_factory.mktemp("cache"))
        yield


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(screen, "HAS_WIDTH", True)
    monkeypatch.setattr(screen.out, "_width", 80)
    return 80


def test_images_are_told_in_a_screen(cli: Cli, tmp_path: Path, narrow: int) -> None:
    root = write_splits(tmp_path / "pets")
    (root / "train/notes.txt").write_text("of 2024")
    said = cli("data", root, "--picture", tmp_path / "sheet.png")
    assert said.code == 0 and said.err == ""
    lines = said.out.splitlines()
    assert lines[0] == "pets: images, from files of this machine"
    assert "images    1x4x6 (channels x height x width), uint8, divided by 255" in lines
    assert "splits    12 train, 6 validation, 6 test" in lines
    assert any(line.split() == ["cat", "6", "3", "3"] for line in lines)
    assert "files next to the pictures are not read (1 .txt)" in " ".join(said.out.split())
    assert lines[-1] == f"picture   {tmp_path / 'sheet.png'}"
    # No path is broken, however long it is.
    assert all(len(line) <= narrow or str(tmp_path) in line for line in lines[:-1])


def test_the_document_keeps_to_its_schema(cli: Cli, tmp_path: Path) -> None:
    root = write_classes(tmp_path / "pets", 20)
    said = cli("data", root, "--set", "split_seed=3", "--set", "splits.test=5e-1", "--json",
               "--picture", tmp_path / "sheet.png")  # fmt: skip
    found = json.loads(said.out)
    Draft202012Validator(json.loads(schema_of("data"))).validate(found)
    assert found["splits"] == {"train": 16, "validation": 4, "test": 20}
    assert found["split_seed"] == 3 and found["classes"]["dog"]["test"] == 10
    assert found["kind"] == "images" and found["shape"] == [1, 4, 6]


def test_the_picture_has_examples_of_every_class(tmp_path: Path) -> None:
    images = np.zeros((30, 3, 8, 8), np.uint8)
    images[10:20, 0] = images[20:, 2] = 255
    write_contact_sheet(
        tmp_path / "new/sheet.png",
        images,
        np.repeat([0, 1, 2], 10),
        ["x" * 300, "red", "blue"],
        255,
    )
    sheet = np.asarray(Image.open(tmp_path / "new/sheet.png"))
    colours = {tuple(colour) for colour in sheet.reshape(-1, 3)}
    assert {(0, 0, 0), (255, 0, 0), (0, 0, 255), (255, 255, 255)} <= colours
    # Ten images of 64 pixels, enlarged eight times, with gaps.
    assert sheet.shape[1] == 10 * (64 + 6) + 6
    red = np.argwhere((sheet == (255, 0, 0)).all(axis=2))
    assert len(red) == 10 * 64 * 64


@pytest.mark.parametrize("kind", ["deep", "large", "odd"])
def test_the_picture_takes_images_of_any_form(tmp_path: Path, kind: str) -> None:
    shape = {"deep": (4, 1, 9, 7), "large": (4, 3, 300, 200), "odd": (4, 2, 5, 5)}[kind]
    scale = 65535 if kind == "deep" else 255
    images = np.full(shape, scale, np.int32 if kind == "deep" else np.uint8)
    path = tmp_path / "sheet.png"
    write_contact_sheet(path, images, np.array([0, 1, 0, 1]), ["a", "b"], scale)
    assert Image.open(path).size[0] <= 10 * (128 + 6) + 6


def test_texts_are_shown_by_their_class(cli: Cli, tmp_path: Path, narrow: int) -> None:
    folder = tmp_path / "reviews"
    folder.mkdir()
    for split in ("train", "validation", "test"):
        texts = [f"text {number} of {split} \x1b[31m {'very ' * 30}" for number in range(20)]
        table = pa.table({"text": texts, "label": [0, 1] * 10})
        named = table.replace_schema_metadata({"label_names": '["bad", "good"]'})
        pq.write_table(named, folder / f"{split}.parquet")
    said = cli("data", folder)
    assert said.code == 0 and "reviews: classification, from files of this machine" in said.out
    assert "good  text 1 of train" in said.out and "\x1b" not in said.out
    assert all(len(line) <= narrow for line in said.out.splitlines())


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("digits", "digits: images, from scikit-learn"),
        ("dialogue", "dialogue: dialogue, from this package"),
    ],
)
def test_embedded_data_are_shown(cli: Cli, tmp_path: Path, source: str, words: str) -> None:
    options_ = ["--picture", tmp_path / "sheet.png"] if source == "digits" else []
    assert words in cli("data", source, *options_).out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "nowhere: no such file or folder; fix: correct the path"),
        (["digits", "--set", "image_size"], "--set image_size: not KEY=VALUE"),
        (["digits", "--set", "splits=3", "--set", "splits.test=0.2"], "splits is 3, which has no"),
        (["digits", "--set", "name.x=1"], "name is digits, which has no keys; fix: leave out .x"),
        (["digits", "--set", "size=3"], "unknown key 'size'"),
        (["digits", "--set", "image_size=big"], "image_size is 'big'"),
        (["dialogue", "--picture", "a.png"], "--picture is of images"),
        (["digits", "--kind", "dialogue"], "no embedded data set 'digits'"),
    ],
)
def test_wrong_arguments_are_a_sentence(cli: Cli, arguments: list[str], words: str) -> None:
    said = cli("data", *arguments)
    assert said.code == 2 and words in " ".join(said.err.split())
    assert "Traceback" not in said.err

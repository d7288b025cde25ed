import json
from pathlib import Path

import pytest

from models.data.settings import DataSettings
from models.data.sources import DataError
from models.data.text.source import read_source
from models.data.text.splits import TextSource
from tests.support.text_folders import WriteText


def read(folder: Path) -> TextSource:
    return read_source(DataSettings(path=str(folder)), "classification")


def test_names_and_licence_are_in_the_metadata(tmp_path: Path, write_text: WriteText) -> None:
    features = {
        "text": {"dtype": "string", "_type": "Value"},
        "label": {"names": ["no", "yes"], "_type": "ClassLabel"},
    }
    metadata = {
        "label_names": None,
        "huggingface": json.dumps({"info": {"features": features}}),
        "licence": "© 1993, CC BY 4.0".encode("latin-1"),
    }
    source = read(write_text(tmp_path, "classification", metadata=metadata))
    assert source.label_names == ("no", "yes") and source.licence == "\ufffd 1993, CC BY 4.0"


def test_labels_name_themselves_without_metadata(tmp_path: Path, write_text: WriteText) -> None:
    source = read(write_text(tmp_path, "classification", metadata={"label_names": None}))
    assert source.label_names == ("0", "1") and source.licence == "not stated"


def test_names_are_those_of_all_parts_of_a_split(tmp_path: Path, write_text: WriteText) -> None:
    columns = {"text": [f"text {i}" for i in range(8)], "label": [0, 1] * 4}
    for name in ("part-0", "part-1"):
        write_text(tmp_path, "classification", name, columns=columns)
    assert read(tmp_path).label_names == ("up", "down")
    write_text(tmp_path, "classification", "part-2", metadata={"label_names": '["no", "yes"]'})
    with pytest.raises(DataError, match=r"train: its files state the label names .*fix: write"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({"label_names": "up, down"}, ["no class names", "JSON"]),
        ({"label_names": None, "huggingface": "[]"}, ["no class names", "ClassLabel"]),
        ({"label_names": '["up", "up"]'}, ["['up', 'up']", "different"]),
        ({"label_names": '["up"]'}, ["two or more"]),
        ({"label_names": '{"up": 0}'}, ["list two"]),
        ({"label_names": '["down", "up"]'}, ["['down', 'up']", "['up', 'down']", "same order"]),
        ({"label_names": None}, ["label names [] are not", "['up', 'down']"]),
    ],
)
def test_wrong_label_names_are_refused(
    tmp_path: Path, write_text: WriteText, metadata: dict, words: list[str]
) -> None:
    write_text(tmp_path, "classification")
    write_text(tmp_path, "classification", "validation", metadata=metadata)
    with pytest.raises(DataError) as error:
        read(tmp_path)
    assert str(tmp_path / "validation.parquet") in str(error.value)
    assert all(word in str(error.value) for word in words), error.value

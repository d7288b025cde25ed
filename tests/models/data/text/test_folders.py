import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from models.data.sources import DataError
from models.data.text.folders import read_folder, read_targets
from tests.support.text_folders import WriteText


def message(folder: Path, kind: str = "classification") -> str:
    with pytest.raises(DataError) as error:
        read_folder(str(folder), kind)
    return str(error.value)


@pytest.mark.parametrize("kind", ["classification", "entities", "dialogue"])
def test_a_correct_folder_comes_back_as_it_was_written(
    tmp_path: Path, write_text: WriteText, kind: str
) -> None:
    source = read_folder(str(write_text(tmp_path / "set", kind)), kind)
    rows = pq.read_table(tmp_path / "set" / "test.parquet").to_pylist()
    first = rows[0]
    expected = {
        "classification": ("good test",),
        "entities": ("Ada-test", "sings-test"),
        "dialogue": ("How are you? test", "Well. test"),
    }
    assert source.splits["test"].texts[0] == expected[kind]
    assert len(source.splits["test"]) == len(rows)
    labels = {"classification": 0, "entities": ("B-PER", "O"), "dialogue": None}
    assert source.splits["test"].labels[0] == labels[kind], first
    assert source.name == "set" and source.licence == "not stated"


def test_names_and_licence_stand_in_the_metadata(tmp_path: Path, write_text: WriteText) -> None:
    features = {"label": {"names": ["no", "yes"], "_type": "ClassLabel"}}
    metadata = {
        "label_names": None,
        "huggingface": json.dumps({"info": {"features": features}}),
        "licence": "CC BY 4.0",
    }
    source = read_folder(
        str(write_text(tmp_path, "classification", metadata=metadata)), "classification"
    )
    assert source.label_names == ("no", "yes") and source.licence == "CC BY 4.0"


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({"label_names": None}, ["lack label names", "'label_names'", "ClassLabel"]),
        ({"label_names": "up, down"}, ["no class names", "JSON"]),
        ({"label_names": None, "huggingface": "{}"}, ["no class names", "KeyError"]),
        ({"label_names": '["up", "up"]'}, ["['up', 'up']", "different"]),
        ({"label_names": '["up"]'}, ["two or more"]),
        ({"label_names": '{"up": 0}'}, ["list two"]),
        ({"label_names": '["down", "up"]'}, ["['down', 'up']", "['up', 'down']", "same order"]),
    ],
)
def test_wrong_label_names_are_refused(
    tmp_path: Path, write_text: WriteText, metadata: dict, words: list[str]
) -> None:
    write_text(tmp_path, "classification")
    text = message(write_text(tmp_path, "classification", "validation", metadata=metadata))
    assert text.startswith(str(tmp_path / "validation.parquet"))
    assert all(word in text for word in words), text


def test_a_wrong_row_is_named_with_its_file(tmp_path: Path, write_text: WriteText) -> None:
    write_text(tmp_path, "classification")
    columns = {"label": [0, 1, 0, 7]}
    text = message(write_text(tmp_path, "classification", "test", columns=columns))
    assert text.startswith(f"{tmp_path / 'test.parquet'}, row 3: label is 7")


def test_missing_and_damaged_parts_are_named(tmp_path: Path, write_text: WriteText) -> None:
    assert "nowhere: no such folder" in message(tmp_path / "nowhere")
    write_text(tmp_path, "classification")
    assert "train.parquet: no column ['tokens', 'tags']" in message(tmp_path, "entities")
    empty = {"text": [], "label": []}
    write_text(tmp_path, "classification", "test", columns=empty)
    assert "test.parquet: no rows" in message(tmp_path)
    (tmp_path / "test.parquet").write_bytes(b"PAR1 and then nothing")
    assert "test.parquet: not a readable parquet file" in message(tmp_path)
    (tmp_path / "test.parquet").unlink()
    assert "test.parquet: missing" in message(tmp_path)


def test_pairs_in_one_split_alone_are_refused(tmp_path: Path, write_text: WriteText) -> None:
    write_text(tmp_path, "classification")
    columns = {"text_pair": ["a", "b", "c", "d"]}
    write_text(tmp_path, "classification", "test", columns=columns)
    assert "'test': 2" in message(tmp_path) and "'text_pair'" in message(tmp_path)


def test_a_target_is_the_first_text_of_a_pair(tmp_path: Path, write_text: WriteText) -> None:
    folders = {
        target: str(write_text(tmp_path / target, "classification")) for target in ("sun", "rain")
    }
    source = read_targets(folders)
    assert source.name == "rain+sun"
    assert source.splits["train"].texts[0] == ("rain", "good train")
    assert source.splits["train"].texts[4] == ("sun", "good train")
    assert source.splits["train"].labels == (0, 1, 0, 1) * 2
    assert read_targets(dict(reversed(folders.items()))) == source


def test_targets_that_do_not_go_together_are_refused(tmp_path: Path, write_text: WriteText) -> None:
    names = {"label_names": '["no", "yes"]'}
    one = str(write_text(tmp_path / "one", "classification"))
    two = str(write_text(tmp_path / "two", "classification", metadata=names))
    pair = str(
        write_text(tmp_path / "three", "classification", columns={"text_pair": list("abcd")})
    )
    with pytest.raises(DataError, match=r"'rain' .*\['no', 'yes'\] are not those of 'fog'"):
        read_targets({"rain": two, "fog": one})
    with pytest.raises(DataError, match="three: has pairs already"):
        read_targets({"rain": pair})
    with pytest.raises(DataError, match="empty target"):
        read_targets({" ": one})
    for wrong in ({}, [one], one):
        with pytest.raises(DataError, match="give a mapping from targets to folders"):
            read_targets(wrong)


def test_a_file_is_read_once(
    tmp_path: Path, write_text: WriteText, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = str(write_text(tmp_path, "dialogue"))
    first = read_folder(folder, "dialogue")

    def again(*arguments: object, **keywords: object) -> None:
        raise AssertionError("read a second time")

    monkeypatch.setattr(pq, "read_table", again)
    assert read_folder(folder, "dialogue") == first

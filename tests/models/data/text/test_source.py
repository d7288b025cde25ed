import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.data.settings import DataSettings
from models.data.sources import DataError
from models.data.tables import open_tables
from models.data.text.selection import load_text
from models.data.text.source import read_source
from models.data.text.splits import TextSource
from tests.support.text_folders import WriteText

Rows = list[dict[str, Any]]
CLASSES = [{"text": f'text {i}, "é"', "label": "NA" if i % 3 else "none"} for i in range(30)]
TURNS = [
    {"role": "user", "content": "Who?"}, {"role": "assistant", "content": "Me."},
    {"role": "user", "content": "When?"}, {"role": "assistant", "content": "Now."},
]  # fmt: skip


def as_csv(path: Path, rows: Rows, separator: str = ",") -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=separator)
        writer.writeheader()
        writer.writerows(rows)
    return path


def as_tsv(path: Path, rows: Rows) -> Path:
    return as_csv(path, rows, "\t")


def as_lines(path: Path, rows: Rows) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def as_json(path: Path, rows: Rows) -> Path:
    path.write_text(json.dumps(rows), encoding="utf-8")
    return path


def as_parquet(path: Path, rows: Rows) -> Path:
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


WRITERS: dict[str, Callable[[Path, Rows], Path]] = {
    "csv": as_csv, "tsv": as_tsv, "jsonl": as_lines, "json": as_json, "parquet": as_parquet,
}  # fmt: skip


def read(path: Path, kind: str = "classification", **settings: Any) -> TextSource:
    return read_source(DataSettings(path=str(path), **settings), kind)


@pytest.mark.parametrize("kind", ["classification", "entities", "dialogue"])
def test_a_correct_folder_comes_back_as_it_was_written(
    tmp_path: Path, write_text: WriteText, kind: str
) -> None:
    source = read(write_text(tmp_path / "set", kind), kind)
    expected = {
        "classification": ("good test",),
        "entities": ("Ada-test", "sings-test"),
        "dialogue": ("How are you? test", "Well. test"),
    }
    assert source.splits["test"].texts[0] == expected[kind]
    assert len(source.splits["test"]) == pq.read_table(tmp_path / "set" / "test.parquet").num_rows
    labels = {"classification": 0, "entities": ("B-PER", "O"), "dialogue": None}
    assert source.splits["test"].labels[0] == labels[kind]
    assert source.name == "set" and source.licence == "not stated"


def test_the_same_rows_have_one_digest_in_every_format(tmp_path: Path) -> None:
    digests = set()
    for ending, write in WRITERS.items():
        data = load_text(
            {"path": str(write(tmp_path / f"all.{ending}", CLASSES))}, "classification"
        )
        digests.add(data.digest)
        # "NA" is a label, not a missing one.
        assert data.label_names == ("NA", "none") and data.name == "all"
    assert len(digests) == 1


def test_a_single_file_is_divided_by_the_seed_into_whole_classes(tmp_path: Path) -> None:
    path = as_csv(tmp_path / "all.csv", CLASSES)
    splits = read(path).splits
    assert {s: len(each) for s, each in splits.items()} == {
        "train": 18, "validation": 6, "test": 6,
    }  # fmt: skip
    assert [splits[s].labels.count(1) for s in ("train", "validation", "test")] == [6, 2, 2]
    texts = [text for each in splits.values() for text in each.texts]
    assert sorted(texts) == sorted((row["text"],) for row in CLASSES)
    assert read(path, split_seed=1).splits["test"] != splits["test"]


def test_splits_are_named_or_shares(tmp_path: Path) -> None:
    for name, part in (("train", CLASSES[:20]), ("dev", CLASSES[20:])):
        as_csv(tmp_path / f"{name}.csv", part)
    (tmp_path / "README.md").write_text("# Texts\n")
    sizes = {s: len(each) for s, each in read(tmp_path).splits.items()}
    assert sizes == {"train": 16, "validation": 10, "test": 4}
    sizes = {
        s: len(each) for s, each in read(tmp_path, splits={"test": "validation", "validation": 0.5})
        .splits.items()
    }  # fmt: skip
    assert sizes == {"train": 10, "validation": 10, "test": 10}


def test_columns_have_any_names(tmp_path: Path) -> None:
    rows = [{"a": f"one {i}", "b": f"two {i}", "c": i % 2, "d": "?"} for i in range(20)]
    path = as_lines(tmp_path / "all.jsonl", rows)
    names = {"text_column": "a", "pair_column": "b", "label_column": "c"}
    source = read(path, **names)
    first = source.splits["train"].texts[0]
    assert len(first) == 2 and first[0].startswith("one") and first[1].startswith("two")
    assert source.label_names == ("0", "1")
    dialogue = read(path, "dialogue", text_column="a", label_column="b")
    assert dialogue.splits["train"].texts[0][1].startswith("two")


def test_a_group_is_in_one_split(tmp_path: Path) -> None:
    rows = [{**row, "author": f"author {i // 3}"} for i, row in enumerate(CLASSES)]
    path = as_csv(tmp_path / "all.csv", rows)
    author = {row["text"]: row["author"] for row in rows}
    splits = read(path, group_column="author").splits
    found = [{author[text] for (text,) in each.texts} for each in splits.values()]
    assert sum(map(len, found)) == 10 and all(found)


def test_a_group_in_two_splits_of_the_source_is_a_warning(tmp_path: Path) -> None:
    rows = [{**row, "author": f"author {i % 15}"} for i, row in enumerate(CLASSES)]
    as_csv(tmp_path / "train.csv", rows[:20])
    as_csv(tmp_path / "test.csv", rows[20:])
    found, _ = read(tmp_path, group_column="author").warnings
    assert "groups of 'author' in train and in test: 10, e.g. 'author 10'" in found
    assert "fix: keep each in one split" in found


def test_a_missing_class_of_an_evaluated_split_is_a_warning(tmp_path: Path) -> None:
    for name, part in (("train", CLASSES[:10]), ("dev", CLASSES[10:20]), ("test", [CLASSES[1]])):
        as_csv(tmp_path / f"{name}.csv", part)
    (found,) = read(tmp_path).warnings
    assert "test: no example of 'none'" in found


@pytest.mark.parametrize(("write", "ending"), [(as_lines, "jsonl"), (as_parquet, "parquet")])
def test_the_turns_of_a_conversation_stay_together(
    tmp_path: Path, write: Callable[[Path, Rows], Path], ending: str
) -> None:
    rows = [{"messages": [{**turn, "content": f"{turn['content']} {i}"} for turn in TURNS]}
            for i in range(20)]  # fmt: skip
    path = write(tmp_path / f"all.{ending}", rows)
    splits = read(path, "dialogue").splits
    assert {s: len(each) for s, each in splits.items()} == {
        "train": 24, "validation": 8, "test": 8,
    }  # fmt: skip
    first, second = splits["test"].texts[:2]
    assert len(first) == 2 and second[:2] == first and len(second) == 4
    assert splits["test"].labels[0] == ("user", "assistant")


def test_messages_are_in_the_column_that_is_named(tmp_path: Path) -> None:
    path = as_lines(tmp_path / "all.jsonl", [{"chat": TURNS, "messages": "?"}] * 5)
    assert read(path, "dialogue", text_column="chat").splits["train"].texts[0] == ("Who?", "Me.")


def test_a_prompt_and_an_answer_come_before_messages(tmp_path: Path) -> None:
    rows = [{"prompt": f"a {i}", "answer": "b", "messages": TURNS} for i in range(5)]
    source = read(as_lines(tmp_path / "all.jsonl", rows), "dialogue")
    assert source.splits["train"].labels == (None,) * len(source.splits["train"])


@pytest.mark.parametrize("scheme", ["IOB1", "BIOES"])
def test_tags_of_other_schemes_are_read_as_iob2(tmp_path: Path, scheme: str) -> None:
    tags = {"IOB1": ["I-a", "I-a", "B-a"], "BIOES": ["B-a", "E-a", "S-a"]}[scheme]
    rows = [{"tokens": ["x", "y", str(i)], "tags": tags} for i in range(5)]
    for write, ending in ((as_lines, "jsonl"), (as_parquet, "parquet")):
        source = read(write(tmp_path / f"all.{ending}", rows), "entities")
        assert source.splits["test"].labels == (("B-a", "I-a", "B-a"),)
        assert f"the tags are {scheme} and are read as IOB2" in source.warnings[0]


def test_a_file_is_read_once(
    tmp_path: Path, write_text: WriteText, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_text(tmp_path, "dialogue")
    first = read(folder, "dialogue")

    def again(*arguments: object, **keywords: object) -> None:
        raise AssertionError("read a second time")

    monkeypatch.setattr(datasets, "load_dataset", again)
    # What is selected does not matter, only the state of the files.
    assert read(folder, "dialogue", train_examples=1, deduplicate=True) is first
    write_text(folder, "dialogue", "test")
    with pytest.raises(DataError, match="a second time"):
        read(folder, "dialogue")


def test_the_mark_that_a_windows_program_writes_is_no_part_of_a_name(tmp_path: Path) -> None:
    path = as_csv(tmp_path / "all.csv", CLASSES)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert len(read(path).splits["train"]) == 18


def test_minus_one_is_a_class_of_a_source_without_names(tmp_path: Path) -> None:
    rows = [{"text": f"text {i}", "label": i % 3 - 1} for i in range(30)]
    assert read(as_csv(tmp_path / "all.csv", rows)).label_names == ("-1", "0", "1")


@pytest.mark.parametrize("name", ["job%2Fbranch", "what?now", "[x]", "st*r"])
def test_a_file_is_read_in_a_folder_of_any_name(tmp_path: Path, name: str) -> None:
    for folder in (name, "star", "whatsnow", "x"):  # a pattern would match these, too
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "t.csv").write_text("text,label\n" + f"{folder},a\n" * 3)
    opened = open_tables(DataSettings(path=str(tmp_path / name / "t.csv")))
    assert opened.rows["train"]["text"] == [name] * 3


@pytest.mark.parametrize("name", ["what?now", "[x]", "st*r", "a::b"])
def test_a_folder_whose_name_is_a_pattern_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "t.csv").write_text("text,label\nhello,a\n")
    with pytest.raises(DataError, match=r"fix: rename"):
        open_tables(DataSettings(path=str(tmp_path / name)))

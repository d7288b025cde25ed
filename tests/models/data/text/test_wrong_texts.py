"""What goes wrong in files that people bring: each is refused with its place and a fix."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.catalog import DataError, describe_data

GOOD = "text,label\n" + "".join(f"text {i},{'ab'[i % 2]}\n" for i in range(20))
TABLES: dict[str, dict[str, list[Any]]] = {
    "float labels": {"text": list("abcd"), "label": [0.5, 1.0, 2.5, 1.5]},
    "no label": {"text": list("abcd"), "label": [0, 1, None, 1]},
    "NaN": {"text": list("abcd"), "label": [0.0, 1.0, float("nan"), 1.0]},
    "hidden": {"text": list("abcd"), "label": [-1] * 4},
    "lists": {"text": list("abcd"), "label": [["x"], ["y"], ["x", "y"], ["x"]]},
    "no text": {"text": ["a", None, "c", "d"], "label": [0, 1, 0, 1]},
    "numbers": {"text": [1, 2, 3, 4], "label": [0, 1, 0, 1]},
    "empty": {"text": pa.array([], pa.string()), "label": pa.array([], pa.int64())},
}
MESSAGES = '{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}'


def classes(**changes: object) -> dict[str, object]:
    return {"train.csv": GOOD, "test.csv": "text,label\nx,a\ny,b\n", **changes}


CASES: dict[str, tuple[str, dict[str, object], dict[str, Any], list[str]]] = {
    # name: kind, files, settings, words of the message
    "no such path": ("classification", {}, {"path": "nowhere"}, ["nowhere", "no such file"]),
    "an empty file": ("classification", {"a.csv": ""}, {}, ["a.csv: an empty file"]),
    "an unknown format": ("classification", {"a.xls": "?"}, {}, ["a.xls", "no format", ".jsonl"]),
    "an unknown format of entities": ("entities", {"a.xls": "?"}, {}, ["a.xls", ".conll"]),
    "two formats": ("classification", {"train.csv": GOOD, "test.parquet": "hidden"}, {},
                    ["file format", "in one format"]),
    "a header alone": ("classification", {"a.csv": "text,label\n"}, {}, ["a.csv", "at least one"]),
    "a semicolon": ("classification", {"a.csv": "text;label\nyes;a\nno;b\n"}, {},
                    ["a.csv: one column, 'text;label'", "';'", "by commas"]),
    "a semicolon, and commas in texts": (
        "classification", {"a.csv": "text;label\nwell, yes;a\nno;b\n"}, {},
        ["a.csv: one column, 'text;label'"]),
    "tabs in a CSV file": ("classification", {"a.csv": "text\tlabel\nyes\ta\n"}, {},
                           ["one column", "'\\t'", ".tsv"]),
    "commas in a TSV file": ("classification", {"a.tsv": "text,label\nyes,a\n"}, {},
                             ["one column, 'text,label'", "by tabs"]),
    "a comma in every text": ("classification", {"a.csv": "text,label\nwell, yes,a\nno, no,b\n"},
                              {}, ["a.csv: rows have more cells", "quotation marks"]),
    "a comma in one text": ("classification", {"a.csv": GOOD + "well, yes,a\n"}, {},
                            ["a.csv", "line 22", "quotation marks"]),
    "an open quotation mark": ("classification", {"a.csv": 'text,label\n"yes,a\nno,b\n'}, {},
                               ["a.csv", "EOF inside string", "close the quotation mark"]),
    "Latin-1": ("classification", {"a.csv": GOOD.replace("text 3", "é").encode("latin-1")}, {},
                ["a.csv, line 5: byte 0xe9 is not UTF-8", "save the file as UTF-8"]),
    "Latin-1 in JSON lines": (
        "classification", {"a.jsonl": b'{"text": "a", "label": 1}\n{"text": "\xe9", "label": 2}\n'},
        {}, ["a.jsonl, line 2: byte 0xe9 is not UTF-8", "save the file as UTF-8"]),
    "UTF-16": ("classification", {"a.csv": GOOD.encode("utf-16")}, {},
               ["a.csv, line 1: byte 0xff is not UTF-8"]),
    "no line of names": ("classification", {"a.csv": GOOD.partition("\n")[2]}, {},
                         ["a.csv: no column 'text'", "by its first line are ['text 0', 'a']",
                          "put a line of names above the rows"]),
    "broken JSON": ("classification", {"a.jsonl": '{"text": "a", "label": 1}\n{"text": '}, {},
                    ["a.jsonl", "JSON"]),
    "broken parquet": ("classification", {"a.parquet": "PAR1 and nothing"}, {},
                       ["a.parquet", "cannot be read", "write it again"]),
    "other columns in one split": (
        "classification", classes(**{"test.csv": "texts,label\nx,a\n"}), {},
        ["texts", "same columns"]),
    "another name of the text": (
        "classification", {"a.csv": GOOD.replace("text,", "Text,")}, {},
        ["a.csv: no column 'text'", "['Text', 'label']", "text_column: Text"]),
    "a column that is not near": (
        "classification", {"a.csv": GOOD.replace("text,label", "sentence,target")}, {},
        ["no column 'text'", "say in text_column which one it is, or put"]),
    "no label column": ("classification", {"a.csv": GOOD.replace("label", "x")}, {},
                        ["no column 'label' for classification", "label_column"]),
    "a misspelled setting": ("classification", {"a.csv": GOOD}, {"label_column": "lable"},
                             ["label_column is 'lable'", "did you mean 'label'?"]),
    "a column for two things": ("classification", {"a.csv": GOOD}, {"label_column": "text"},
                                ["'text', 'text'", "name each column once"]),
    "no such group": ("classification", {"a.csv": GOOD}, {"group_column": "labels"},
                      ["group_column is 'labels'", "did you mean 'label'?"]),
    "two groups": ("classification", {"a.csv": GOOD}, {"group_column": "label"},
                   ["a.csv: 2 groups of label for 3 splits", "give more"]),
    "two rows": ("classification", {"a.csv": "text,label\nx,a\ny,b\n"}, {},
                 ["a.csv: 2 rows for 3 splits"]),
    "a split that is not there": ("classification", classes(), {"splits": {"test": "final"}},
                                  ["splits.test is 'final'", "['test', 'train']"]),
    "no split for training": ("classification", {"dev.csv": GOOD, "test.csv": GOOD}, {},
                              ["no training split", "splits.train"]),
    "an empty text": ("classification", classes(**{"test.csv": "text,label\nx,a\n ,b\n"}), {},
                      ["test.csv, line 3: text is empty", "remove the row"]),
    "an empty label": ("classification", {"a.csv": GOOD + "x,\n"}, {},
                       ["a.csv, line 22: the label is missing"]),
    "several empty texts": (
        "classification", {"a.csv": 'text,label\n,b\n"x\ny",a\n\n,a\n' + " ,a\n" * 9}, {},
        ["a.csv, line 2: text is empty (''), and in line 6, line 7, line 8, line 9, line 10, "
         "line 11, line 12, line 13 and 2 more; fix: remove the row"]),
    "a missing group": ("ranking", {"a.csv": "text,label,user\na,1,x\nb,0,\nc,0, \n"},
                        {"group_column": "user"},
                        ["a.csv, line 3: user is missing, and in line 4; fix: remove the row"]),
    "one class": ("classification", {"a.csv": GOOD.replace(",b", ",a")}, {},
                  ["a, train: every example is 'a'", "two classes"]),
    "a class of the test split alone": (
        "classification", classes(**{"test.csv": "text,label\nx,c\n"}), {},
        ["test: 'c' is not in the training split", "training examples"]),
    "labels of two types": ("classification", {"a.jsonl":
                            '{"text": "a", "label": "x"}\n{"text": "b", "label": 3}\n'}, {},
                            ["a.jsonl, line 2: label is 3, not text", "in one way"]),
    "float labels": ("classification", {"a.parquet": "float labels"}, {},
                     ["a.parquet, row 0: label is 0.5", "regression is not supported"]),
    "a missing label": ("classification", {"a.parquet": "no label"}, {},
                        ["a.parquet, row 2: the label is missing"]),
    "NaN as a label": ("classification", {"a.parquet": "NaN"}, {}, ["a.parquet, row 0"]),
    "hidden labels": ("classification", {"a.parquet": "hidden"}, {}, ["row 0", "hidden"]),
    "several labels": ("classification", {"a.parquet": "lists"}, {},
                       ["row 0: label is ['x'], a list", "name another column in label_column"]),
    "a missing text": ("classification", {"a.parquet": "no text"}, {},
                       ["a.parquet, row 1: text is missing"]),
    "numbers as texts": ("classification", {"a.parquet": "numbers"}, {},
                         ["a.parquet, row 0: text is 1", "string"]),
    "a data set that save_to_disk wrote": (
        "classification", {"state.json": "{}", "dataset_info.json": "{}"}, {},
        ["`load_from_disk`", "to_parquet"]),
    "no rows": ("classification", {"a.parquet": "empty"}, {}, ["a.parquet"]),
    "too many training examples": ("classification", {"a.csv": GOOD}, {"train_examples": 99},
                                   ["train_examples is 99", "has 12"]),
    "words without tags": ("entities", {"a.jsonl": '{"tokens": ["a", "b"], "tags": ["O"]}\n'}, {},
                           ["a.jsonl, line 1: 2 words but 1 tags"]),
    "a string of words": ("entities", {"a.jsonl": '{"tokens": "a b", "tags": ["O"]}\n'}, {},
                          ["line 1: tokens is 'a b'", "list of strings"]),
    "a long value": ("classification", {"a.json": '{"text": ["' + "x" * 999 + '"], "label": "a"}'},
                     {}, ["row 0: text is ['xxx", "xxx...xxx", "']; fix: store a string"]),
    "numbers as tags": ("entities", {"a.jsonl": '{"tokens": ["a"], "tags": [3]}\n'}, {},
                        ["a.jsonl, line 1, word 0 ('a'): 3 is no tag"]),
    "a tag that does not follow": (
        "entities", {"a.jsonl": '{"tokens": ["a", "b", "c"], "tags": ["B-x", "O", "I-x"]}\n'}, {},
        ["a.jsonl, line 1, word 2 ('c')", "in IOB2", "write 'B-x'"]),
    "texts for entities": ("entities", {"a.csv": GOOD}, {}, ["no column 'tokens' for entities"]),
    "a pair of entities": ("entities", {"a.csv": GOOD}, {"pair_column": "text"},
                           ["pair_column means nothing for entities"]),
    "an answer that is empty": ("dialogue", {"a.csv": "prompt,answer\na,b\nc,\n"}, {},
                                ["a.csv, line 3: answer is empty"]),
    "an unknown role": ("dialogue", {"a.jsonl": MESSAGES.replace("user", "human")}, {},
                        ["a.jsonl, line 1, messages[0]: role is 'human'", "'user'"]),
    "answers in addition to messages": ("dialogue", {"a.jsonl": MESSAGES},
                                {"text_column": "messages", "label_column": "x"},
                                ["label_column means nothing for messages"]),
    "a label of a dialogue": ("dialogue", {"a.csv": GOOD}, {}, ["no column 'prompt'"]),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_wrong_texts_are_refused_with_their_place_and_a_fix(tmp_path: Path, case: str) -> None:
    kind, files, settings, words = CASES[case]
    for name, content in files.items():
        if str(content) in TABLES:
            pq.write_table(pa.table(TABLES[str(content)]), tmp_path / name)
        else:
            data = content if isinstance(content, bytes) else str(content).encode()
            (tmp_path / name).write_bytes(data)
    path = tmp_path / next(iter(files), "") if len(files) == 1 else tmp_path
    with pytest.raises(DataError) as error:
        describe_data({"path": str(path), **settings}, kind)
    text = str(error.value)
    assert all(word in text for word in [*words, "fix: "]), text


def test_a_misspelled_path_is_answered_with_the_nearest_name(tmp_path: Path) -> None:
    (tmp_path / "reviews.csv").write_text(GOOD)
    with pytest.raises(DataError, match=r"revews\.csv: no such file .* mean 'reviews\.csv'\?$"):
        describe_data({"path": str(tmp_path / "revews.csv")}, "classification")

from collections.abc import Iterator
from typing import Any

import datasets
import pytest
from datasets import ClassLabel, Dataset, Features, List, Value

from models.catalog import DataError, describe_data
from models.data import tables
from models.data.loading import load_data
from models.data.text import source

CLASSES = Features({"text": Value("string"), "label": ClassLabel(names=["cat", "dog"])})
TAGS = ClassLabel(names=["O", "B-x", "I-x"])


def texts(count: int, start: int = 0, **more: list[Any]) -> Dataset:
    numbers = range(start, start + count)
    columns = {"text": [f"text {i}" for i in numbers], "label": [i % 2 for i in numbers]}
    features = CLASSES | {name: Value("string") for name in more}
    return Dataset.from_dict(columns | more, features=Features(features))


def tagged(tokens: list[Any], tags: list[Any], *, numbered: bool = False) -> Dataset:
    kind = TAGS if numbered else Value("string")
    features = Features({"tokens": List(Value("string")), "tags": List(kind)})
    return Dataset.from_dict({"tokens": tokens, "tags": tags}, features=features)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Dataset]]:
    """The hub is not reachable from the tests: `pets` has the splits of this dictionary."""
    found = {"train": texts(40), "test": texts(6, 40)}

    def load_dataset(path: str, name: str | None, revision: str | None, **_: str) -> dict:
        if path != "pets":
            raise ConnectionError(f"cannot reach the hub for {path}")
        found.setdefault("asked", (name, revision))  # type: ignore[arg-type]
        return {split: rows for split, rows in found.items() if split != "asked"}

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    monkeypatch.setattr(tables, "_answers", lambda name: True)
    forget()
    yield found
    forget()


def forget() -> None:
    tables._open_hub.cache_clear()
    source._read.cache_clear()


def test_texts_and_the_names_of_their_classes_are_read(hub: dict) -> None:
    data = load_data({"hub": "pets"}, "classification")
    assert data.label_names == ("cat", "dog") and data.licence == "not stated"
    assert data.test.texts[1] == ("text 41",) and data.test.labels == (0, 1) * 3
    # A tenth of each class stands in for validation.
    assert (len(data.train), len(data.validation)) == (36, 4)
    assert sorted(data.validation.labels) == [0, 0, 1, 1]
    assert not set(data.train.texts) & set(data.validation.texts)
    description = describe_data({"hub": "pets", "split_seed": 1}, "classification")
    assert description.digest != data.digest


def test_a_subset_and_a_revision_of_the_hub_are_asked_for(hub: dict) -> None:
    description = describe_data({"hub": "pets@v2", "subset": "small"}, "classification")
    assert hub["asked"] == ("small", "v2") and description.name == "pets"


def test_a_single_split_of_the_hub_is_divided(hub: dict) -> None:
    del hub["test"]
    data = load_data({"hub": "pets"}, "classification")
    assert (len(data.train), len(data.validation), len(data.test)) == (24, 8, 8)


def test_a_pair_of_the_hub_is_two_texts(hub: dict) -> None:
    for split, count in (("train", 20), ("validation", 4), ("test", 4)):
        hub[split] = texts(count, text_pair=["b"] * count)
    assert load_data({"hub": "pets"}, "classification").train.texts[0] == ("text 0", "b")


def test_tags_of_the_hub_may_be_strings_or_numbers(hub: dict) -> None:
    tokens = [["New", "York"], ["is"]] * 10
    strings = tagged(tokens, [["B-x", "I-x"], ["O"]] * 10)
    numbers = tagged(tokens, [[1, 2], [0]] * 10, numbered=True)
    for split in (strings, numbers):
        forget()
        hub.update(train=split, validation=split, test=split)
        data = load_data({"hub": "pets"}, "entities")
        assert data.label_names == ("O", "B-x", "I-x")
        assert data.train.labels[:2] == ((1, 2), (0,))
    for tags, problem in ([-1], "row 0, word 0 .*-1 is no tag"), (None, "row 0: tags is None; fix"):
        forget()
        hub["test"] = tagged([["a"]], [tags], numbered=True)
        with pytest.raises(DataError, match=f"test, {problem}"):
            load_data({"hub": "pets"}, "entities")


def test_dialogues_come_without_labels(hub: dict) -> None:
    split = Dataset.from_dict({"prompt": ["Who?", "When?"], "answer": ["Me.", "Now."]})
    hub.update(train=split, validation=split, test=split)
    assert load_data({"hub": "pets"}, "dialogue").test.texts == (("Who?", "Me."), ("When?", "Now."))


def test_conversations_of_the_hub_are_read(hub: dict) -> None:
    turns = [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "Me."}]
    hub["train"] = hub["test"] = Dataset.from_dict({"messages": [turns] * 10})
    data = load_data({"hub": "pets"}, "dialogue")
    assert data.train.texts[0] == ("Who?", "Me.")
    assert data.train.labels[0] == ("user", "assistant")


@pytest.mark.parametrize(
    ("split", "words"),
    [
        (Dataset.from_dict({"tokens": [["a"]]}), ["'pets', test", "'text'", "['tokens']"]),
        (Dataset.from_dict({"text": ["a"], "label": [-1]}, features=CLASSES),
         ["'pets', test, row 0", "hidden"]),
        (Dataset.from_dict({"text": [""], "label": [0]}, features=CLASSES),
         ["'pets', test, row 0", "empty"]),
        (texts(4, text_pair=["b"] * 4), ["'pets', test: columns", "give all splits the same"]),
        (Dataset.from_dict({"text": ["a"], "label": [0]}, features=Features(
            CLASSES | {"label": ClassLabel(names=["x", "y"])})),
         [r"test: label names ['x', 'y'] are not those of train"]),
    ],
)  # fmt: skip
def test_wrong_texts_of_the_hub_are_named(hub: dict, split: Dataset, words: list[str]) -> None:
    hub["test"] = split
    with pytest.raises(DataError) as error:
        describe_data({"hub": "pets"}, "classification")
    assert all(word in str(error.value) for word in [*words, "fix: "]), error.value


def test_a_hub_out_of_reach_is_named(hub: dict) -> None:
    with pytest.raises(DataError, match=r"'birds'.*cannot reach.*give a path"):
        describe_data({"hub": "birds"}, "classification")

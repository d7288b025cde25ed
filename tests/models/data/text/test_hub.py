import sys
import types
from typing import ClassVar

import pytest

from models.catalog import DataError, describe_data
from models.data.hub import _load
from models.data.loading import load_data


class ClassLabel:
    names = ("cat", "dog")


class Strings:
    pass


class Tags:
    feature = ClassLabel


class Texts(dict):
    """A split of texts: its columns, and features by their names."""

    @property
    def features(self) -> dict:
        kinds = {"label": ClassLabel, "tags": Tags if self.get("numbered") else Strings}
        return {name: kinds.get(name, Strings)() for name in self if name != "numbered"}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> dict:
    """A stand-in for the package `datasets`: the hub is not reachable from the tests."""
    found: dict = {}

    def load_dataset(name: str) -> dict:
        if name != "pets":
            raise ConnectionError(f"cannot reach the hub for {name}")
        return found

    module = types.ModuleType("datasets")
    module.load_dataset = load_dataset  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "datasets", module)
    _load.cache_clear()
    yield found
    _load.cache_clear()


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    _load.cache_clear()
    with pytest.raises(DataError, match=r"'datasets' is missing.*pip install"):
        describe_data({"hub": "pets"}, "classification")


def texts(count: int, start: int = 0) -> Texts:
    numbers = range(start, start + count)
    return Texts(text=[f"text {i}" for i in numbers], label=[i % 2 for i in numbers])


def test_texts_and_the_names_of_their_classes_are_read(hub: dict) -> None:
    hub.update(train=texts(40), test=texts(6, 40))
    data = load_data({"hub": "pets"}, "classification")
    assert data.label_names == ("cat", "dog") and data.licence == "not stated"
    assert data.test.texts[1] == ("text 41",) and data.test.labels == (0, 1) * 3
    # A tenth of each class stands in for validation.
    assert (len(data.train), len(data.validation)) == (36, 4)
    assert sorted(data.validation.labels) == [0, 0, 1, 1]
    assert not set(data.train.texts) & set(data.validation.texts)
    description = describe_data({"hub": "pets", "split_seed": 1}, "classification")
    assert description.digest != data.digest


def test_a_pair_of_the_hub_is_two_texts(hub: dict) -> None:
    for split, count in (("train", 20), ("validation", 4), ("test", 4)):
        hub[split] = Texts({**texts(count), "text_pair": ["b"] * count})
    assert load_data({"hub": "pets"}, "classification").train.texts[0] == ("text 0", "b")


def test_tags_of_the_hub_may_be_strings_or_numbers(
    hub: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ClassLabel, "names", ("O", "B-x", "I-x"))
    tokens = [["New", "York"], ["is"]] * 10
    strings = Texts(tokens=tokens, tags=[["B-x", "I-x"], ["O"]] * 10)
    numbers = Texts(tokens=tokens, tags=[[1, 2], [0]] * 10, numbered=True)
    for split in (strings, numbers):
        _load.cache_clear()
        hub.update(train=split, validation=split, test=split)
        data = load_data({"hub": "pets"}, "entities")
        assert data.label_names == ("O", "B-x", "I-x")
        assert data.train.labels[:2] == ((1, 2), (0,))
    _load.cache_clear()
    hub["test"] = Texts(tokens=[["a"]], tags=[[-1]], numbered=True)
    with pytest.raises(DataError, match=r"test, row 0, word 0 .*-1 is no tag"):
        load_data({"hub": "pets"}, "entities")


def test_dialogues_come_without_labels(hub: dict) -> None:
    split = Texts(prompt=["Who?", "When?"], answer=["Me.", "Now."])
    hub.update(train=split, validation=split, test=split)
    assert load_data({"hub": "pets"}, "dialogue").test.texts == (("Who?", "Me."), ("When?", "Now."))


@pytest.mark.parametrize(
    ("kind", "split", "words"),
    [
        ("entities", texts(4), ["'pets', test", "tokens", "['text', 'label']"]),
        ("classification", Texts(text=["a"], label=[-1]), ["'pets', test, row 0", "hidden"]),
        ("classification", Texts(text=[""], label=[0]), ["'pets', test, row 0", "empty"]),
        ("classification", Texts(text=["a"], label=[5]), ["label is 5", "['cat', 'dog']"]),
    ],
)
def test_wrong_texts_of_the_hub_are_named(
    hub: dict, kind: str, split: Texts, words: list[str]
) -> None:
    tagged = Texts(tokens=[["a"]], tags=[["B-x"]])
    for name in ("train", "validation"):
        hub[name] = tagged if kind == "entities" else texts(8)
    hub["test"] = split
    with pytest.raises(DataError) as error:
        describe_data({"hub": "pets"}, kind)
    assert all(word in str(error.value) for word in words), error.value


def test_label_names_must_be_there_and_agree(hub: dict) -> None:
    class Other(Texts):
        features: ClassVar[dict] = {"text": Strings(), "label": types.SimpleNamespace(names=["x"])}

    hub.update(train=texts(8), validation=texts(4), test=Other(texts(4)))
    with pytest.raises(DataError, match=r"test: label names \['x'\] are not those of train"):
        describe_data({"hub": "pets"}, "classification")
    _load.cache_clear()
    hub["train"] = Other(texts(8))
    with pytest.raises(DataError, match="label has no names"):
        describe_data({"hub": "pets"}, "classification")

"""The validation split of texts is cut as that of images, whatever the labels are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.data.sources import DataError
from models.data.text.splits import TextExamples
from models.data.text.validation_parts import validation_parts
from models.data.validation_split import cut

PARTS = ("selection", "objective", "confirmation")


def examples(labels: list, groups: list[str] | None = None) -> TextExamples:
    texts = tuple((f"text {number}",) for number in range(len(labels)))
    return TextExamples(texts, tuple(labels), None if groups is None else tuple(groups))


def texts_of(parts: dict[str, TextExamples]) -> list[tuple[str, ...]]:
    return [text for name in PARTS for text in parts[name].texts]


@given(st.lists(st.integers(0, 4), min_size=3, max_size=60), st.integers(0, 3))
def test_classes_are_cut_exactly_as_those_of_images(labels: list[int], seed: int) -> None:
    found = validation_parts(examples(labels), "classification", seed)
    expected = cut(np.array(labels, dtype=np.int64), seed)
    for name in PARTS:
        assert found[name] == examples(labels).take(getattr(expected, name))


@pytest.mark.parametrize("kind", ["classification", "entities", "dialogue"])
def test_every_example_is_in_one_part(kind: str) -> None:
    labels = {"classification": [0, 1] * 10, "entities": [(0, 1), (0, 0)] * 10,
              "dialogue": [None] * 20}[kind]  # fmt: skip
    parts = validation_parts(examples(labels), kind, seed=0)
    assert sorted(texts_of(parts)) == sorted(examples(labels).texts)
    assert [len(parts[name]) for name in PARTS] == [5, 10, 5]


def test_every_part_has_sentences_of_a_rare_entity_type() -> None:
    # 4 of 80 sentences have an entity of the second type (tags 3 and 4), each with a common one.
    labels = [(1, 2, 3, 4) if number < 4 else (1, 0, 0, 0) for number in range(80)]
    for seed in range(10):
        parts = validation_parts(examples(labels), "entities", seed)
        counts = [sum(3 in tags for tags in parts[name].labels) for name in PARTS]
        assert counts == [1, 2, 1], seed


def test_a_group_is_in_one_part() -> None:
    labels = [number % 2 for number in range(60)]
    groups = [f"document {number // 5}" for number in range(60)]
    parts = validation_parts(examples(labels, groups), "classification", seed=0)
    found = [set(parts[name].groups) for name in PARTS]
    assert not (found[0] & found[1] or found[0] & found[2] or found[1] & found[2])
    # Twelve documents: a quarter, a half and a quarter.
    assert [len(each) for each in found] == [3, 6, 3]
    again = validation_parts(examples(labels, groups), "classification", seed=0)
    assert again == parts


def test_too_few_examples_or_groups_are_refused() -> None:
    with pytest.raises(DataError, match=r"has 2 examples.*at least 3"):
        validation_parts(examples([0, 1]), "classification", 0)
    with pytest.raises(DataError, match=r"has 2 groups \(documents, conversations\).*at least 3"):
        validation_parts(examples([0, 1] * 5, ["a", "b"] * 5), "classification", 0)
    with pytest.raises(DataError, match=r"cannot be cut into three parts.*fix: give more groups"):
        validation_parts(examples([0, 1, 2, 3], list("abcd")), "classification", 0)

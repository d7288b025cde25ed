"""A source must not be trained on the evaluation splits of a target."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from models.weights.overlap import image_keys, overlap, overlap_of, text_keys


def texts(kind: str, train: Any, validation: Any = (), test: Any = ()) -> Any:
    splits = {"train": train, "validation": validation, "test": test}
    return SimpleNamespace(
        kind=kind, **{name: SimpleNamespace(texts=tuple(each)) for name, each in splits.items()}
    )


def images(train: Any, validation: Any, test: Any) -> Any:
    return SimpleNamespace(train_images=train, validation_images=validation, test_images=test)


def test_texts_are_the_same_whatever_their_case_and_spaces() -> None:
    first, second = text_keys([("Straße  NACH\tRom",), ("strasse nach rom ",)], "classification")
    assert first == second


def test_words_of_a_sentence_are_joined() -> None:
    words, text = (
        text_keys([("Ada", "Lovelace", "wrote")], "entities"),
        text_keys([("ada lovelace wrote",)], "classification"),
    )
    assert words == text


def test_a_pair_is_recognised_as_a_whole() -> None:
    pairs = text_keys([("atheism", "a tweet"), ("atheism", "another")], "classification")
    assert not pairs[0] & pairs[1]
    assert text_keys([("a b", "c")], "classification") != text_keys(
        [("a", "b c")], "classification"
    )


def test_a_dialogue_is_recognised_by_its_prompt() -> None:
    first, second = text_keys([("Who?", "Me."), ("who? ", "You.")], "dialogue")
    assert first == second


def test_overlap_is_found_in_both_judging_splits_and_counted() -> None:
    source = texts("classification", [("One",), ("two",), ("three",)])
    target = texts("classification", [("four",)], [("five",), ("ONE ",)], [("two",), ("six",)])
    found = overlap_of([source], target)
    assert (found.validation, found.test) == ((1,), (0,))
    assert (found.count, found.known, found.compared) == (2, 0, 3)
    assert found.shown == ("ONE ", "two")


def test_what_the_target_itself_trains_on_is_no_news() -> None:
    source = texts("classification", [("one",)])
    target = texts("classification", [("one",)], [("one",)], [("two",)])
    found = overlap_of([source], target)
    assert (found.count, found.known) == (0, 1)


def test_single_texts_are_found_inside_pairs() -> None:
    source = texts("classification", [("a tweet",)])
    target = texts("classification", [("x", "y")], [("atheism", "A tweet")])
    assert overlap_of([source], target).validation == (0,)


def test_every_ancestor_of_a_source_is_compared() -> None:
    target = texts("entities", [("x",)], [("Ada", "wrote")])
    parent, grandparent = texts("entities", [("y",)]), texts("entities", [("ada", "wrote")])
    assert overlap_of([parent], target).count == 0
    assert overlap_of([parent, grandparent], target).count == 1


def test_images_are_the_same_if_all_pixels_are() -> None:
    some = np.arange(24, dtype=np.uint8).reshape(2, 1, 3, 4)
    other = some.copy()
    other[1, 0, 0, 0] += 1
    assert image_keys(some)[0] == image_keys(other)[0]
    assert image_keys(some)[1] != image_keys(other)[1]
    assert image_keys(some.reshape(2, 1, 4, 3))[0] != image_keys(some)[0]
    found = overlap_of([images(some, some[:0], some[:0])], images(some[:0], other, some[1:]))
    assert (found.validation, found.test, found.compared) == ((0,), (0,), 2)


def test_images_and_texts_cannot_be_compared() -> None:
    empty = np.zeros((0, 1, 2, 2), np.uint8)
    with pytest.raises(ValueError, match="one kind"):
        overlap_of([texts("entities", [])], images(empty, empty, empty))


def test_the_record_is_plain_data() -> None:
    record = overlap([{b"a"}], {"train": [], "validation": [{b"a"}], "test": []}).record()
    assert record["count"] == 1 and record["validation"] == (0,)

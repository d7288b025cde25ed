from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.data.sources import DataError
from models.data.text.rows import checked_examples


def message(kind: str, names: tuple[str, ...] = ("up", "down"), **columns: list[Any]) -> str:
    with pytest.raises(DataError) as error:
        checked_examples("some.parquet", kind, columns, names)
    return str(error.value)


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        (["I-PER", "O"], ["row 1, word 0 ('Ada')", "'I-PER' follows 'O'", "write 'B-PER'"]),
        (["B-LOC", "I-PER"], ["word 1", "'I-PER' follows 'B-LOC'"]),
        (["S-PER", "O"], ["word 0", "'S-PER'", "B-TYPE"]),
        (["O", "PER"], ["word 1 ('sings')", "'PER'"]),
        (["B-", "O"], ["'B-'"]),
        (["O", ""], ["''"]),
        (["O", None], ["None"]),
        (["O", 3], ["3", "IOB2"]),
        (["O"], ["2 words but 1 tags", "exactly one"]),
        ("OO", ["'OO'", "list"]),
    ],
)
def test_tags_that_are_no_iob2_are_named_with_row_and_word(tags: Any, words: list[str]) -> None:
    tokens = [["Oslo"], ["Ada", "sings"]]
    text = message("entities", tokens=tokens, tags=[["B-LOC"], tags])
    assert text.startswith("some.parquet, row 1")
    assert all(word in text for word in words), text


def test_sentences_without_words_and_empty_words_are_refused() -> None:
    assert "row 1: a sentence without words" in message(
        "entities", tokens=[["a"], []], tags=[["O"], []]
    )
    assert "row 0, word 1: token is empty (' ')" in message(
        "entities", tokens=[["a", " "]], tags=[["O", "O"]]
    )


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([0, 2], ["row 1: label is 2", "2 label names (0..1)", "['up', 'down']"]),
        ([0, -1], ["hidden", "with labels"]),
        ([0, -2], ["label is -2"]),
        ([0, None], ["None", "whole number"]),
        (["up", "down"], ["row 0: label is 'up'", "int64"]),
        ([0, True], ["True"]),
    ],
)
def test_labels_that_do_not_match_the_names_are_refused(labels: Any, words: list[str]) -> None:
    text = message("classification", text=["a", "b"], label=labels)
    assert all(word in text for word in words), text


def test_empty_texts_are_refused_in_every_column() -> None:
    both = {"text": ["a", "b"], "label": [0, 1]}
    assert "row 1: text is empty (' \\n')" in message(
        "classification", text=["a", " \n"], label=[0, 1]
    )
    assert "row 0: text_pair is empty" in message("classification", **both, text_pair=["", "c"])
    assert "row 0: text is None; fix: store a string" in message(
        "classification", text=[None, "b"], label=[0, 1]
    )
    assert "row 0: answer is empty" in message("dialogue", prompt=["a"], answer=[""])
    assert "row 0: prompt is 3" in message("dialogue", prompt=[3], answer=["b"])


def test_missing_columns_are_named_beside_those_that_are_there() -> None:
    text = message("entities", text=["a"], label=[0])
    assert "no column ['tokens', 'tags'] for entities; there are ['text', 'label']" in text
    assert "no rows" in message("dialogue", prompt=[], answer=[])


def test_pairs_keep_their_order() -> None:
    columns = {"label": [1, 0], "text_pair": ["c", "d"], "text": ["a", "b"]}
    examples = checked_examples("f", "classification", columns, ("up", "down"))
    assert examples.texts == (("a", "c"), ("b", "d")) and examples.labels == (1, 0)


TAG = st.sampled_from(["O", "B-a", "I-a", "B-b", "I-b"])


@given(st.lists(TAG, min_size=1, max_size=12))
def test_exactly_the_sequences_that_seqeval_reads_unchanged_pass(tags: list[str]) -> None:
    scheme = pytest.importorskip("seqeval.scheme")
    # An independent reference: strict IOB2 drops what is no entity, so writing the entities that
    # it found out again gives back the tags exactly if they were IOB2.
    found = ["O"] * len(tags)
    for entity in scheme.Entities([tags], scheme.IOB2).entities[0]:
        found[entity.start] = f"B-{entity.tag}"
        inside = range(entity.start + 1, entity.end)
        for index in inside:
            found[index] = f"I-{entity.tag}"
    columns = {"tokens": [["w"] * len(tags)], "tags": [tags]}
    if found == tags:
        assert checked_examples("f", "entities", columns).labels == (tuple(tags),)
    else:
        assert "in IOB2 an entity starts with B-" in message("entities", **columns)

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.data.sources import DataError
from models.data.text.tag_schemes import to_iob2


def converted(*sentences: list[Any]) -> tuple[list[list[str]], str]:
    tags, scheme = to_iob2({"train": sentences}, where)
    return [list(each) for each in tags["train"]], scheme


def where(split: str, row: int, word: int) -> str:
    return f"{split}, row {row}, word {word}"


def message(*sentences: list[Any]) -> str:
    with pytest.raises(DataError) as error:
        converted(*sentences)
    return str(error.value)


def spans(tags: list[str]) -> list[tuple[int, int]]:
    """Start and end of every entity in IOB2, by the definition."""
    starts = [index for index, tag in enumerate(tags) if tag[0] == "B"]
    found = []
    for start in starts:
        end = start + 1
        while end < len(tags) and tags[end] == f"I-{tags[start][2:]}":
            end += 1
        found.append((start, end))
    return found


def as_iob1(tags: list[str]) -> list[str]:
    written = list(tags)
    for start, _ in spans(tags):
        if not (start and tags[start - 1][2:] == tags[start][2:]):
            written[start] = f"I-{tags[start][2:]}"
    return written


def with_ends(tags: list[str], last: str, alone: str) -> list[str]:
    written = list(tags)
    for start, end in spans(tags):
        written[end - 1] = f"{alone if end - start == 1 else last}-{tags[start][2:]}"
    return written


@st.composite
def iob2(draw: st.DrawFn) -> list[str]:
    tags: list[str] = []
    for kind in draw(st.lists(st.sampled_from(["O", "a", "b-c"]), min_size=1, max_size=6)):
        more = draw(st.integers(0, 2))
        tags += ["O"] if kind == "O" else [f"B-{kind}", *[f"I-{kind}"] * more]
    return tags


SENTENCES = st.lists(iob2(), min_size=1, max_size=4)


@settings(max_examples=50)
@given(SENTENCES)
def test_iob2_stays_as_it_is(sentences: list[list[str]]) -> None:
    assert converted(*sentences) == (sentences, "IOB2")


@settings(max_examples=50)
@given(SENTENCES)
def test_iob1_is_converted_to_the_same_entities(sentences: list[list[str]]) -> None:
    written = [as_iob1(tags) for tags in sentences]
    found, scheme = converted(*written)
    assert found == sentences
    assert scheme == ("IOB2" if written == sentences else "IOB1")


@settings(max_examples=50)
@given(SENTENCES, st.sampled_from([("E", "S"), ("L", "U")]))
def test_bioes_and_bilou_are_converted_to_the_same_entities(
    sentences: list[list[str]], ends: tuple[str, str]
) -> None:
    found, scheme = converted(*[with_ends(tags, *ends) for tags in sentences])
    assert found == sentences
    has_entities = any(tag != "O" for tags in sentences for tag in tags)
    assert scheme == ({"E": "BIOES", "L": "BILOU"}[ends[0]] if has_entities else "IOB2")


TAG = st.sampled_from(["O", "B-a", "I-a", "B-b", "I-b"])


@settings(max_examples=50)
@given(st.lists(TAG, min_size=1, max_size=12))
def test_exactly_the_sequences_that_seqeval_reads_unchanged_are_iob2(tags: list[str]) -> None:
    scheme = pytest.importorskip("seqeval.scheme")
    # An independent reference: strict IOB2 drops what is no entity, so writing the entities that
    # it found out again gives back the tags exactly if they were IOB2.
    found = ["O"] * len(tags)
    for entity in scheme.Entities([tags], scheme.IOB2).entities[0]:
        found[entity.start] = f"B-{entity.tag}"
        for index in range(entity.start + 1, entity.end):
            found[index] = f"I-{entity.tag}"
    # With a sentence of entities that begin with B-, a mistake is no sign of IOB1.
    clear = ["B-a", "O"] * 12
    if found == tags:
        assert converted(clear, tags) == ([clear, tags], "IOB2")
    else:
        assert "in IOB2 an entity starts with B-" in message(clear, tags)


def test_the_scheme_is_that_of_all_splits() -> None:
    splits = {"train": [["I-a", "I-a"]], "test": [["I-a", "B-a"]], "validation": [["O"]]}
    tags, scheme = to_iob2(splits, where)
    assert scheme == "IOB1"
    assert tags == {
        "train": [("B-a", "I-a")], "test": [("B-a", "B-a")], "validation": [("O",)],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        (["I-PER", "O"], ["row 1, word 0", "'I-PER' follows 'O'", "write 'B-PER'"]),
        (["B-LOC", "I-PER"], ["word 1", "'I-PER' follows 'B-LOC'"]),
        (["O", "PER"], ["word 1", "'PER' is no tag"]),
        (["B-", "O"], ["'B-'"]),
        (["O", ""], ["''"]),
        (["O", None], ["None"]),
        (["O", 3], ["3", "IOB2"]),
    ],
)
def test_mistakes_in_iob2_are_named(tags: list[Any], words: list[str]) -> None:
    text = message(["B-LOC"], tags)
    assert text.startswith("train, row 1") and "fix: " in text
    assert all(word in text for word in words), text


@pytest.mark.parametrize(
    ("sentences", "words"),
    [
        ([["I-a"], ["I-a"], ["O", "B-a"]], ["row 2, word 1", "'B-a' follows 'O'", "IOB1", "'I-a'"]),
        ([["B-a", "O"], ["S-a"]], ["row 0, word 0", "'O' follows tag 'B-a'", "write 'S-a'"]),
        ([["S-a"], ["B-a", "I-a"]], ["row 1, word 1", "end of the sentence", "write 'E-a'"]),
        ([["S-a"], ["B-a", "E-b"]], ["row 1, word 0", "'E-b' follows"]),
        ([["O", "E-a"]], ["word 1", "'E-a' follows 'O'", "BIOES", "write 'S-a'"]),
        ([["O", "I-a", "L-a"]], ["word 1", "'I-a' follows 'O'", "BILOU", "write 'B-a'"]),
        ([["S-a"], ["U-a"]], ["row 1, word 0", "'U-a' is no tag of BIOES", "one scheme"]),
    ],
)
def test_mistakes_in_other_schemes_are_named(sentences: list[list[str]], words: list[str]) -> None:
    text = message(*sentences)
    assert all(word in text for word in [*words, "fix: "]), text

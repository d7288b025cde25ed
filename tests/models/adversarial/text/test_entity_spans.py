import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics.v1 import precision_recall_fscore_support
from seqeval.scheme import IOB2, Entities

from models.adversarial.text.entity_spans import (
    EntityCounts,
    count_entities,
    entity_spans,
    micro_f1,
)

TAGS = st.sampled_from(["O", "B-x", "I-x", "B-y", "I-y"])


def test_spans_by_hand() -> None:
    assert entity_spans(["B-x", "I-x", "O", "B-y", "B-y"]) == {
        ("x", 0, 2), ("y", 3, 4), ("y", 4, 5),
    }  # fmt: skip
    assert entity_spans(["I-x", "O", "I-y"]) == frozenset()
    assert entity_spans([]) == frozenset()


@given(st.lists(TAGS, min_size=1, max_size=8))
def test_spans_are_those_of_seqeval_in_strict_mode(tags: list[str]) -> None:
    expected = {e.to_tuple()[1:] for e in Entities([tags], IOB2).entities[0]}
    assert entity_spans(tags) == {(kind, start, end) for kind, start, end in expected}


@given(st.lists(st.lists(st.tuples(TAGS, TAGS), min_size=1, max_size=6), min_size=1, max_size=4))
@pytest.mark.filterwarnings("ignore")
def test_f1_is_that_of_seqeval_in_strict_mode(pairs: list[list[tuple[str, str]]]) -> None:
    truth = [[a for a, _ in sentence] for sentence in pairs]
    predicted = [[b for _, b in sentence] for sentence in pairs]
    _, _, expected, _ = precision_recall_fscore_support(
        truth, predicted, average="micro", scheme=IOB2, zero_division=0
    )
    counts = [count_entities(a, b) for a, b in zip(truth, predicted, strict=True)]
    assert micro_f1(counts) == pytest.approx(float(expected))


def test_counts_by_hand() -> None:
    assert count_entities(["B-x", "I-x", "O"], ["B-x", "O", "B-y"]) == EntityCounts(1, 2, 0)
    assert micro_f1([EntityCounts(2, 1, 1), EntityCounts(1, 2, 1)]) == pytest.approx(4 / 6)
    assert micro_f1([]) == 0.0


def test_another_number_of_tags_is_refused() -> None:
    with pytest.raises(ValueError, match="1 tags were predicted for 2 words"):
        count_entities(["O", "O"], ["O"])

from collections.abc import Sequence
from itertools import chain

import numpy as np
import pyarrow.parquet as pq
import pytest

from models.scores.entities import entity_scores, entity_tables
from tests.support.entity_tables import (
    CORPORA,
    Sentences,
    assert_tables_are_those_of_the_libraries,
    tables_of,
)

TRUTH = [["B-a", "I-a", "O", "B-b"], ["O", "B-a"]]


def test_an_entity_is_right_only_with_its_type_and_both_its_ends() -> None:
    # Three entities; found: a too short one, one of the wrong type, and a right one.
    predicted = [["B-a", "O", "O", "B-a"], ["O", "B-a"]]
    scores = entity_scores(TRUTH, predicted)
    assert scores["precision.clean"] == scores["recall.clean"] == pytest.approx(1 / 3)
    assert scores["f1.clean"] == pytest.approx(1 / 3)
    assert scores["accuracy.tokens"] == pytest.approx(4 / 6)


def test_an_inside_tag_without_its_beginning_is_no_entity() -> None:
    scores = entity_scores([["O", "B-a"]], [["O", "I-a"]])
    assert scores["f1.clean"] == scores["precision.clean"] == 0


def test_two_entities_side_by_side_are_two() -> None:
    scores = entity_scores([["B-a", "B-a"]], [["B-a", "I-a"]])
    assert scores["f1.clean"] == 0


def test_finding_nothing_is_worth_zero_and_so_is_finding_nothing_where_nothing_is() -> None:
    assert entity_scores([["B-a"]], [["O"]])["f1.clean"] == 0
    assert entity_scores([["O"]], [["O"]])["f1.clean"] == 0


def test_sentences_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="numbers of predicted and true tags"):
        entity_scores([["O"]], [["O", "O"]])
    with pytest.raises(ValueError, match="no sentences"):
        entity_scores([], [])


def predictions(truth: Sentences, tags: Sequence[str], seed: int) -> Sentences:
    """Tags of which a fifth are drawn at random."""
    generator = np.random.default_rng(seed)
    return [
        [str(generator.choice(tags)) if generator.random() < 0.2 else tag for tag in sentence]
        for sentence in truth
    ]


def test_the_tables_tell_types_and_tags_apart() -> None:
    types, tags = tables_of(entity_tables(TRUTH, [["B-a", "I-a", "O", "O"], ["O", "B-a"]]))
    assert types["a"] == [1, 1, 1, 2] and types["b"] == [0, 0, 0, 1]
    # Two of three entities are found and nothing else: F1 = 2 * 2 / (2 + 3).
    assert types["micro avg"] == [1, 0.6667, 0.8, 3]
    assert tags["I-a"] == [1, 1, 1, 1]
    # O is predicted three times, right twice: F1 = 2 * 2 / (3 + 2).
    assert tags["O"] == [0.6667, 1, 0.8, 2]
    assert tags["micro avg"] == [0.8333, 0.8333, 0.8333, 6]
    assert tags["macro avg"] == [0.6667, 0.75, 0.7, 6]
    assert tags["macro avg without O"] == [0.6667, 0.6667, 0.6667, 4]


@pytest.mark.parametrize("seed", range(5))
def test_the_tables_are_those_of_seqeval_and_scikit_learn(seed: int) -> None:
    tags = ("O", "B-a", "I-a", "B-long-name", "I-long-name", "B-c")
    generator = np.random.default_rng(seed)
    truth = [list(map(str, generator.choice(tags, generator.integers(1, 9)))) for _ in range(40)]
    predicted = predictions(truth, tags, seed)
    assert_tables_are_those_of_the_libraries(entity_tables(truth, predicted), truth, predicted)


@pytest.mark.skipif(not CORPORA.is_dir(), reason="there is no ../shared/data/text")
@pytest.mark.parametrize("corpus", ["wnut17", "crossner_ai", "crossner_science"])
def test_the_tables_of_real_corpora_are_those_of_the_libraries(corpus: str) -> None:
    truth = pq.read_table(CORPORA / corpus / "test.parquet")["tags"].to_pylist()
    tags = sorted({*chain(*truth)})
    predicted = predictions(truth, tags, seed=0)
    assert_tables_are_those_of_the_libraries(entity_tables(truth, predicted), truth, predicted)


def test_tables_of_a_split_without_entities_are_written() -> None:
    text = entity_tables([["O"]], [["O"]])
    assert "(no entities)" in text and "without O" not in text

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from seqeval.metrics import classification_report as by_type
from seqeval.scheme import IOB2
from sklearn.metrics import classification_report as by_tag

from models.scores.entities import entity_scores, entity_tables

Sentences = list[list[str]]
KEYS = ("precision", "recall", "f1-score", "support")
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


def rows_of(table: str) -> dict[str, list[float]]:
    """Row -> precision, recall, F1 and support, of a table as text."""
    lines = [line.rsplit(maxsplit=4) for line in table.splitlines()[1:] if line.strip()]
    return {name.strip(): [float(value) for value in values] for name, *values in lines}


def tables_of(truth: Sentences, predicted: Sentences) -> tuple[dict, dict]:
    """The rows of both tables, each without its title."""
    text = entity_tables(truth, predicted)
    assert max(map(len, text.splitlines())) <= 80
    types, tags = text.split("Words by tag\n\n")
    return rows_of(types.removeprefix("Entities by type (seqeval, strict, IOB2)\n\n")), rows_of(
        tags
    )


def predictions(truth: Sentences, tags: Sequence[str], seed: int) -> Sentences:
    """Tags of which a fifth are drawn at random."""
    generator = np.random.default_rng(seed)
    return [
        [str(generator.choice(tags)) if generator.random() < 0.2 else tag for tag in sentence]
        for sentence in truth
    ]


def assert_tables_are_those_of_the_libraries(truth: Sentences, predicted: Sentences) -> None:
    """Compares every row with seqeval's and scikit-learn's own reports, to four digits."""
    types, tags = tables_of(truth, predicted)
    for ours, theirs in (
        (types, by_type(truth, predicted, mode="strict", scheme=IOB2, output_dict=True,
                        zero_division=0)),
        (tags, by_tag([*chain(*truth)], [*chain(*predicted)], output_dict=True, zero_division=0)),
    ):  # fmt: skip
        if "accuracy" in theirs:  # what scikit-learn calls the micro average over all classes
            right = theirs.pop("accuracy")
            support = theirs["macro avg"]["support"]
            theirs["micro avg"] = dict(zip(KEYS, (right, right, right, support), strict=True))
        assert {name for name in ours if not name.endswith("without O")} == set(theirs)
        for name, expected in theirs.items():
            assert ours[name] == pytest.approx([expected[key] for key in KEYS], abs=5e-5), name
    names = [name for name in tags if name.startswith(("B-", "I-"))]
    without = by_tag([*chain(*truth)], [*chain(*predicted)], labels=names, output_dict=True,
                     zero_division=0)  # fmt: skip
    for average in ("micro avg", "macro avg", "weighted avg"):
        found = tags[f"{average} without O"]
        assert found == pytest.approx([without[average][key] for key in KEYS], abs=5e-5)


def test_the_tables_tell_types_and_tags_apart() -> None:
    types, tags = tables_of(TRUTH, [["B-a", "I-a", "O", "O"], ["O", "B-a"]])
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
    assert_tables_are_those_of_the_libraries(truth, predictions(truth, tags, seed))


CORPORA = Path(__file__).parents[4] / "shared" / "data" / "text"


@pytest.mark.skipif(not CORPORA.is_dir(), reason="there is no ../shared/data/text")
@pytest.mark.parametrize("corpus", ["wnut17", "crossner_ai", "crossner_science"])
def test_the_tables_of_real_corpora_are_those_of_the_libraries(corpus: str) -> None:
    truth = pq.read_table(CORPORA / corpus / "test.parquet")["tags"].to_pylist()
    tags = sorted({*chain(*truth)})
    assert_tables_are_those_of_the_libraries(truth, predictions(truth, tags, seed=0))


def test_tables_of_a_split_without_entities_are_written() -> None:
    text = entity_tables([["O"]], [["O"]])
    assert "(no entities)" in text and "without O" not in text

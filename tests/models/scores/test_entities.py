import pytest

from models.scores.entities import entity_scores, entity_tables

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


def test_the_tables_tell_types_and_tags_apart() -> None:
    text = entity_tables(
        TRUTH, [["B-a", "I-a", "O", "O"], ["O", "B-a"]], ("O", "B-a", "I-a", "B-b")
    )
    by_type, by_tag = text.split("Words by tag")
    rows = {line.split()[0]: line.split()[1:] for line in by_type.splitlines() if line.strip()}
    assert rows["a"] == ["1.0000", "1.0000", "1.0000", "2"]
    assert rows["b"] == ["0.0000", "0.0000", "0.0000", "1"]
    assert {"micro", "macro", "weighted"} <= set(rows)
    assert "I-a" in by_tag and not any(line.split()[:1] == ["O"] for line in by_tag.splitlines())


def test_tables_of_a_split_without_entities_are_written() -> None:
    assert "Entities by type" in entity_tables([["O"]], [["O"]], ("O", "B-a", "I-a"))

import numpy as np
import pytest

from models.scores.classification import classification_scores, classification_table


def _classes(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def test_scores_are_those_counted_by_hand() -> None:
    scores = classification_scores(_classes(0, 0, 1, 1), _classes(0, 1, 1, 1), 2)
    assert scores["accuracy.clean"] == 3 / 4
    # Class 0: precision 1, recall 1/2, F1 2/3; class 1: precision 2/3, recall 1, F1 4/5.
    assert scores["f1.macro"] == pytest.approx((2 / 3 + 4 / 5) / 2)
    # TP TN FP FN = 2 1 1 0 for class 1: (2*1 - 1*0) / sqrt(3*2*2*1).
    assert scores["matthews"] == pytest.approx(2 / np.sqrt(12))


def test_a_guess_of_the_larger_class_has_no_correlation_whatever_its_accuracy() -> None:
    scores = classification_scores(_classes(0, 0, 0, 0, 1), _classes(0, 0, 0, 0, 0), 2)
    assert scores["accuracy.clean"] == 4 / 5
    assert scores["matthews"] == 0


def test_a_class_that_a_split_lacks_counts_as_zero_in_macro_f1() -> None:
    # Classes 0 and 1 are right; class 2 does not occur: (1 + 1 + 0) / 3.
    assert classification_scores(_classes(0, 1), _classes(0, 1), 3)["f1.macro"] == (
        pytest.approx(2 / 3)
    )


def test_no_examples_are_refused() -> None:
    with pytest.raises(ValueError, match="no examples"):
        classification_scores(_classes(), _classes(), 2)


def test_the_table_has_a_line_for_every_class_and_average() -> None:
    table = classification_table(_classes(0, 0), _classes(0, 1), ["cat", "dog"])
    lines = {line.split()[0]: line.split()[1:] for line in table.splitlines() if line.strip()}
    assert lines["cat"] == ["1.0000", "0.5000", "0.6667", "2"]
    assert lines["dog"] == ["0.0000", "0.0000", "0.0000", "0"]
    assert {"macro", "weighted"} <= set(lines)

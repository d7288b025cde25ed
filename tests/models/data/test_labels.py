import pytest

from models.data.labels import number_labels
from models.data.sources import DataError


@pytest.mark.parametrize(
    ("labels", "words"),
    [(["a", 1], "label is 1, not text"), ([1, "a"], "label is 'a', not a whole number")],
)
def test_a_label_of_another_type_than_the_first_one_is_refused(labels: list, words: str) -> None:
    with pytest.raises(DataError, match=f"row 1: {words} as others are; fix: "):
        number_labels({"train": labels}, (), {"train": lambda row: f"row {row}"})

"""Rows of a head are carried by the names of their labels, and by nothing else."""

from __future__ import annotations

import pytest
from torch import nn

from models.data.sources import DataError
from models.weights.head_rows import head_tensors, rows_by_name


def test_labels_are_matched_by_name_wherever_they_stand() -> None:
    source = ("O", "B-person", "I-person", "B-band", "I-band")
    target = ("O", "B-award", "I-award", "B-person", "I-person")
    rows = rows_by_name(source, target)
    assert rows.pairs == ((0, 0), (1, 3), (2, 4))
    assert rows.carried == ("O", "B-person", "I-person")
    assert rows.fresh == ("B-award", "I-award")


def test_a_name_in_other_letters_is_another_label() -> None:
    assert rows_by_name(["person"], ["Person"]).carried == ()


def test_a_label_named_twice_is_refused() -> None:
    with pytest.raises(DataError, match=r"\['a'\] occur twice"):
        rows_by_name(["a", "a"], ["a"])


def test_the_head_is_the_last_linear_layer() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 3))
    assert head_tensors(model, 3) == ("2.weight", "2.bias")
    assert head_tensors(model, 0) == ()
    with pytest.raises(ValueError, match="does not have 5 rows"):
        head_tensors(model, 5)
    with pytest.raises(ValueError, match="does not have 4 rows"):
        head_tensors(model, 4)  # an inner layer of that size is no head

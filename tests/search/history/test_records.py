"""Parts of a record from a store: what has the wrong type is unknown, and nothing raises."""

from __future__ import annotations

import math

import pytest

from models.hyperparameters.hyperparameter import LARGEST_COUNT
from search.history.records import LONGEST_NAME, count_of, line_of, mapping_of, number_of


@pytest.mark.parametrize("value", [None, "3", True, [1], {}, math.nan, math.inf, 10**400])
def test_what_is_no_finite_number_is_unknown(value: object) -> None:
    assert math.isnan(number_of(value))
    assert number_of(value, -1.0) == -1.0


@pytest.mark.parametrize("value", [None, "3", True, 1.0, -1, LARGEST_COUNT])
def test_what_is_no_count_is_unknown(value: object) -> None:
    assert count_of(value) is None


def test_numbers_and_counts_are_read() -> None:
    assert (number_of(-3), number_of(0.5), count_of(0), count_of(7)) == (-3.0, 0.5, 0, 7)


def test_text_is_one_printable_line_and_anything_else_is_empty() -> None:
    assert line_of(" a\n\tb\x1b[2J ") == "a b?[2J"
    assert len(line_of("x" * 10_000)) == LONGEST_NAME
    assert line_of(3) == line_of(None) == ""


def test_only_a_mapping_has_entries() -> None:
    assert mapping_of({"a": 1}) == {"a": 1}
    assert mapping_of([("a", 1)]) == mapping_of(None) == {}

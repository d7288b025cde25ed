"""Text of numbers in reports."""

from __future__ import annotations

from benchmarks.harness.tables import median_and_range, table, with_interval


def test_estimates_and_ranges_are_text_with_so_many_digits() -> None:
    assert with_interval((0.8124, 0.8, 0.8256), 2) == "0.81 [0.80, 0.83]"
    assert median_and_range([3.0, 1.0, 2.0], 1) == "2.0 (1.0 to 3.0)"


def test_a_table_has_a_rule_under_its_header() -> None:
    assert table(["a", "b"], [[1, "x"]]) == ["| a | b |", "| --- | --- |", "| 1 | x |"]

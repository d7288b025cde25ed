"""Durations are written so that people can read them."""

from __future__ import annotations

import pytest

from search.report.totals_table import seconds_text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, ""), (0.84, "0.8 s"), (9.96, "10 s"), (59.4, "59 s"), (59.6, "1 min 0 s"),
     (200.0, "3 min 20 s"), (3599.0, "59 min 59 s"), (7500.0, "2 h 5 min")],
)  # fmt: skip
def test_a_duration_has_two_units_at_most(seconds: float, text: str) -> None:
    assert seconds_text(seconds) == text

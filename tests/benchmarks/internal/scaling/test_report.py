"""The numbers of a window and the verdict, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.internal.scaling.report import arrival, behind, growth, verdict, window_row
from search.tracking.write.journal import Event


def epoch(reported: float, written: float, end: int) -> Event:
    fields = {"number": 0, "metrics": {"reported": reported, "slept": 2.0}}
    return Event("epoch", int(written * 1000), 1, fields, end)


def a_window(**changes: Any) -> dict[str, Any]:
    """One in which the driver kept up, at the goal."""
    return {
        "concurrent": 50, "asked": 25.0, "delivered": 24.0, "trials_an_hour": 8640.0,
        "moments": [0.0, 10.0, 20.0, 30.0], "to_journal": [0.1] * 4, "to_store": [0.5] * 4,
        **changes,
    }  # fmt: skip


def test_a_window_counts_only_what_was_written_in_it() -> None:
    events = [
        epoch(99.0, 99.5, 10),
        epoch(100.0, 100.25, 20),
        epoch(103.0, 104.0, 30),
        Event("end", 106_000, 1, {"number": 0}, 40),
        epoch(109.0, 110.5, 50),
    ]
    sent = [(99.9, 10), (101.0, 20), (112.0, 40)]
    window = {"opened": 100.0, "closed": 110.0}
    row = window_row(window, 4, events, sent, [(99.0, 9.0), (105.0, 0.05)])
    assert row["delivered"] == pytest.approx(2 / 10)
    assert row["asked"] == pytest.approx(4 / 2.0)
    assert row["trials_an_hour"] == pytest.approx(360)
    assert row["to_journal"] == pytest.approx([0.25, 1.0])
    assert row["to_store"] == pytest.approx([1.0, 9.0])
    assert row["backlog"] == 1  # the second one came after the window
    assert row["proposals"] == [0.05]


def test_what_never_reached_the_store_arrived_never() -> None:
    assert arrival(30, [(1.0, 10), (2.0, 29)]) == float("inf")
    assert arrival(10, [(1.0, 10), (2.0, 29)]) == 1.0


def test_a_delay_that_gains_a_tenth_of_a_second_each_second_grows_by_six_a_minute() -> None:
    assert growth([0, 1, 2, 5], [1.0, 1.1, 1.2, 1.5]) == pytest.approx(6.0)
    assert growth([0, 1], [1.0, 2.0]) == 0.0
    assert growth([0, 1, 2], [1.0, 1.0, float("inf")]) == float("inf")


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        ({}, []),
        ({"delivered": 22.0}, ["trials wait"]),
        ({"to_journal": [0.1, 0.1, 2.0, 2.0]}, ["journal late"]),
        ({"to_store": [6.0] * 4}, ["store late"]),
        ({"to_store": [0.0, 0.5, 1.0, 1.5]}, ["delay to the store grows"]),
    ],
)
def test_the_driver_is_behind_for_stated_reasons(
    changes: dict[str, Any], reasons: list[str]
) -> None:
    assert behind(a_window(**changes)) == reasons


def test_the_goal_needs_enough_trials_and_results_in_one_window_that_keeps_up() -> None:
    assert "**holds**" in verdict([a_window()])
    for change in ({"concurrent": 16}, {"asked": 19.0, "delivered": 19.0}, {"delivered": 21.0}):
        assert "**does not hold**" in verdict([a_window(**change)])

"""The plot of three objectives: when it is drawn, and what its labels say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from search.history import History
from search.objectives.objective import Role, from_lists
from search.report.front_of_three import _text, draw_front_of_three
from tests.support.plots import png_of
from tests.support.synthetic_history import history, row, search

NAMES = ("accuracy.clean", "accuracy.robust", "latency.ms")
DIRECTIONS = ("maximize", "maximize", "minimize")
VALUES = [[0.9, 0.5, 0.2], [0.8, 0.6, 0.3], [0.7, 0.4, 0.4], [0.95, 0.1, 9.0]]


def of(values: list[list[float]], number: int = 3, roles: tuple[Role, ...] = ()) -> History:
    objectives = from_lists(NAMES[:number], DIRECTIONS[:number], roles)
    rows = [
        row(n, each[:number], objectives=[*NAMES[:number]], directions=[*DIRECTIONS[:number]])
        for n, each in enumerate(values)
    ]
    return history(rows, [search(objectives=objectives)])


@pytest.mark.slow
@pytest.mark.parametrize(
    "values", [VALUES, VALUES[:1], [[0.5, 0.5, 0.5]] * 3], ids=["four", "one", "equal"]
)
def test_any_number_of_trials_is_drawn(values: list[list[float]], tmp_path: Path) -> None:
    first, second = (png_of(draw_front_of_three(of(values), "cold"), tmp_path) for _ in range(2))
    assert first[:4] == b"\x89PNG" and first == second


@pytest.mark.parametrize(
    "known",
    [
        of(VALUES, number=2),
        of(VALUES, roles=(Role(), Role(), Role("constraint", bound=1.0))),
        of([]),
    ],
    ids=["two objectives", "a bound", "no trial"],
)
def test_it_is_drawn_only_for_three_objectives_that_are_all_searched(known: History) -> None:
    assert draw_front_of_three(known, "cold") is None


@pytest.mark.parametrize(
    ("value", "others", "text"),
    [
        (0.2416, [0.1, 0.64], "0.24"),
        (561.3, [100.0, 900.0], "561"),
        (0.98412, [0.98, 0.99], "0.9841"),
        (2.5, [2.5], "2.50"),
    ],
)
def test_a_label_has_the_digits_that_tell_values_apart(
    value: float, others: list[float], text: str
) -> None:
    assert _text(value, np.array(others)) == text

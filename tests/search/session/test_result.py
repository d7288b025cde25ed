"""The pictures of a report that a notebook shows."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from search.history import History
from search.session.result import Result


@pytest.mark.parametrize(
    ("drawn", "shown"),
    [
        (["front.png", "pareto.png", "history.png", "curves.png"], ["front.png", "curves.png"]),
        (["pareto.png", "history.png", "curves.png"], ["pareto.png", "curves.png"]),
        (["history.png", "importance.png"], ["history.png"]),
        ([], []),
    ],
)
def test_a_notebook_shows_the_best_picture_of_the_front_and_the_curves(
    drawn: list[str], shown: list[str], tmp_path: Path
) -> None:
    for name in drawn:
        (tmp_path / name).write_bytes(b"png")
    report = tmp_path / "report.md"
    result = Result(
        "this", "complete", pd.DataFrame(), (), "", report, "", tmp_path, History.empty()
    )
    assert [file.name for file in result.plots] == shown
    assert result._repr_html_().count("<img") == len(shown)

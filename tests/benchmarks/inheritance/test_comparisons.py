"""The statistics of the benchmark of history and weights, by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from benchmarks.inheritance import cells
from benchmarks.inheritance.cells import BOTH, CONTROL, HISTORY, SCRATCH, SHUFFLED, Cell
from benchmarks.inheritance.comparisons import (
    best_so_far,
    complete,
    differences,
    intervals,
    source_seconds,
)


def test_the_best_trial_is_the_first_of_equals_and_never_a_diverged_one() -> None:
    record: dict[str, Any] = {
        "trials": [{"validation": {"f1.clean": v}} for v in (float("nan"), 0.2, 0.5, 0.5)]
    }
    assert cells.best_of(record) == 2
    assert best_so_far(record) == [0.0, 0.2, 0.5, 0.5]
    assert cells.best_of(json.loads(json.dumps(record))) == 2


def test_differences_are_paired_and_intervals_are_students_over_pairs_and_targets() -> None:
    values = {
        HISTORY: {("x", 0): 0.5, ("x", 1): 0.7, ("y", 0): 0.4, ("y", 1): 0.6, ("z", 0): 0.9},
        SCRATCH: {("x", 0): 0.4, ("x", 1): 0.4, ("y", 0): 0.4, ("y", 1): 0.4},
    }
    apart = differences(values, HISTORY, SCRATCH)
    assert apart == pytest.approx({("x", 0): 0.1, ("x", 1): 0.3, ("y", 0): 0.0, ("y", 1): 0.2})
    pairs, targets = intervals(apart)
    # Pairs: mean 0.15, squares .0025 + .0225 + .0225 + .0025 = .05, sd sqrt(.05 / 3) = .12910,
    # error .06455, t(3) = 3.18245. Targets: 0.2 and 0.1, sd .07071, error .05, t(1) = 12.7062.
    assert pairs == pytest.approx((0.15, 0.15 - 0.20543, 0.15 + 0.20543), abs=1e-4)
    assert targets == pytest.approx((0.15, 0.15 - 0.63531, 0.15 + 0.63531), abs=1e-4)


def test_sources_cost_all_other_scratch_searches_and_the_control_its_shuffled_training() -> None:
    scratch = [{"cpu_seconds": 10.0}, {"cpu_seconds": 1.0}]
    cells_ = [Cell(name, seed, SCRATCH) for name in ("a", "b", "c") for seed in (0, 1)]
    records: dict[Cell, Any] = {cell: {"trials": scratch} for cell in cells_}
    records[Cell("b", 0, SHUFFLED)] = {"trials": [{"cpu_seconds": 5.0}]}
    for arm in (HISTORY, BOTH, CONTROL):
        records[Cell("a", 0, arm)] = {"trials": [], "source": "b"}
    costs = [
        source_seconds(records, Cell("a", 0, arm)) for arm in (SCRATCH, HISTORY, BOTH, CONTROL)
    ]
    assert costs == [0.0, 22.0, 22.0, 27.0]
    assert complete(records) == [("a", 0)]

"""The sequences of the twentieth benchmark, and those that they are paired with."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np

from benchmarks.transfer.recorded_tasks import GRID, TASKS
from benchmarks.twentieth.costs import Recorded
from benchmarks.twentieth.run import BASELINE, SEARCHES, TRIALS, before_costs, tasks_of


def test_a_sequence_is_the_same_every_time_and_its_tasks_come_again() -> None:
    assert tasks_of(3) == tasks_of(3) != tasks_of(4)
    assert len(tasks_of(0)) == SEARCHES
    assert set(tasks_of(0)) <= set(TASKS)


def test_the_baseline_has_rows_of_the_tables_for_twenty_sequences() -> None:
    rows = np.array(json.loads(BASELINE.read_text())["rows"])
    assert rows.shape == (20, SEARCHES, TRIALS)
    assert rows.min() >= 0
    assert rows.max() < np.prod(list(GRID.values()))


def test_sequences_are_paired_by_number_and_those_that_the_baseline_lacks_are_left_out() -> None:
    rows = np.zeros((2, SEARCHES, TRIALS), dtype=np.int64)
    found = Recorded({}, [25, 3], [tasks_of(25), tasks_of(3)], rows, {})
    pair = before_costs(found)
    assert pair is not None
    kept = json.loads(BASELINE.read_text())["rows"][3]
    assert all(each.numbers == [3] and each.tasks == [tasks_of(3)] for each in pair)
    assert [each.rows[0, 0].tolist() for each in pair] == [[0] * TRIALS, kept[0]]


def test_searches_of_other_lengths_are_not_paired() -> None:
    rows = np.zeros((1, SEARCHES, 5), dtype=np.int64)
    short = Recorded({}, [3], [tasks_of(3)], rows, {})
    assert before_costs(short) is None
    assert before_costs(replace(short, numbers=[], tasks=[], rows=np.array([]))) is None

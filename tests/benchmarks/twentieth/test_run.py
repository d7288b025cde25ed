"""The sequences of the twentieth benchmark."""

from __future__ import annotations

from benchmarks.transfer.recorded_tasks import TASKS
from benchmarks.twentieth.run import SEARCHES, tasks_of


def test_a_sequence_is_the_same_every_time_and_its_tasks_come_again() -> None:
    assert tasks_of(3) == tasks_of(3) != tasks_of(4)
    assert len(tasks_of(0)) == SEARCHES
    assert set(tasks_of(0)) <= set(TASKS)

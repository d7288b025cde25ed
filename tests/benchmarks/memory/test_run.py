"""The spec of the memory benchmark is valid, and its count of trials is right, by hand."""

from __future__ import annotations

from benchmarks.memory.protocol import SAME_EPOCHS, trials_to
from benchmarks.memory.run import same_spec


def test_the_spec_of_the_same_task_has_fewer_epochs_and_stops_no_trial() -> None:
    spec = same_spec()
    assert spec.budget.epochs == SAME_EPOCHS
    assert spec.scheduler.name == "none"


def test_trials_to_a_volume_are_counted_from_one_and_one_more_than_all_if_never() -> None:
    assert [trials_to([0.1, 0.3, 0.3], goal) for goal in (0.1, 0.2, 0.4)] == [1, 2, 4]

"""The simulated trainings: what fails, where the best lies, and what histories claim."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.failures.run import EARLIER_TRIALS, HISTORIES, Job, history_of, target_of
from benchmarks.failures.tasks import DIVERGED, MEMORY, Task, task_of

TASK = Task(np.array([0.5, 1.0, 0.5, 0.5, 0.5]), memory_at=1.4, diverges_at=0.8)


def test_memory_is_a_sum_of_width_batch_and_depth_and_the_rate_diverges() -> None:
    # Width, batch and half of depth: 1.5 in the first, 1.25, 1.1, 1.1 in the others. The rate and
    # a quarter of depth: 0.625, 0.75 and 0.95 in the others.
    places = [
        (0.5, 0.9, 0.5, 0.2),
        (0.5, 0.5, 0.5, 0.5),
        (0.7, 0.5, 0.5, 0.2),
        (0.9, 0.5, 0.5, 0.2),
    ]
    points = np.array([[*place, 0.0] for place in places])
    assert TASK.reasons(points) == [MEMORY, "", "", DIVERGED]


def test_the_best_that_trains_is_worse_than_the_best_that_does_not() -> None:
    """At the best place of every hyperparameter memory runs out; regret 0 lies at the edge."""
    point = TASK.best[None]
    assert TASK.reasons(point) == [MEMORY]
    assert TASK.regret(float(TASK.losses(point)[0])) < 0
    assert TASK.regret(1e9) == 1.0


def test_a_mirrored_task_fails_at_the_other_ends() -> None:
    points = np.random.default_rng(0).random((50, 5))
    mirrored = Task(TASK.best, TASK.memory_at, TASK.diverges_at, is_mirrored=True)
    assert mirrored.reasons(1.0 - points) == TASK.reasons(points)


@pytest.mark.parametrize("history", HISTORIES)
def test_a_phantom_history_fails_and_its_target_does_not(history: str) -> None:
    job = Job(history, True, 0)
    past, points = history_of(job), np.random.default_rng(0).random((200, 5))
    assert any(target_of(job).reasons(points)) is ("phantom" not in history)
    if past is None:
        assert history == "none"
        return
    failed = [trial for trial in past.prior_trials(state="failed") if trial.cause]
    assert 0 < len(failed) < len(past)
    assert len(past) == EARLIER_TRIALS * (1 if history.startswith("same") else 3)


def test_a_repetition_has_its_own_tasks() -> None:
    assert task_of(0, 1).memory_at == task_of(0, 1).memory_at
    assert len({task_of(seed, place).memory_at for seed in (0, 1) for place in (0, 1)}) == 4

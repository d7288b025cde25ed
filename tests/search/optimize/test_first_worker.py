"""Workers that can run nowhere end a search after three; later ones may be lost without end."""

from __future__ import annotations

import pytest

from search.optimize import first_worker
from search.optimize.first_worker import FirstWorker

# Of Ray 2.60, shortened.
ERROR = """Failure # 1 (occurred at 2026-11-30_01-02-40)
The actor died unexpectedly before finishing this task.
\tpid: 20796
The actor is dead because its worker process has died. Worker exit type: SYSTEM_ERROR Worker exit \
detail: Worker unexpectedly exits with a connection error code 2. End of file. Some common causes \
include: (1) the process was killed by the OOM killer due to high memory usage.
The actor never ran - it was cancelled before it started running."""


def test_three_deaths_before_the_first_trial_end_the_search_with_rays_reason_and_the_fix() -> None:
    first = FirstWorker()
    for _ in range(2):
        first.lose(ERROR)
        assert not first.why
    first.lose(ERROR)
    assert first.why.startswith(
        "3 workers of Ray died before any had begun a trial: The actor is dead because its worker "
        "process has died. Worker exit type: SYSTEM_ERROR"
    )
    assert "End of file; fix: python -c 'import search.optimize.trainable'" in first.why


def test_once_a_worker_has_begun_a_trial_deaths_do_not_count() -> None:
    first = FirstWorker()
    first.lose(ERROR)
    first.begin()
    for _ in range(100):
        first.lose(ERROR)
    assert not first.why


@pytest.mark.parametrize("error", ["", "Ray gives no reason"])
def test_a_death_without_a_reason_counts_too(error: str) -> None:
    first = FirstWorker()
    for _ in range(3):
        first.lose(error)
    assert first.why


def test_workers_that_die_before_ray_knows_them_end_it_after_ten_minutes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [1000.0]
    monkeypatch.setattr(first_worker.time, "monotonic", lambda: now[0])
    first, on_a_cluster, begun = FirstWorker(600), FirstWorker(None), FirstWorker(600)
    begun.begin()
    for each in (first, on_a_cluster, begun):
        now[0] = 1000.0  # the search may have waited long for cores before
        each.look()
        now[0] = 1600.0
        each.look()
        assert not each.why
        now[0] = 1601.0
        each.look()
    assert first.why.startswith("no worker of Ray has begun a trial in 10.0 min")
    assert not on_a_cluster.why and not begun.why

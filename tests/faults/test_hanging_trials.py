"""A trial that hangs on its worker, with real Ray: ended in time, and retried.

What it took to notice and to recover is printed: `pytest -s`.
"""

from __future__ import annotations

import time
from pathlib import Path

import psutil
import pytest

from search.optimize.watchdog import DEATHS
from tests.support.launches import Place, assert_truthful, finished, hills
from tests.support.ray_nodes import begun_again, seconds_until

pytestmark = pytest.mark.slow

TRIALS, EPOCHS = 4, 5
LIMIT_SECONDS = 9.0


def test_a_trial_that_hangs_is_ended_in_time_and_retried_and_changes_no_other(
    tmp_path: Path,
) -> None:
    place, hung = Place(tmp_path), tmp_path / "hung"
    budget = {"trials": TRIALS, "epochs": EPOCHS, "epoch_minutes": LIMIT_SECONDS / 60}
    spec = hills(budget=budget)
    spec["task"]["train"] = "python:tests.support.hanging:hangs_once"
    spec["task"]["settings"] = {"hung": str(hung), "pause": 0.5}
    command = place.run(spec)
    storage = place.folder / "storage" / place.search()
    seconds_until(lambda: hung.exists() and bool(hung.read_text()))
    began = time.monotonic()
    worker = int(hung.read_text().split()[1])
    seconds_until(lambda: not psutil.pid_exists(worker))
    print(f"its worker had ended {time.monotonic() - began:.1f} s after the trial hung")
    seconds_until(lambda: begun_again(storage) == 1)
    print(f"the trial was at work again {time.monotonic() - began:.1f} s after it hung")
    finished(command)
    assert_truthful(place, storage.name, TRIALS, EPOCHS)
    assert begun_again(storage) == 1
    (told,) = [file.read_text() for file in storage.rglob(DEATHS) if file.stat().st_size]
    assert "in hangs_once" in told

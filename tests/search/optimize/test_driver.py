"""The driver process tells its parent how it ended, whatever fails afterwards."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from search.optimize import driver
from search.optimize.plan import Plan
from tests.support.plans import a_plan

# Forked, so that it has the test's replacement of a search.
FORK = multiprocessing.get_context("fork")


def test_a_driver_that_ray_ends_at_shutdown_has_already_told_how_the_search_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def searched(
        plan: Plan, stop: threading.Event, at_the_end: contextlib.ExitStack
    ) -> dict[str, Any]:
        at_the_end.callback(os._exit, 7)
        return {"status": "done", "state": "complete"}

    monkeypatch.setattr(driver, "_own_and_run", searched)
    ours, theirs = FORK.Pipe()
    process = FORK.Process(target=driver.drive, args=(a_plan(tmp_path), theirs))
    process.start()
    process.join()
    assert process.exitcode == 7
    assert ours.poll() and ours.recv() == {"status": "done", "state": "complete"}


TIMED_OUT = Exception("The current node timed out during startup. This could happen because ...")


def started(*outcomes: Exception | None) -> tuple[int, list[str]]:
    """Starts a Ray whose starts end so; returns how often it was started, and what was said."""
    left, said = list(outcomes), []

    def start() -> None:
        if (outcome := left.pop(0)) is not None:
            raise outcome

    driver.start_patiently(start, lambda text, **_: said.append(text))
    return len(outcomes) - len(left), said


def test_ray_is_started_again_where_a_busy_machine_was_too_slow() -> None:
    count, said = started(TIMED_OUT, None)
    assert count == 2
    assert len(said) == 1 and "starting it again" in said[0]
    assert started(None) == (1, [])


def test_processes_of_a_start_that_was_too_slow_do_not_go_on() -> None:
    other = subprocess.Popen(["sleep", "600"])
    begun: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        begun.append(subprocess.Popen(["sleep", "600"]))
        if len(begun) == 1:
            raise TIMED_OUT

    driver.start_patiently(start, lambda text, **_: None)
    assert begun[0].wait(timeout=60) == -signal.SIGKILL
    for process in (other, begun[1]):
        assert process.poll() is None
        process.kill()
        process.wait()


def test_ray_is_not_started_again_for_ever_nor_for_another_reason() -> None:
    with pytest.raises(Exception, match="timed out during startup"):
        started(*[TIMED_OUT] * driver.STARTS)
    with pytest.raises(OSError, match="no such file"):
        started(OSError("no such file"), None)

"""The driver that the scaling benchmark measures: the real one, with a clock around proposals."""

from __future__ import annotations

import contextlib
import cProfile
import functools
import multiprocessing
import pstats
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil

from search.optimize.driver import drive
from search.optimize.plan import Plan

# The driver waits a minute for the store at its end, and Ray takes its time, too.
STOP_SECONDS = 150.0
PROPOSALS, PROFILE = "proposals.txt", "profile.txt"
# Holds the id of the thread that sends to the store, as the operating system counts threads.
WRITER = "writer.txt"


def drive_timed(plan: Plan, parent: Connection, folder: Path, is_profiled: bool) -> None:
    """Run the real driver, with a clock around every proposal; runs in a child process."""
    tempfile.tempdir = str(folder)  # Ray's session and the CPU leases, apart from other searches'
    from search.optimize.searcher import OptunaSearcher
    from search.optimize.tuner import Tuning
    from search.tracking.write.journal_sender import Writer

    # In this child process alone.
    OptunaSearcher.suggest = _timed(OptunaSearcher.suggest, folder / PROPOSALS)  # type: ignore[method-assign]
    Writer._loop = _noted(Writer._loop, folder / WRITER)  # type: ignore[method-assign]
    if is_profiled:
        Tuning.run = _profiled(Tuning.run, folder / f"tune.{PROFILE}")  # type: ignore[method-assign]
        Writer._loop = _profiled(Writer._loop, folder / f"writer.{PROFILE}")  # type: ignore[method-assign]
    drive(plan, parent)


def _timed(suggest: Callable[..., Any], path: Path) -> Callable[..., Any]:
    @functools.wraps(suggest)
    def timed(*given: Any) -> Any:
        began = time.perf_counter()
        found = suggest(*given)
        if isinstance(found, dict):
            with path.open("a") as file:
                file.write(f"{time.time()} {time.perf_counter() - began}\n")
        return found

    return timed


def read_proposals(path: Path) -> list[tuple[float, float]]:
    """Return when each was made (seconds since 1970), and how many seconds it took."""
    lines = [line.split() for line in path.read_text().splitlines()]
    return [(float(moment), float(seconds)) for moment, seconds in lines]


def _noted(function: Callable[..., Any], path: Path) -> Callable[..., Any]:
    @functools.wraps(function)
    def noted(*given: Any) -> Any:
        path.write_text(str(threading.get_native_id()))
        return function(*given)

    return noted


def _profiled(function: Callable[..., Any], path: Path) -> Callable[..., Any]:
    @functools.wraps(function)
    def profiled(*given: Any) -> Any:
        profile = cProfile.Profile(time.thread_time)
        try:
            return profile.runcall(function, *given)
        finally:
            with path.open("w") as file:
                pstats.Stats(profile, stream=file).sort_stats("cumulative").print_stats(60)

    return profiled


@contextmanager
def running(
    plan: Plan, folder: Path, is_profiled: bool
) -> Iterator[tuple[psutil.Process, Callable[[], float]]]:
    """Yield the driver while it runs, and a function that stops it and returns the seconds.

    Afterwards nothing of it is left, whatever happens.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=drive_timed, args=(plan, theirs, folder, is_profiled))
    process.start()
    theirs.close()
    driver = psutil.Process(process.pid)
    started: list[psutil.Process] = []

    def stop() -> float:
        began = time.monotonic()
        if process.is_alive():
            started.extend(driver.children(recursive=True))
            with contextlib.suppress(OSError):  # it has ended by itself
                ours.send("stop")
            process.join(STOP_SECONDS)
        return time.monotonic() - began

    try:
        yield driver, stop
    finally:
        stop()
        process.kill()
        _, alive = psutil.wait_procs(started, timeout=10)
        for each in alive:
            with contextlib.suppress(psutil.Error):
                each.kill()

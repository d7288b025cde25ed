"""One search of the scaling benchmark: the real driver on sleeping trials, watched from outside."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
import yaml

from benchmarks.internal.scaling.driver import PROFILE, PROPOSALS, WRITER, read_proposals, running
from benchmarks.internal.scaling.report import window_row
from search.optimize.plan import Plan
from search.pipeline import new_plan, prepare
from search.spec import load_spec
from search.tracking.uris import store_uri
from search.tracking.write.journal import read_events, sent_offset

EPOCHS = 10
# Trials at once -> mean seconds of their epochs, one window each. The most important first: a run
# that is cut off has written what it has.
PACES = {50: (4.0, 2.4, 2.0), 64: (4.0, 2.0), 16: (2.0, 1.0, 0.5), 4: (2.0,), 1: (2.0,)}
POLL_SECONDS = 0.05
# Sixty-four Python processes that start on two cores take minutes.
START_SECONDS = 300.0
# The trials that began together must have drifted apart, and a new pace have reached every trial.
SETTLING_EPOCHS = 2.0
PACE = "pace.txt"


def spec_of(concurrent: int, folder: Path) -> dict[str, Any]:
    """Return the spec of one search; its trials never run out."""
    unit = {"type": "float", "low": 0.0, "high": 1.0}
    settings = {"pace_file": str(folder / PACE)}
    train = "python:benchmarks.internal.scaling.trials:sleeping"
    return {
        "name": f"scaling-{concurrent}",
        "task": {"train": train, "settings": settings},
        "objectives": [
            {"metric": "score", "direction": "maximize"},
            {"metric": "cost", "direction": "minimize"},
        ],
        "space": {
            "x": unit,
            "y": unit,
            "rate": {"type": "float", "low": 1e-4, "high": 0.1, "log": True},
            "kind": {"type": "categorical", "choices": ["a", "b", "c"]},
        },
        "budget": {"trials": 100_000, "epochs": EPOCHS},
        "resources": {"parallelism": concurrent, "cpus": 1},
        "scheduler": {"name": "none"},
    }


class SentOffsets(threading.Thread):
    """Samples how much of the journal has reached the store: `samples` of (time, bytes)."""

    def __init__(self, storage: Path) -> None:
        super().__init__(daemon=True)
        self._storage, self._closing = storage, threading.Event()
        self.samples: list[tuple[float, int]] = []

    def run(self) -> None:
        """Sample until `close`."""
        while not self._closing.wait(POLL_SECONDS):
            offset = sent_offset(self._storage)
            if not self.samples or offset > self.samples[-1][1]:
                self.samples.append((time.time(), offset))

    def close(self) -> None:
        """End the thread."""
        self._closing.set()
        self.join()


def measure(concurrent: int, paces: tuple[float, ...], window: float, is_profiled: bool) -> Any:
    """Run one search; return one row a pace (mean seconds an epoch)."""
    # Short: Ray's sockets are in it (107 bytes).
    folder = Path(tempfile.mkdtemp(prefix="s-", dir="/tmp"))
    try:
        plan = _plan(concurrent, folder)
        (folder / PACE).write_text(str(paces[0]))
        sent = SentOffsets(plan.storage)
        sent.start()
        began, windows = time.time(), []
        with running(plan, folder, is_profiled) as (driver, stop):
            _wait_for_all(plan, concurrent, driver)
            starting = time.time() - began
            for pace in paces:
                _change(folder / PACE, pace)
                time.sleep(SETTLING_EPOCHS * pace + 2)
                windows.append({"pace": pace, **observe(driver, folder / WRITER, window)})
            settling = stop()
        sent.close()
        events = list(read_events(plan.storage))
        proposals = read_proposals(folder / PROPOSALS)
        for path in folder.glob(f"*.{PROFILE}"):
            print(path.read_text())
        common = {"concurrent": concurrent, "starting": starting, "settling": settling}
        return [
            {**common, **window_row(each, concurrent, events, sent.samples, proposals)}
            for each in windows
        ]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def observe(driver: psutil.Process, writer: Path, seconds: float) -> dict[str, Any]:
    """Return processor seconds, by who used them, and memory, over the next `seconds`.

    `writer` is the file that names the driver's thread that sends to the store.
    """
    threads = {driver.pid: "driver, main thread", int(writer.read_text()): "driver, store"}
    before, opened = _processor_seconds(driver, threads), time.time()
    psutil.cpu_percent()
    time.sleep(seconds)
    machine, closed = psutil.cpu_percent(), time.time()
    after = _processor_seconds(driver, threads)
    used = dict.fromkeys(("driver", *threads.values(), "Ray", "workers"), 0.0)
    for key, (part, total) in after.items():
        used[part] += total - before.get(key, (part, 0.0))[1]
    everyone = [driver, *driver.children(recursive=True)]
    return {
        "opened": opened, "closed": closed,
        "cores": {part: total / (closed - opened) for part, total in used.items()},
        "machine": machine / 100 * (os.cpu_count() or 1),
        "megabytes": {
            "driver": driver.memory_info().rss / 1e6,
            "all": sum(_own_bytes(each) for each in everyone) / 1e6,
        },
    }  # fmt: skip


def _processor_seconds(
    driver: psutil.Process, threads: Mapping[int, str]
) -> dict[Any, tuple[str, float]]:
    """Return process (or thread of the driver) -> who it is, and its seconds so far."""
    found: dict[Any, tuple[str, float]] = {}
    for process in [driver, *driver.children(recursive=True)]:
        try:
            times = process.cpu_times()
            name = " ".join(process.cmdline()[:1])
        except psutil.Error:
            continue  # it has just ended
        is_worker = name.startswith("ray::") and "Agent" not in name
        part = "driver" if process == driver else "workers" if is_worker else "Ray"
        found[process.pid, process.create_time()] = (part, times.user + times.system)
    for thread in driver.threads():
        if thread.id in threads:
            found["thread", thread.id] = (threads[thread.id], thread.user_time + thread.system_time)
    return found


def _own_bytes(process: psutil.Process) -> int:
    """Return a process's memory, with shared pages in parts, so that processes can be summed."""
    try:
        return int(process.memory_full_info().pss)
    except psutil.Error:
        return 0


def _plan(concurrent: int, folder: Path) -> Plan:
    path = folder / "spec.yaml"
    path.write_text(yaml.safe_dump(spec_of(concurrent, folder)))
    uri = store_uri(folder / "mlflow.db")
    prepared = prepare(load_spec(path, []), uri, say=lambda text: None)
    return new_plan(prepared, uri, folder / "storage", None)


def _wait_for_all(plan: Plan, concurrent: int, driver: psutil.Process) -> None:
    """Wait until as many trials have reported as are to run at once."""
    deadline = time.monotonic() + START_SECONDS
    reported: set[int] = set()
    while len(reported) < concurrent:
        if time.monotonic() > deadline or not driver.is_running():
            log = (plan.storage / "driver.log").read_text()[-3000:]
            raise RuntimeError(f"{len(reported)} of {concurrent} trials report\n{log}")
        time.sleep(0.5)
        events = read_events(plan.storage)
        reported = {int(event.fields["number"]) for event in events if event.name == "epoch"}


def _change(path: Path, pace: float) -> None:
    new = path.with_suffix(".new")
    new.write_text(str(pace))
    new.replace(path)  # a trial that reads it meanwhile finds one of the two

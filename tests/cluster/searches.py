"""A search slow enough for faults during it, and what it left in MLflow."""

from __future__ import annotations

import re
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from search.history import Trial
from search.tracking.read.history import load_history
from search.tracking.store import all_runs, open_client
from tests.cluster.hosts import MLFLOW, Hosts
from tests.support.launches import hills

# Two cores run three hosts, MLflow and the search; anything longer is a hang.
PATIENCE_SECONDS = 420
EPOCHS = 10
TRUST = "--allow-code hills:slow_hills"
WHERE = f"--tracking-uri {MLFLOW} --results /shared/results"


def slow_spec(trials: int, name: str = "hills") -> dict[str, Any]:
    """Returns a spec with trials of 20 seconds, four at a time: time for faults while they run."""
    task = {"name": "hills", "train": "python:hills:slow_hills", "settings": {"pause": 2.0}}
    return hills(
        name=name, task=task, budget={"trials": trials, "epochs": EPOCHS},
        resources={"parallelism": 4, "cpus": 1},
    )  # fmt: skip


def launched_on_new(
    hosts: Hosts, what: str, count: int, log: Path, clocks: Mapping[str, int] | None = None
) -> subprocess.Popen[bytes]:
    """As `launched`, on hosts that were just made, which get a project and a store first.

    Args:
        count: Trials of `spec.yaml`.
        clocks: Host whose clock is ahead -> by how many seconds.
    """
    hosts.prepare(slow_spec(count), clocks or {})
    hosts.serve_mlflow()
    return launched(hosts, what, log)


def launched(hosts: Hosts, what: str, log: Path) -> subprocess.Popen[bytes]:
    """Starts `twentieth launch`, to a store on op and to storage that all hosts share.

    Args:
        what: A spec in the project, or `--resume SEARCH`, and options.
    """
    return hosts.twentieth(f"launch {what} {WHERE}", log)


def resumed(hosts: Hosts, search: str, log: Path) -> subprocess.Popen[bytes]:
    """Starts `twentieth launch --resume`, trusting the project's own function."""
    return launched(hosts, f"--resume {search} {TRUST}", log)


def search_of(log: Path) -> str:
    """Returns the search that a launch has begun, as its log names it."""
    found: list[str] = re.findall(r"optimize  (\S+):", log.read_text())
    return found[0]


def storage_of(hosts: Hosts, search: str) -> Path:
    """Returns the search's folder, as seen from outside the hosts."""
    return hosts.shared / "results" / "storage" / search


def states(hosts: Hosts, search: str = "") -> Counter[str]:
    """Returns how many trials' runs have each of MLflow's statuses, during a search."""
    return Counter(run.info.status for run in runs(hosts, search))


def runs(hosts: Hosts, search: str = "") -> list[Any]:
    """Returns the runs of trials, of one search or of all, as MLflow has them."""
    client = open_client(hosts.store)
    experiments = [each.experiment_id for each in client.search_experiments()]
    found = all_runs(client, experiments, "tags.`twentieth.kind` = 'trial'")
    return [run for run in found if search in ("", run.data.tags["twentieth.search"])]


def trials(hosts: Hosts, search: str = "") -> list[Trial]:
    searches = [search] if search else None
    return load_history(hosts.store, searches=searches).prior_trials(state=None)


def times_of_complete(hosts: Hosts, search: str = "") -> dict[str, float]:
    """Returns run id -> seconds that the trial took, of each complete trial."""
    found = trials(hosts, search)
    return {trial.run_id: trial.seconds for trial in found if trial.state == "complete"}


def wait_until(is_so: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> float:
    """Waits until `is_so` while a process runs; returns the seconds that it took."""
    began = time.monotonic()
    while not is_so():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() - began < PATIENCE_SECONDS, log.read_text()
        time.sleep(1.0)
    return time.monotonic() - began


def assert_every_trial_is_complete_once(hosts: Hosts, count: int, search: str = "") -> None:
    assert states(hosts, search) == {"FINISHED": count}
    found = trials(hosts, search)
    assert sorted(trial.number for trial in found) == list(range(count))
    assert {trial.state for trial in found} == {"complete"}
    assert {trial.epoch for trial in found} == {EPOCHS}

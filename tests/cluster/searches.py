"""A search slow enough for faults to happen in it, and what it left in MLflow."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from search.history import History, PriorTrial
from search.tracking.runs import all_runs
from search.tracking.store import open_client
from tests.cluster.hosts import Hosts
from tests.launches import hills

# Two cores run three hosts, MLflow and the search; a hang is found by this.
PATIENCE_SECONDS = 420
EPOCHS = 10


def slow_spec(trials: int) -> dict[str, Any]:
    """Trials of 20 seconds, four at a time: time for faults while they run."""
    task = {"name": "hills", "model": "python:hills:slow_hills", "settings": {"pause": 2.0}}
    return hills(
        task=task, budget={"trials": trials, "epochs": EPOCHS},
        resources={"parallelism": 4, "cpus": 1},
    )  # fmt: skip


def states(hosts: Hosts) -> Counter[str]:
    """How many trials' runs have each of MLflow's statuses, while a search goes on."""
    client = open_client(hosts.store)
    experiments = [each.experiment_id for each in client.search_experiments()]
    runs = all_runs(client, experiments, "tags.`twentieth.kind` = 'trial'")
    return Counter(run.info.status for run in runs)


def trials(hosts: Hosts) -> list[PriorTrial]:
    return History.from_mlflow(hosts.store).prior_trials(state=None)


def times_of_complete(hosts: Hosts) -> dict[str, float]:
    """Seconds that each complete trial took, by its run's id."""
    return {trial.run_id: trial.seconds for trial in trials(hosts) if trial.state == "complete"}


def wait_until(is_so: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(1.0)


def assert_every_trial_is_complete_once(hosts: Hosts, count: int) -> None:
    assert states(hosts) == {"FINISHED": count}
    found = trials(hosts)
    assert sorted(trial.number for trial in found) == list(range(count))
    assert {trial.state for trial in found} == {"complete"}
    assert {trial.epoch for trial in found} == {EPOCHS}

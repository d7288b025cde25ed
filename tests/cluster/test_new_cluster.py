"""A search whose whole cluster is lost, with its head."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.cluster.hosts import running_hosts
from tests.cluster.searches import (
    PATIENCE_SECONDS,
    TRUST,
    assert_every_trial_is_complete_once,
    launched_on_new,
    search_of,
    states,
    times_of_complete,
    wait_until,
)

pytestmark = pytest.mark.cluster

TRIALS = 10


def test_a_search_continues_on_a_new_cluster_from_mlflow_and_storage_only(tmp_path: Path) -> None:
    log, again = tmp_path / "launch.log", tmp_path / "again.log"
    with running_hosts(tmp_path / "lab") as hosts:
        launch = launched_on_new(hosts, "spec.yaml", TRIALS, log)
        wait_until(lambda: states(hosts)["FINISHED"] >= 2, launch, log)
        search = search_of(log)
        for host in ("head", "w1", "w2"):
            hosts.lab("kill", host)
        died = time.monotonic()
        launch.kill()
        launch.wait()
        finished = times_of_complete(hosts)
        hosts.lab("up", "2")  # also op: nothing is left but /shared
        launch = launched_on_new(hosts, f"--resume {search} {TRUST}", TRIALS, again)
        code = launch.wait(PATIENCE_SECONDS)
        output = again.read_text()
        print(f"done {time.monotonic() - died:.0f} s after the power was cut\n{output}")
        assert code == 0, output
        assert_every_trial_is_complete_once(hosts, TRIALS)
        assert finished.items() <= times_of_complete(hosts).items(), "a finished trial ran again"

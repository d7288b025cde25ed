"""A search whose cluster is lost, head and all."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from search.tracking.ownership import STALE_SECONDS
from tests.cluster.hosts import MLFLOW, running_hosts
from tests.cluster.searches import (
    PATIENCE_SECONDS,
    assert_every_trial_is_complete_once,
    slow_spec,
    states,
    times_of_complete,
    wait_until,
)

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

TRIALS = 10


def test_a_search_goes_on_on_a_new_cluster_from_mlflow_and_storage_alone(tmp_path: Path) -> None:
    log, again = tmp_path / "launch.log", tmp_path / "again.log"
    where = f"--tracking-uri {MLFLOW} --results /shared/results"
    with running_hosts(tmp_path / "lab") as hosts:
        hosts.prepare(slow_spec(TRIALS))
        hosts.serve_mlflow()
        launch = hosts.twentieth(f"launch spec.yaml {where}", log)
        wait_until(lambda: states(hosts)["FINISHED"] >= 2, launch, log)
        search = re.findall(r"optimize  (\S+):", log.read_text())[0]
        for host in ("head", "w1", "w2"):
            hosts.lab("kill", host)
        died = time.monotonic()
        launch.kill()
        launch.wait()
        finished = times_of_complete(hosts)
        hosts.lab("up", "2")  # also op: nothing is left but /shared
        hosts.prepare(slow_spec(TRIALS))
        hosts.serve_mlflow()
        # Until then it is somebody else's who may live.
        time.sleep(max(0.0, STALE_SECONDS + 5 - (time.monotonic() - died)))
        launch = hosts.twentieth(
            f"launch --resume {search} --allow-function hills:slow_hills {where}", again
        )
        code = launch.wait(PATIENCE_SECONDS)
        said = again.read_text()
        print(f"done {time.monotonic() - died:.0f} s after the power was cut\n{said}")
        assert code == 0, said
        assert_every_trial_is_complete_once(hosts, TRIALS)
        assert finished.items() <= times_of_complete(hosts).items(), "a finished trial ran again"

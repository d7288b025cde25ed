"""A search on a real cluster of three hosts, launched over SSH as a user would."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from tests.cluster.hosts import MLFLOW, running_hosts
from tests.cluster.searches import (
    PATIENCE_SECONDS,
    assert_every_trial_is_complete_once,
    slow_spec,
    states,
    wait_until,
)

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

TRIALS = 10


def test_a_launched_search_survives_a_cut_link_and_a_dead_worker(tmp_path: Path) -> None:
    log = tmp_path / "launch.log"
    with running_hosts(tmp_path / "lab") as hosts:
        hosts.prepare(slow_spec(TRIALS))
        hosts.serve_mlflow()
        began = time.monotonic()
        launch = hosts.twentieth(
            f"launch spec.yaml --tracking-uri {MLFLOW} --results /shared/results",
            log,
        )
        wait_until(lambda: states(hosts)["RUNNING"] == 4, launch, log)
        print(f"four trials run {time.monotonic() - began:.0f} s after the launch")
        hosts.lab("cut", "w1")
        noticed = hosts.wait_for_nodes({"head", "w2"}, PATIENCE_SECONDS)
        print(f"the cut was noticed after {noticed:.0f} s")
        hosts.lab("heal", "w1")
        back = hosts.wait_for_nodes({"head", "w1", "w2"}, PATIENCE_SECONDS)
        print(f"the healed worker was back after {back:.0f} s")
        hosts.lab("kill", "w2")
        died = hosts.wait_for_nodes({"head", "w1"}, PATIENCE_SECONDS)
        print(f"the dead worker was noticed after {died:.0f} s; {states(hosts)}")
        code = launch.wait(PATIENCE_SECONDS)
        said = log.read_text()
        print(f"ended {time.monotonic() - began:.0f} s after the launch\n{said}")
        assert code == 0, said
        assert "3 of 3 nodes have joined" in said
        assert re.search(r"twentieth-hills-\w+: succeeded", said)
        assert_every_trial_is_complete_once(hosts, TRIALS)

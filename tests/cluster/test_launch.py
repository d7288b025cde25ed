"""A search on a real cluster of three hosts, launched over SSH as a user does."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from tests.cluster.hosts import ANY_OF_RAY, running_hosts
from tests.cluster.searches import (
    PATIENCE_SECONDS,
    assert_every_trial_is_complete_once,
    launched_on_new,
    search_of,
    states,
    storage_of,
    wait_until,
)
from tests.support.ray_nodes import seconds_until, started_again

pytestmark = pytest.mark.cluster

TRIALS = 20


def test_a_launched_search_survives_a_cut_link_and_a_dead_worker_and_then_ends_the_cluster(
    tmp_path: Path,
) -> None:
    log = tmp_path / "launch.log"
    with running_hosts(tmp_path / "lab") as hosts:
        began = time.monotonic()
        launch = launched_on_new(hosts, "spec.yaml --down-when-done", TRIALS, log)
        wait_until(lambda: hosts.trains("w1") > 0 and states(hosts)["RUNNING"] == 4, launch, log)
        print(f"four trials run {time.monotonic() - began:.0f} s after the launch")
        hosts.lab("cut", "w1")
        noticed = hosts.wait_for_nodes({"head", "w2"}, PATIENCE_SECONDS)
        print(f"the cut was noticed after {noticed:.0f} s")
        hosts.lab("heal", "w1")
        back = hosts.wait_for_nodes({"head", "w1", "w2"}, PATIENCE_SECONDS)
        print(f"the healed worker was back after {back:.0f} s")
        wait_until(lambda: hosts.trains("w2") == 2 and states(hosts)["RUNNING"] == 4, launch, log)
        storage = storage_of(hosts, search_of(log))
        before = started_again(storage)
        hosts.lab("kill", "w2")
        died = hosts.wait_for_nodes({"head", "w1"}, PATIENCE_SECONDS)
        print(f"the dead worker was noticed after {died:.0f} s; {states(hosts)}")
        both = wait_until(lambda: started_again(storage) >= before + 2, launch, log)
        print(f"its two trials were at work again {died + both:.0f} s after its death")
        code = launch.wait(PATIENCE_SECONDS)
        output = log.read_text()
        print(f"ended {time.monotonic() - began:.0f} s after the launch\n{output}")
        assert code == 0, output
        assert "3 of 3 nodes have joined" in output
        assert re.search(r"twentieth-hills-\w+: succeeded", output)
        assert_every_trial_is_complete_once(hosts, TRIALS)
        down = seconds_until(
            lambda: not any(hosts.processes(host, ANY_OF_RAY) for host in ("head", "w1")),
            PATIENCE_SECONDS,  # Ray's agents give up a minute after their raylet
        )
        print(f"no process of Ray's was left {down:.0f} s after the search")

"""Faults of a cluster during a search, on one cluster of three hosts: one search a test.

The clock of w2 is five hours ahead in all of them. `pytest -s` prints how long each fault took to
be noticed and recovered from.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.hosts import (
    ACTOR_OF_A_TRIAL,
    ADDRESS,
    PROJECT,
    Hosts,
    running_hosts,
    wrong_clock,
)
from tests.cluster.searches import (
    PATIENCE_SECONDS,
    TRUST,
    WHERE,
    assert_every_trial_is_complete_once,
    launched,
    launched_on_new,
    resumed,
    runs,
    search_of,
    slow_spec,
    states,
    storage_of,
    times_of_complete,
    wait_until,
)
from tests.support.ray_nodes import seconds_until, started_again

pytestmark = pytest.mark.cluster

TRIALS = 8
MORE = 12  # so that workers are still busy when a node has gone
LONG = 24  # longer than a launch takes to watch whether another driver lives
AHEAD_SECONDS = 5 * 3600
# Ray ends a driver's actors when its connection breaks; a busy machine is slow at that.
GONE_WITHIN = 60.0
ANSWER_SECONDS = 60.0  # the slowest answer of a node to doctor, of the quickest of several
NOTICE_SECONDS = 5  # a cloud gives two minutes, longer than these trials take
# The command lines by which a search runs on the head or on a worker.
JOB = r"search (run|resume)|search\.optimize"


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    """Yields a cluster that is up, on which a first search has run."""
    folder = tmp_path_factory.mktemp("faults")
    with running_hosts(folder / "lab") as hosts:
        clocks = {"w2": AHEAD_SECONDS} if shutil.which("gcc") else {}
        log, short = folder / "launch.log", "spec.yaml --set budget.epochs=1"
        ended(launched_on_new(hosts, short, 1, log, clocks), log)
        hosts.on("op", f"cp -r {PROJECT} /shared/project")  # for commands on other hosts
        yield hosts


def at_work(
    hosts: Hosts, name: str, log: Path, trials: int = TRIALS
) -> tuple[subprocess.Popen[bytes], str]:
    """Starts a search; returns it and its id once trials have finished and w1 and w2 train."""
    hosts.write_spec(slow_spec(trials, name), f"{name}.yaml")
    launch = launched(hosts, f"{name}.yaml", log)
    wait_until(lambda: bool(re.search(r"optimize  \S+:", log.read_text())), launch, log)
    search = search_of(log)

    def is_at_work() -> bool:
        both = hosts.trains("w1") > 0 and hosts.trains("w2") > 0
        return both and states(hosts, search)["FINISHED"] >= 2

    wait_until(is_at_work, launch, log)
    return launch, search


def kill_9_of_the_job(hosts: Hosts, launch: subprocess.Popen[bytes]) -> float:
    """Kills the search on the head and `launch`; returns seconds until no trial has a process."""
    hosts.kill_9("op", "search launch")
    hosts.kill_9("head", JOB)
    gone = seconds_until(lambda: not left_behind(hosts), GONE_WITHIN)
    launch.wait()
    return gone


def left_behind(hosts: Hosts) -> list[str]:
    """Returns the processes of trials and searches on any host of the cluster."""
    pattern = f"{ACTOR_OF_A_TRIAL}|{JOB}"
    return [
        command
        for host in ("head", "w1", "w2")
        for command in hosts.processes(host, pattern).values()
    ]


def doctor(hosts: Hosts) -> str:
    """Returns what `doctor` prints on the head of all nodes and of the store."""
    command = f"cd /shared/project && RAY_AUTH_MODE=token python -m search doctor {WHERE}"
    return hosts.on("head", f"{command} --address auto || true").stdout


def ended(launch: subprocess.Popen[bytes], log: Path) -> str:
    """Waits for the end of a search that must succeed; returns its log."""
    code, output = launch.wait(PATIENCE_SECONDS), log.read_text()
    assert code == 0, output
    return output


def test_kill_9_of_the_job_leaves_no_process_and_after_a_resume_no_run(
    hosts: Hosts, tmp_path: Path
) -> None:
    launch, search = at_work(hosts, "killed", tmp_path / "launch.log")
    finished = times_of_complete(hosts, search)
    gone = kill_9_of_the_job(hosts, launch)
    print(f"no process of a trial was left {gone:.1f} s after kill -9 of the job")
    count = states(hosts, search)["RUNNING"] + 1  # the search's own run
    found = f"{count} runs with status RUNNING and no living driver: {search} ({count})"
    assert found in doctor(hosts)
    began = time.monotonic()
    ended(resumed(hosts, search, tmp_path / "again.log"), tmp_path / "again.log")
    print(f"done {time.monotonic() - began:.0f} s after the resume")
    assert_every_trial_is_complete_once(hosts, TRIALS, search)
    assert finished.items() <= times_of_complete(hosts, search).items(), "a trial ran again"
    assert "every run with status RUNNING has a living driver" in doctor(hosts)


def test_a_worker_whose_clock_is_hours_ahead_falsifies_no_time_and_no_ownership(
    hosts: Hosts, tmp_path: Path
) -> None:
    if shutil.which("gcc") is None:
        pytest.skip("not installed: apt-get install gcc")
    began = time.time()
    launch, search = at_work(hosts, "ahead", tmp_path / "launch.log", LONG)
    (skew,) = re.findall(rf"{ADDRESS['w2']} is ([\d.]+) s ahead", doctor(hosts))
    # It reports what the round trip cannot explain: at most the true skew.
    assert AHEAD_SECONDS - ANSWER_SECONDS < float(skew) <= AHEAD_SECONDS
    for run in runs(hosts, search):
        for moment in filter(None, (run.info.start_time, run.info.end_time)):
            assert began <= moment / 1000 <= time.time(), "the worker's clock was used"
    assert all(18 < seconds < 90 for seconds in times_of_complete(hosts, search).values())
    kill_9_of_the_job(hosts, launch)
    # The driver itself on the host whose clock is wrong: its heartbeat lies in the future.
    there = tmp_path / "there.log"
    ahead = hosts.start(
        "w2", f"cd /shared/project && export RAY_AUTH_MODE=token {wrong_clock(AHEAD_SECONDS)}"
        f" && exec python -m search resume {search} {TRUST} {WHERE}"
        f" --address {ADDRESS['head']}:6379", there,
    )  # fmt: skip
    wait_until(lambda: hosts.trains("w1") > 0, ahead, there)
    refused = tmp_path / "refused.log"
    assert resumed(hosts, search, refused).wait(PATIENCE_SECONDS) == 1
    said = r"it is being run by w2:\d+:\d+, whose heartbeat still changes"
    assert re.search(said, refused.read_text())
    hosts.kill_9("w2", JOB)
    ahead.wait()
    ended(resumed(hosts, search, tmp_path / "again.log"), tmp_path / "again.log")
    assert_every_trial_is_complete_once(hosts, LONG, search)


def test_trials_of_a_drained_node_continue_elsewhere_from_their_checkpoints(
    hosts: Hosts, tmp_path: Path
) -> None:
    log = tmp_path / "launch.log"
    launch, search = at_work(hosts, "drained", log, MORE)
    storage = storage_of(hosts, search)
    hosts.drain("w1", NOTICE_SECONDS)
    told = time.monotonic()
    print(f"{hosts.trains('w1')} trials trained on the node when it was given notice")
    while time.monotonic() < told + NOTICE_SECONDS:
        assert launch.poll() is None, log.read_text()
        time.sleep(1.0)
    before, trained = started_again(storage), hosts.trains("w1")
    hosts.lab("kill", "w1")  # as the cloud does, whether or not it is empty
    gone = time.monotonic()
    assert trained > 0, "it was idle"
    noticed = hosts.wait_for_nodes({"head", "w2"}, PATIENCE_SECONDS)
    print(f"{trained} trials trained there until it went, which was noticed {noticed:.0f} s later")
    wait_until(lambda: started_again(storage) >= before + trained, launch, log)
    print(f"they were at work again {time.monotonic() - gone:.0f} s after it went")
    ended(launch, log)
    assert_every_trial_is_complete_once(hosts, MORE, search)
    next_one = "spec.yaml --set budget.epochs=1 --nodes 2"  # on a cluster that has lost a node
    assert "2 of 2 nodes have joined" in ended(launched(hosts, next_one, log), log)

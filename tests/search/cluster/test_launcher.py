"""Child processes of the launcher: why they failed, and that they do not outlive it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from search.cluster.launcher import reason, tied

GONE_SECONDS = 30.0  # on a machine that is very busy; it takes milliseconds


@pytest.mark.slow
def test_a_tunnel_ends_with_a_launcher_that_is_killed() -> None:
    program = (
        "import subprocess, sys, time; from search.cluster.launcher import tied\n"
        "child = subprocess.Popen(tied(['sleep', '1000']), stdin=subprocess.PIPE,"
        " start_new_session=True)\n"
        "print(child.pid, flush=True); time.sleep(1000)"
    )
    launcher = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert launcher.stdout is not None
    tunnel = psutil.Process(int(launcher.stdout.readline()))
    deadline = time.monotonic() + GONE_SECONDS
    while tunnel.name() != "sleep" or not tunnel.children():  # the shell is the command by then
        assert time.monotonic() < deadline
        time.sleep(0.02)
    watcher = tunnel.children()
    launcher.send_signal(signal.SIGKILL)
    launcher.wait()
    _, alive = psutil.wait_procs([tunnel, *watcher], timeout=GONE_SECONDS)
    assert alive == []


def test_a_tunnel_that_ends_by_itself_ends_with_its_own_code() -> None:
    process = subprocess.Popen(
        tied(["sh", "-c", "exit 7"]), stdin=subprocess.PIPE, start_new_session=True
    )
    assert process.wait(GONE_SECONDS) == 7
    os.killpg(process.pid, signal.SIGTERM)  # its watcher


def test_a_tunnel_ends_at_sigterm() -> None:
    process = subprocess.Popen(
        tied(["sleep", "1000"]), stdin=subprocess.PIPE, start_new_session=True
    )
    os.killpg(process.pid, signal.SIGTERM)
    assert process.wait(GONE_SECONDS) != 0


# As `ray dashboard` of ray 2.60 and ssh printed it; stdout arrives later than it was printed.
@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (
            [" The exception is: Head node of cluster (lab) not found!", "INFO -- Checking Local"],
            "Head node of cluster (lab) not found!",
        ),
        (
            ["ssh: connect to host 10.0.0.11 port 22: Connection refused", "Error: Failed to"],
            "ssh: connect to host 10.0.0.11 port 22: Connection refused",
        ),
        (
            ["ray@10.0.0.11: Permission denied (publickey).", "INFO -- Checking"],
            "Permission denied (publickey).",
        ),
        (["INFO -- Checking Local environment settings"], ""),
        ([], ""),
    ],
)
def test_the_reason_why_a_tunnel_failed_is_reported(lines: list[str], why: str) -> None:
    assert reason(lines) == why

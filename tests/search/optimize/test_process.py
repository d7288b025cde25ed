"""What a launch makes of a driver that answers, dies, or hangs after it has answered."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from search.optimize import process
from search.optimize.console import View
from search.optimize.process import DriverAnswer, Launch
from search.tracking.write.journal import Event, Journal
from tests.support.plans import a_plan

pytestmark = pytest.mark.slow  # a new Python process

ANSWERS = "parent.send({'status': 'done', 'state': 'complete'})\n"


def launched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, does: str
) -> tuple[DriverAnswer, Launch]:
    """Follows a driver that does this with its parent, and returns its answer."""
    started = subprocess.Popen

    def popen(command: list[str], **options: Any) -> Any:
        code = (
            "import os, sys, time\nfrom multiprocessing.connection import Connection\n"
            "parent = Connection(int(sys.argv[1]))\n"
            "parent.recv_bytes(), parent.recv_bytes()\n" + does
        )
        return started([command[0], "-c", code, command[-1]], **options)

    monkeypatch.setattr(process.subprocess, "Popen", popen)
    launch = Launch(a_plan(tmp_path))
    assert list(filter(None, launch.events())) == []
    return launch.answer(), launch


def test_a_driver_that_hangs_after_its_answer_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "SHUTDOWN_SECONDS", 0.2)
    answer, _ = launched(tmp_path, monkeypatch, ANSWERS + "time.sleep(600)\n")
    assert answer == DriverAnswer("done", state="complete")


def test_how_a_driver_dies_after_its_answer_is_no_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer, _ = launched(tmp_path, monkeypatch, ANSWERS + "os._exit(1)\n")
    assert answer == DriverAnswer("done", state="complete")


def test_a_driver_that_dies_without_an_answer_has_died(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer, _ = launched(tmp_path, monkeypatch, "os._exit(1)\n")
    assert answer == DriverAnswer("died", "the driver ended with code 1 without an answer")


def test_a_driver_that_is_killed_is_said_with_the_signal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer, _ = launched(tmp_path, monkeypatch, "os.kill(os.getpid(), 9)\n")
    killed = "the driver was ended by SIGKILL (by someone, or for lack of memory)"
    assert answer == DriverAnswer("died", f"{killed} without an answer")


def test_a_driver_that_rays_start_keeps_waiting_is_ended_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = subprocess.Popen

    def popen(command: list[str], **options: Any) -> Any:
        Journal(tmp_path).append("driver", message="starting Ray", within=0.3)
        return started([command[0], "-c", "import time; time.sleep(600)"], **options)

    monkeypatch.setattr(process.subprocess, "Popen", popen)
    launch = Launch(a_plan(tmp_path))
    assert next(filter(None, launch.events())).name == "driver"
    # As after Ctrl-C, which ends an iteration.
    assert list(filter(None, launch.events())) == []
    answer = launch.answer()
    assert answer.status == "failed"
    assert answer.message.startswith("no worker of Ray has begun a trial in 10.0 min")


@pytest.mark.parametrize(
    ("ends", "state", "expected"),
    [
        (["complete"] * 4, "", True),
        (["complete", "failed", "stopped", "complete"], "", True),
        (["complete"] * 3, "", False),
        (["complete"] * 3 + ["interrupted"], "", False),
        (["complete"] * 3, "complete", True),  # a finite space is exhausted
        (["complete"] * 4, "complete", True),
        (["failed"] * 4, "failed", False),
        (["complete"] * 4, "stopped", False),
    ],
)
def test_a_search_is_through_when_nothing_is_left_to_train(
    tmp_path: Path, ends: list[str], state: str, expected: bool
) -> None:
    view = View(a_plan(tmp_path, trials=4))
    for number, end in enumerate(ends):
        origin = {"step": "model"}
        view.take(Event("start", 0, 1, {"number": number, "origin": origin}, 0))
        fields = {"number": number, "state": end, "values": [], "reason": ""}
        view.take(Event("end", 0, 1, fields, 0))
    if state:
        view.take(Event("summary", 0, 1, {"tags": {"twentieth.state": state}}, 0))
    assert view.is_through() is expected

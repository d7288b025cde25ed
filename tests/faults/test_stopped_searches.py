"""Users who stop a trial and a search while it runs, with real Ray, from another process."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from search.tracking.store import open_client
from search.tracking.summary import find_summary
from tests.support.functions import Gate
from tests.support.launches import (
    PATIENCE_SECONDS,
    ROOT,
    Place,
    driver_of,
    finished,
    held_hills,
)

pytestmark = pytest.mark.slow


def stop(place: Place, reference: str, *arguments: str) -> None:
    """Runs `twentieth stop` until the store has what it is about; events reach it later."""
    command = [sys.executable, "-m", "search", "stop", reference, *arguments,
               "--tracking-uri", place.uri]  # fmt: skip
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        ended = subprocess.run(
            command, cwd=place.folder, env={"PYTHONPATH": str(ROOT), "PATH": ""},
            capture_output=True, text=True,
        )  # fmt: skip
        if ended.returncode == 0:
            return
        assert time.monotonic() < deadline, ended.stderr


def wait_for(is_true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def wait_for_message(place: Place, search: str, text: str) -> None:
    wait_for(lambda: any(text in event.fields.get("message", "") for event in place.events(search)))


def state_of(place: Place, search: str) -> str:
    return find_summary(open_client(place.uri), search).state


@pytest.mark.long
def test_one_trial_and_then_the_search_are_stopped_and_the_search_is_resumed(
    place: Place, gate: Gate
) -> None:
    command = place.run(held_hills(gate, 2))
    search = place.search()
    place.wait_for(search, "epoch", 2)
    number = place.events(search)[-1].fields["number"]
    stop(place, f"{search}#{number}")
    wait_for_message(place, search, f"trial {number} is stopped by the user")
    gate.close_after(8)  # the other running trial cannot take all of the six
    wait_for(
        lambda: any(
            event.name == "end" and event.fields["number"] == number
            for event in place.events(search)
        )
    )
    stop(place, search)
    wait_for_message(place, search, "no further trial begins, running ones are interrupted")
    gate.open()
    output = finished(command)
    assert f"stopped; continue with: twentieth resume {search}" in output
    assert (place.folder / search / "report.md").exists() and state_of(place, search) == "stopped"
    tags = {int(run.data.tags["twentieth.number"]): run.data.tags for run in place.raw_runs(search)}
    assert tags[number]["twentieth.state"] == "stopped"
    assert tags[number]["twentieth.reason"].startswith("stopped by the user (")
    others = {each["twentieth.state"] for key, each in tags.items() if key != number}
    assert "interrupted" in others and others <= {"interrupted", "complete"}
    finished(place.resume(search))
    states = {trial.number: trial.state for trial in place.trials(search)}
    assert states == {each: "stopped" if each == number else "complete" for each in range(5)}
    assert state_of(place, search) == "complete"


@pytest.mark.long
def test_a_trial_whose_stop_a_killed_driver_did_not_see_is_stopped_by_resume(
    place: Place, gate: Gate
) -> None:
    command = place.run(held_hills(gate, 2))
    search = place.search()
    place.wait_for(search, "epoch", 2)
    number = place.events(search)[-1].fields["number"]
    stop(place, f"{search}#{number}")
    driver_of(command).kill()
    command.kill()
    command.wait()
    gate.open()
    finished(place.resume(search))
    starts = [event.fields["number"] for event in place.events(search) if event.name == "start"]
    assert starts.count(number) == 1
    states = {trial.number: trial.state for trial in place.trials(search)}
    assert states == {each: "stopped" if each == number else "complete" for each in range(5)}

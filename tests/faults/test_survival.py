"""What a search survives, with real Ray, real MLflow and processes that really die."""

from __future__ import annotations

import signal

import pytest

from tests.support.functions import Gate
from tests.support.launches import (
    PATIENCE_SECONDS,
    Place,
    assert_truthful,
    driver_of,
    fingerprints,
    finished,
    held_hills,
)

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("event", "count", "passing"),
    [
        pytest.param("start", 1, 0, id="as the first trial starts", marks=pytest.mark.long),
        # tests/search/optimize/test_digits.py kills all of a training between its epochs, too.
        pytest.param("epoch", 3, 3, id="between epochs", marks=pytest.mark.long),
        # Before eleven epochs have passed one trial may have ended and two more have three epochs.
        pytest.param("end", 2, 11, id="between trials", marks=pytest.mark.long),
        pytest.param("end", 5, 20, id="after the last trial", marks=pytest.mark.long),
    ],
)
def test_after_kill_9_of_everything_resume_finishes_the_search(
    place: Place, gate: Gate, event: str, count: int, passing: int
) -> None:
    command = place.run(held_hills(gate, passing))
    search = place.search()
    place.wait_for(search, event, count)
    driver_of(command).kill()
    command.kill()
    command.wait()
    gate.open()
    before = fingerprints(place, search)
    finished(place.resume(search))
    assert_truthful(place, search, trials=5, epochs=4)
    after = fingerprints(place, search)
    assert {number: after[number] for number in before} == before, "a finished trial was touched"


def test_a_driver_killed_after_a_trial_is_reported_and_resume_finishes_the_search(
    place: Place, gate: Gate
) -> None:
    # Of five epochs of two trials side by side, each of three, one trial has at least three.
    command = place.run(held_hills(gate, 5, budget={"trials": 3, "epochs": 3}))
    search = place.search()
    place.wait_for(search, "end")
    driver_of(command).kill()
    output, _ = command.communicate(timeout=PATIENCE_SECONDS)
    assert command.returncode == 1
    assert f"twentieth resume {search}" in output
    gate.open()
    before = fingerprints(place, search)
    finished(place.resume(search))
    assert_truthful(place, search, trials=3, epochs=3)
    assert before.items() <= fingerprints(place, search).items(), "a finished trial was touched"


@pytest.mark.long
def test_a_driver_whose_terminal_is_gone_settles_its_running_trials(
    place: Place, gate: Gate
) -> None:
    command = place.run(held_hills(gate, 2))
    search = place.search()
    place.wait_for(search, "epoch", 2)
    driver = driver_of(command)
    command.kill()
    driver.wait(timeout=PATIENCE_SECONDS)
    gate.open()
    runs = place.raw_runs(search)
    assert "RUNNING" not in {run.info.status for run in runs}
    assert "interrupted" in {run.data.tags["twentieth.state"] for run in runs}
    finished(place.resume(search))
    assert_truthful(place, search, trials=5, epochs=4)


def test_ctrl_c_keeps_running_trials_for_resume(place: Place, gate: Gate) -> None:
    command = place.run(held_hills(gate, 2))
    search = place.search()
    place.wait_for(search, "epoch", 2)
    command.send_signal(signal.SIGINT)
    output, _ = command.communicate(timeout=PATIENCE_SECONDS)
    gate.open()
    assert command.returncode == 130, output
    assert "RUNNING" not in {run.info.status for run in place.raw_runs(search)}
    finished(place.resume(search))
    assert_truthful(place, search, trials=5, epochs=4)

"""What a search survives, with real Ray, real MLflow and real processes that really die."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest

from tests.functions import Gate
from tests.launches import (
    PATIENCE_SECONDS,
    Place,
    assert_truthful,
    driver_of,
    fingerprints,
    finished,
    held_hills,
    hills,
)
from tests.search.optimize.ray_nodes import seconds_until

pytestmark = pytest.mark.slow


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path / "gate")


@pytest.mark.parametrize(
    ("event", "count", "passing"),
    [
        pytest.param("start", 1, 0, id="as the first trial starts"),
        pytest.param("epoch", 3, 3, id="between epochs"),
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


def test_a_dead_driver_is_reported_with_how_to_go_on(place: Place, gate: Gate) -> None:
    command = place.run(held_hills(gate, 1))
    search = place.search()
    place.wait_for(search, "epoch")
    driver_of(command).kill()
    output, _ = command.communicate(timeout=PATIENCE_SECONDS)
    assert command.returncode == 1
    assert f"twentieth resume {search}" in output


def test_a_driver_whose_terminal_is_gone_settles_what_is_under_way(
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


def test_ctrl_c_keeps_what_is_under_way_for_resume(place: Place, gate: Gate) -> None:
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


def test_of_two_resumes_at_once_one_runs_and_the_other_is_refused(place: Place, gate: Gate) -> None:
    command = place.run(held_hills(gate, 3))
    search = place.search()
    place.wait_for(search, "epoch", 3)
    driver_of(command).kill()
    command.kill()
    command.wait()
    resumes = [place.resume(search) for _ in range(2)]
    seconds_until(lambda: any(process.poll() is not None for process in resumes))
    gate.open()
    outputs = [process.communicate(timeout=PATIENCE_SECONDS)[0] for process in resumes]
    assert sorted(process.returncode for process in resumes) == [0, 3], outputs
    assert_truthful(place, search, trials=5, epochs=4)


def test_a_search_that_is_alive_is_not_resumed(place: Place, gate: Gate) -> None:
    command = place.run(held_hills(gate, 1))
    search = place.search()
    place.wait_for(search, "epoch")
    refused, _ = (second := place.resume(search)).communicate(timeout=PATIENCE_SECONDS)
    gate.open()
    assert second.returncode == 3 and "is being run by" in refused
    finished(command)
    assert_truthful(place, search, trials=5, epochs=4)


def test_trials_that_a_time_budget_cuts_off_are_settled_and_resumed(
    place: Place, gate: Gate
) -> None:
    budget = {"trials": 5, "epochs": 4, "hours": 15 / 3600}
    output = finished(place.run(held_hills(gate, 3, budget=budget)))
    gate.open()
    search = place.search()
    assert "interrupted" in output
    states = {run.data.tags["twentieth.state"] for run in place.raw_runs(search)}
    assert "interrupted" in states and "running" not in states
    cut_off = {run.info.run_id for run in place.raw_runs(search)}
    finished(place.resume(search, "--hours", "1"))
    assert_truthful(place, search, trials=5, epochs=4)
    assert cut_off <= {run.info.run_id for run in place.raw_runs(search)}


def test_a_finished_search_is_extended(place: Place) -> None:
    finished(place.run(hills(budget={"trials": 2, "epochs": 2})))
    search = place.search()
    before = fingerprints(place, search)
    finished(place.resume(search, "--trials", "2"))
    assert_truthful(place, search, trials=4, epochs=2)
    assert before.items() <= fingerprints(place, search).items()


def test_as_many_trials_run_at_once_as_the_spec_says_and_never_more(
    place: Place, gate: Gate
) -> None:
    command = place.run(held_hills(gate, 0, budget={"trials": 6, "epochs": 2}))
    place.wait_for(place.search(), "start", 2)
    gate.open()
    finished(command)
    running, most = 0, 0
    for event in place.events(place.search()):
        running += (event.name == "start") - (event.name == "end")
        most = max(most, running)
    assert most == 2


def test_two_first_ever_searches_at_once_on_a_new_store(place: Place) -> None:
    (place.folder / "mlflow.db").unlink()
    one_core = {"parallelism": 1, "cpus": 1}
    budget = {"trials": 2, "epochs": 2}
    specs = [hills(name=name, resources=one_core, budget=budget) for name in ("left", "right")]
    for process in [place.run(spec) for spec in specs]:
        finished(process)
    for name in ("left", "right"):
        assert_truthful(place, place.search(name), trials=2, epochs=2)


def test_a_second_search_waits_for_cores_and_says_so(place: Place, gate: Gate) -> None:
    everything = {"parallelism": os.cpu_count() or 1, "cpus": 1}
    budget = {"trials": 2, "epochs": 2}
    first = place.run(held_hills(gate, 1, name="first", resources=everything))
    place.wait_for(place.search("first"), "epoch")
    second = place.run(hills(name="second", resources=everything, budget=budget))
    place.wait_for(place.search("second"), "driver")
    gate.open()
    assert "waiting for" in finished(second)
    finished(first)
    assert_truthful(place, place.search("second"), trials=2, epochs=2)


def test_broken_trials_fail_with_their_reason_and_cost_nobody_else_anything(place: Place) -> None:
    faults = ["none", "raises", "nan", "memory", "dies"]
    spec = hills(
        "sometimes_broken",
        space={"fault": {"type": "categorical", "choices": faults},
               "x": {"type": "float", "low": -2, "high": 3}},
        budget={"trials": 12, "epochs": 3},
        sampler={"name": "random"},
    )  # fmt: skip
    finished(place.run(spec))
    runs = place.raw_runs(place.search())
    assert len(runs) == 12
    ended = {run.data.params["fault"]: run for run in runs}
    assert ended.keys() >= {"none", "raises", "nan", "memory", "dies"}, "seed 0 draws each fault"
    for fault, reason in (
        ("raises", "on purpose"), ("nan", "not finite: left"),
        ("memory", "out of memory"), ("dies", "died"),
    ):  # fmt: skip
        assert ended[fault].info.status == "FAILED"
        assert reason in ended[fault].data.tags["twentieth.reason"]
    for run in runs:
        expected = "FINISHED" if run.data.params["fault"] == "none" else "FAILED"
        assert run.info.status == expected


def test_the_driver_leaves_no_process_behind(place: Place, gate: Gate) -> None:
    command = place.run(held_hills(gate, 1, budget={"trials": 2, "epochs": 4}))
    place.wait_for(place.search(), "epoch")
    driver = driver_of(command)
    offspring = driver.children(recursive=True)  # Ray's daemons and workers
    gate.open()
    assert any("raylet" in " ".join(process.cmdline()) for process in offspring)
    finished(command)
    _, alive = psutil.wait_procs([driver, *offspring], timeout=60)
    assert alive == []

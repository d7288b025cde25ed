"""Searches and trials side by side: one owner a search, one machine for all, with real Ray."""

from __future__ import annotations

import os

import pytest

from tests.support.functions import Gate
from tests.support.launches import (
    PATIENCE_SECONDS,
    Place,
    assert_truthful,
    driver_of,
    finished,
    held_hills,
    hills,
)
from tests.support.ray_nodes import seconds_until

pytestmark = pytest.mark.slow


@pytest.mark.long
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


@pytest.mark.long
def test_a_search_that_is_alive_is_not_resumed(place: Place, gate: Gate) -> None:
    command = place.run(held_hills(gate, 1))
    search = place.search()
    place.wait_for(search, "epoch")
    refused, _ = (second := place.resume(search)).communicate(timeout=PATIENCE_SECONDS)
    gate.open()
    assert second.returncode == 3 and "is being run by" in refused
    finished(command)
    assert_truthful(place, search, trials=5, epochs=4)


def test_two_first_ever_searches_at_once_on_a_new_store(place: Place) -> None:
    (place.folder / "mlflow.db").unlink()
    one_core = {"parallelism": 1, "cpus": 1}
    budget = {"trials": 2, "epochs": 2}
    specs = [hills(name=name, resources=one_core, budget=budget) for name in ("left", "right")]
    for process in [place.run(spec) for spec in specs]:
        finished(process)
    for name in ("left", "right"):
        assert_truthful(place, place.search(name), trials=2, epochs=2)


@pytest.mark.long
def test_a_second_search_waits_for_cores_and_says_so(place: Place, gate: Gate) -> None:
    everything = {"parallelism": os.cpu_count() or 1, "cpus": 1}
    budget = {"trials": 2, "epochs": 2}
    first = place.run(held_hills(gate, 1, name="first", resources=everything))
    place.wait_for(place.search("first"), "epoch")
    driver = driver_of(first).pid
    second = place.run(hills(name="second", resources=everything, budget=budget))
    place.wait_for(place.search("second"), "driver")
    shared = place.run(
        hills(name="shared", resources=everything, budget=budget)
        | {"task": {"name": "hills", "train": "python:tests.support.functions:two_hills"}},
        "--share-cores",
    )
    finished(shared)  # while the first one still holds all cores
    gate.open()
    said = finished(second)
    assert f"{place.search('first')} (process {driver} of " in said and "holds" in said
    finished(first)
    assert_truthful(place, place.search("second"), trials=2, epochs=2)


@pytest.mark.long
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

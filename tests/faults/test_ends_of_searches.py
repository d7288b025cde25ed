"""How searches and their trials end, with real Ray: budgets, faults, and nothing left behind."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from search.cli.stored_searches import stored_search, trial_document
from tests.support.functions import Gate
from tests.support.launches import (
    PATIENCE_SECONDS,
    Place,
    assert_truthful,
    driver_of,
    fingerprints,
    finished,
    held_hills,
    hills,
)

pytestmark = pytest.mark.slow


@pytest.mark.long
def test_trials_that_a_time_budget_cuts_off_are_settled_and_resumed(
    place: Place, gate: Gate
) -> None:
    seconds = 30  # a trial begins after half of it on a quiet machine
    budget = {"trials": 5, "epochs": 4, "hours": seconds / 3600}
    output = finished(place.run(held_hills(gate, 3, budget=budget)))
    search = place.search()
    while not place.raw_runs(search):
        seconds *= 2
        output = finished(place.resume(search, "--hours", str(seconds / 3600)))
    gate.open()
    assert "interrupted" in output
    states = {run.data.tags["twentieth.state"] for run in place.raw_runs(search)}
    assert "interrupted" in states and "running" not in states
    cut_off = {run.info.run_id for run in place.raw_runs(search)}
    finished(place.resume(search, "--hours", "1"))
    assert_truthful(place, search, trials=5, epochs=4)
    assert cut_off <= {run.info.run_id for run in place.raw_runs(search)}


def test_a_finished_search_leaves_no_process_behind_and_is_extended(
    place: Place, gate: Gate
) -> None:
    command = place.run(held_hills(gate, 1, budget={"trials": 2, "epochs": 2}))
    search = place.search()
    place.wait_for(search, "epoch")
    driver = driver_of(command)
    offspring = driver.children(recursive=True)  # Ray's daemons and workers
    gate.open()
    assert any("raylet" in " ".join(process.cmdline()) for process in offspring)
    finished(command)
    _, alive = psutil.wait_procs([driver, *offspring], timeout=PATIENCE_SECONDS)
    assert alive == []
    before = fingerprints(place, search)
    finished(place.resume(search, "--trials", "2"))
    assert_truthful(place, search, trials=4, epochs=2)
    assert before.items() <= fingerprints(place, search).items()


def test_broken_trials_fail_with_their_reason_and_change_no_other_trial(place: Place) -> None:
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
        ("memory", "out of memory"), ("dies", "died in epoch 2: it called os._exit(13); fix: "),
    ):  # fmt: skip
        assert ended[fault].info.status == "FAILED"
        assert reason in ended[fault].data.tags["twentieth.reason"]
    dead = ended["dies"].data.tags
    notes = "".join(each.read_text() for each in Path(dead["twentieth.checkpoints"]).glob("att*"))
    assert notes.count('"epoch": 2') == 1, "it is not tried again"
    stored = stored_search(place.uri, place.search())
    shown = trial_document(stored, stored.trial(int(dead["twentieth.number"])), {})
    assert "it called os._exit(13)" in shown.reason and "in sometimes_broken" in shown.traceback
    for run in runs:
        expected = "FINISHED" if run.data.params["fault"] == "none" else "FAILED"
        assert run.info.status == expected

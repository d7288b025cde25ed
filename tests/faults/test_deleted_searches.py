"""A run and an experiment that are deleted in the store while a search runs, with real Ray."""

from __future__ import annotations

import time

import pytest

from search.tracking.store import open_client
from search.tracking.summary import find_summary
from search.tracking.write.refusals import refused_lines
from tests.support.functions import Gate
from tests.support.launches import PATIENCE_SECONDS, Place, assert_truthful, finished, held_hills

pytestmark = pytest.mark.slow


@pytest.mark.long
def test_a_deleted_run_costs_its_trial_alone_and_a_deleted_experiment_loses_nothing(
    place: Place, gate: Gate
) -> None:
    resources = {"parallelism": 1, "cpus": 1}
    spec = held_hills(gate, 1, budget={"trials": 3, "epochs": 2}, resources=resources)
    command = place.run(spec)
    search, client = place.search(), open_client(place.uri)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (runs := [run.info.run_id for run in place.raw_runs(search) if run.data.metrics]):
        assert time.monotonic() < deadline
    client.delete_run(runs[0])
    gate.close_after(3)  # the first trial ends, and the second begins
    summary = find_summary(client, search)
    line = f"trial 0: its run {runs[0]} was deleted"
    while refused_lines(find_summary(client, search).tags) != [line]:
        assert time.monotonic() < deadline
    place.wait_for(search, "epoch", 3)
    client.delete_experiment(summary.experiment_id)
    output, _ = command.communicate(timeout=PATIENCE_SECONDS)
    fix = f"fix: mlflow experiments restore --experiment-id {summary.experiment_id}"
    assert f"the store refuses {line}; kept in" in output and "trial 000 complete" in output
    assert command.returncode == 4 and fix in output and f"twentieth resume {search}" in output
    gate.open()
    client.restore_experiment(summary.experiment_id)  # MLflow restores the run of trial 0, too
    finished(place.resume(search))
    assert_truthful(place, search, trials=3, epochs=2)
    assert line in (place.folder / search / "report.md").read_text()

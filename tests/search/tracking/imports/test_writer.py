"""Imported runs in a store: written once, and read back as history with their origin."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from optuna.distributions import FloatDistribution

from search.history import Trial
from search.objectives import Objective
from search.space import SearchSpace
from search.tracking import tag_names
from search.tracking.imports.imported import Imported, ImportedRun
from search.tracking.imports.writer import write_imported
from search.tracking.read.history import load_history
from search.tracking.store import all_runs, open_client
from tests.support.foreign_stores import all_run_ids, assert_accounted_for, empty_store

SPACE = SearchSpace({"rate": FloatDistribution(0.01, 1.0, log=True)})
START = datetime(2026, 11, 2, 9, tzinfo=UTC)
COMPLETE = Trial(
    state="complete", configuration={"rate": 0.1}, objectives=(Objective("loss", "minimize"),),
    values=(0.25,), curves={"loss": {1: 0.5, 2: 0.3}}, started=START, seconds=75.0,
)  # fmt: skip
RUNS = (
    ImportedRun("a", "calm-1", "runs.csv, row 2", COMPLETE),
    ImportedRun(
        "b", "bold-2", "runs.csv, row 3",
        replace(COMPLETE, state="failed", values=(), reason="CUDA out of memory"),
    ),
)  # fmt: skip


def imported(*runs: ImportedRun) -> Imported:
    return Imported("wandb", SPACE, runs)


def test_what_is_written_is_read_back_as_it_was(tmp_path: Path) -> None:
    uri = empty_store(tmp_path)
    assert write_imported(imported(*RUNS), uri, "mine").new == 2
    history = load_history(uri)
    # Both began at once, so their order is that of their ids.
    complete, failed = sorted(history.prior_trials(state=None), key=lambda each: each.state)
    assert complete.configuration == {"rate": 0.1} and complete.by_metric == {"loss": 0.25}
    assert complete.curves == {"loss": {1: 0.5, 2: 0.3}} and complete.epoch == 2
    assert (complete.started, complete.seconds) == (START, 75.0)
    assert (failed.state, failed.values) == ("failed", ())
    assert (failed.reason, failed.cause) == ("CUDA out of memory", "out of memory")
    assert complete.reason == ""
    (search,) = history.searches.values()
    assert search.id == "mlflow:mine/imported" and complete.origin == {"step": "imported"}
    assert search.space is not None and search.inferred == frozenset()
    assert search.space.distributions == SPACE.distributions
    assert search.objectives == COMPLETE.objectives
    assert_accounted_for(history, all_run_ids(uri))


def test_importing_again_adds_only_what_is_new(tmp_path: Path) -> None:
    uri = empty_store(tmp_path)
    write_imported(imported(RUNS[0]), uri, "mine")
    again = write_imported(imported(*RUNS), uri, "mine")
    assert (again.new, again.known) == (1, 1)
    assert len(load_history(uri).prior_trials(state=None)) == 2


def test_a_run_that_was_cut_off_is_written_again(tmp_path: Path) -> None:
    uri = empty_store(tmp_path)
    write_imported(imported(RUNS[0]), uri, "mine")
    client = open_client(uri)
    (run,) = all_runs(client, [client.get_experiment_by_name("mine").experiment_id], "")
    client.update_run(run.info.run_id, status="RUNNING")  # as a kill before the end leaves it
    assert write_imported(imported(RUNS[0]), uri, "mine").new == 1
    (trial,) = load_history(uri).prior_trials(state=None)
    assert trial.state == "complete"


def test_each_run_says_where_it_comes_from(tmp_path: Path) -> None:
    uri = empty_store(tmp_path)
    write_imported(imported(*RUNS), uri, "mine")
    client = open_client(uri)
    runs = all_runs(client, [client.get_experiment_by_name("mine").experiment_id], "")
    found = {run.info.run_name: run.data.tags for run in runs}
    assert found["calm-1"][tag_names.IMPORTED_FROM] == "runs.csv, row 2"
    assert found["calm-1"][tag_names.IDENTITY] == "wandb:a"
    assert runs[0].data.params == {"rate": "0.1"}

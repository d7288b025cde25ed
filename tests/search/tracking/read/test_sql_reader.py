"""Queries of MLflow's database while other processes write to it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from mlflow.entities import Metric, Param

from search.tracking.read.sql_reader import Database
from search.tracking.store import open_client
from tests.support.foreign_stores import empty_store


def test_a_run_that_begins_while_the_others_are_listed_waits_for_the_next_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = empty_store(tmp_path)
    client = open_client(uri)
    experiment = str(client.create_experiment("mine"))
    listed = client.create_run(experiment).info.run_id
    ask = Database._all

    def meanwhile(self: Database, *what: Any, **more: Any) -> Any:
        yield from ask(self, *what, **more)
        run = client.create_run(experiment, tags={"late": "yes"}).info.run_id
        client.log_batch(run, [Metric("loss", 0.5, 1, 1)], [Param("lr", "0.1")])

    monkeypatch.setattr(Database, "_all", meanwhile)
    with closing(Database(uri, {})) as database:
        found = database.signatures([experiment], {experiment: {}})
    assert found[experiment].keys() == {listed}


def test_metrics_of_a_run_that_began_after_the_listing_are_skipped(tmp_path: Path) -> None:
    uri = empty_store(tmp_path)
    client = open_client(uri)
    experiment = str(client.create_experiment("mine"))
    listed = client.create_run(experiment).info.run_id
    with closing(Database(uri, {})) as database:
        (signatures,) = database.signatures([experiment], {experiment: {}}).values()
        client.log_metric(client.create_run(experiment).info.run_id, "loss", 0.5)
        table = database.fetch(experiment, [listed], signatures)
    assert table.column("run_id").to_pylist() == [listed]
    assert table.column("curves").to_pylist() == [[]]

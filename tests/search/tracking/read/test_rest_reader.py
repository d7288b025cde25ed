"""Histories read from a server, from PostgreSQL, and from a server on PostgreSQL."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric, Param
from sqlalchemy import create_engine

from search.tracking import tag_names
from search.tracking.read import cache
from search.tracking.read.history import load_history
from search.tracking.read.rest_reader import Server
from search.tracking.store import create_store, open_client
from tests.support.foreign_stores import assert_accounted_for, empty_store
from tests.support.proxies import forwarding
from tests.support.servers import mlflow_server, postgresql

START = 1_760_000_000_000


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeps tests out of the user's cache."""
    monkeypatch.setattr(
        "search.tracking.read.history.folder_for", lambda uri: tmp_path / "cache" / str(hash(uri))
    )


def log(client: MlflowClient, experiment: str, lr: float, *, end: bool = True) -> str:
    now = int(time.time() * 1000)
    run = client.create_run(experiment, now, run_name="ünïcödé").info.run_id
    points = [Metric("loss", lr * step, now + step, step) for step in range(1, 4)]
    points += [Metric("broken", float("nan"), now, 1), Metric("broken", float("inf"), now, 2)]
    client.log_batch(run, points, [Param("lr", str(lr)), Param("kind", "adam")], [])
    if end:
        client.set_terminated(run)
    return str(run)


def filled(uri: str) -> tuple[MlflowClient, str, list[str]]:
    """A client, an experiment and its runs: two finished, one running, one deleted."""
    client = create_store(uri)
    experiment = client.create_experiment(f"mine {time.time_ns()}")
    runs = [log(client, experiment, lr) for lr in (0.1, 0.2)]
    runs += [log(client, experiment, 0.3, end=False), log(client, experiment, 0.4)]
    client.delete_run(runs[3])
    return client, str(experiment), runs


def assert_reads_and_follows(
    uri: str, client: MlflowClient, experiment: str, runs: list[str]
) -> None:
    """Checks that new, continued, deleted and restored runs are noticed."""
    name = client.get_experiment(experiment).name

    def read() -> dict[str, Any]:
        history = load_history(uri, [name])
        assert_accounted_for(history, runs)
        return {trial.run_id: trial for trial in history.prior_trials(state=None)}

    trials = read()
    assert [trials[run].configuration for run in runs[:3]] == [
        {"lr": lr, "kind": "adam"} for lr in (0.1, 0.2, 0.3)
    ]
    assert trials[runs[0]].curves["loss"] == {1: 0.1, 2: 0.2, 3: pytest.approx(0.3)}
    assert str(trials[runs[0]].curves["broken"]) == "{1: nan, 2: inf}"
    assert [trials[run].state for run in runs[:3]] == ["complete", "complete", "running"]
    assert read().keys() == trials.keys()
    runs.append(log(client, experiment, 0.5))
    client.log_metric(runs[2], "loss", 9.0, step=4)
    client.delete_run(runs[0])
    client.restore_run(runs[3])
    trials = read()
    assert trials.keys() == set(runs[1:])
    assert trials[runs[2]].curves["loss"][4] == 9.0


@pytest.fixture(scope="module")
def server_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("server")


@pytest.fixture(scope="module")
def server(server_folder: Path) -> Iterator[str]:
    with mlflow_server(empty_store(server_folder), server_folder / "artifacts") as uri:
        yield uri


@pytest.mark.slow
@pytest.mark.parametrize("most", [1_000, 2])
def test_a_server_is_read_and_followed_whether_it_has_more_than_a_page_or_not(
    server: str, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr("search.tracking.read.rest_reader.PAGE", most)
    assert_reads_and_follows(server, *filled(server))


@pytest.mark.slow
def test_a_server_that_only_a_proxy_reaches_is_written_to_and_read(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "10.1.2.3"  # a private address, which a server lets through as its name
    with forwarding({name: urlsplit(server).port or 0}) as proxy:
        monkeypatch.setenv("http_proxy", proxy.uri)
        uri = f"http://{name}"
        assert_reads_and_follows(uri, *filled(uri))


@pytest.mark.slow
def test_only_the_curves_of_new_runs_are_requested(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, experiment, runs = filled(server)
    client.set_terminated(runs[2])
    name = client.get_experiment(experiment).name
    fetched: list[str] = []
    fetch = Server.fetch

    def watched(self: Server, experiment: str, ids: Sequence[str], *rest: Any, **more: Any) -> Any:
        fetched.extend(ids)
        return fetch(self, experiment, ids, *rest, **more)

    monkeypatch.setattr(Server, "fetch", watched)
    load_history(server, [name])
    assert sorted(fetched) == sorted(runs)
    fetched.clear()
    load_history(server, [name])
    assert fetched == []
    new = log(client, experiment, 0.6)
    load_history(server, [name])
    assert fetched == [new]


@pytest.mark.slow
def test_a_deleted_run_that_was_purged_is_left_out_until_the_daily_list_forgets_it(
    server: str, server_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, experiment, runs = filled(server)
    name = client.get_experiment(experiment).name
    load_history(server, [name])
    with closing(sqlite3.connect(server_folder / "mlflow.db")) as connection, connection:
        for table in ("params", "tags", "metrics", "latest_metrics", "runs"):
            connection.execute(f"DELETE FROM {table} WHERE run_uuid = ?", (runs[3],))
    monkeypatch.setattr("search.tracking.read.rest_reader.PAGE", 1)
    assert_accounted_for(load_history(server, [name]), runs)
    monkeypatch.setattr("search.tracking.read.rest_reader.FULL_LIST_SECONDS", 0.0)
    assert_accounted_for(load_history(server, [name]), runs[:3])


@pytest.mark.slow
def test_an_answer_that_the_server_cuts_is_requested_in_halves(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, experiment, runs = filled(server)
    monkeypatch.setattr("search.tracking.read.rest_reader.POINTS_A_REQUEST", 4)
    history = load_history(server, [client.get_experiment(experiment).name])
    assert all(
        len(trial.curves["loss"]) == 3 and len(trial.curves["broken"]) == 2
        for trial in history.prior_trials(state=None)
    )
    assert_accounted_for(history, runs)


@pytest.mark.slow
def test_a_server_without_the_bulk_endpoint_is_queried_run_by_run(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, experiment, _ = filled(server)
    name = client.get_experiment(experiment).name
    before = load_history(server, [name]).trials
    monkeypatch.setattr(
        "search.tracking.read.rest_reader.BULK_ENDPOINT", "/api/2.0/mlflow/no-such-endpoint"
    )
    monkeypatch.setattr(cache, "VERSION", cache.VERSION + 1)
    assert str(load_history(server, [name]).trials.to_pylist()) == str(before.to_pylist())


@pytest.mark.slow
def test_a_tag_edited_later_is_noticed_at_once_on_a_small_server_and_within_a_day_on_a_large_one(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, experiment, runs = filled(server)
    client.set_terminated(runs[2])
    name = client.get_experiment(experiment).name
    # All these runs are then older than the margin for differing clocks.
    monkeypatch.setattr("search.tracking.read.rest_reader.CLOCK_MARGIN_MILLISECONDS", -10_000)

    def tasks() -> list[str]:
        return load_history(server, [name]).tasks()

    assert tasks() == [f"mlflow:{name}"]
    for run in runs[:3]:
        client.set_tag(run, "dataset", "mnist")
    assert tasks() == [f"mlflow:{name}@mnist"]
    for run in runs[:3]:
        client.set_tag(run, "dataset", "emnist")
    monkeypatch.setattr("search.tracking.read.rest_reader.PAGE", 1)
    assert tasks() == [f"mlflow:{name}@mnist"]
    monkeypatch.setattr("search.tracking.read.rest_reader.FULL_LIST_SECONDS", 0.0)
    assert tasks() == [f"mlflow:{name}@emnist"]


@pytest.mark.slow
def test_test_metrics_that_our_trials_get_after_their_end_are_noticed(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.tracking.read.rest_reader.PAGE", 1)
    client = open_client(server)
    experiment = client.create_experiment("ours")
    old = START  # long before the last read: no query by time finds these runs
    tags = {tag_names.SEARCH: "demo-1", tag_names.KIND: "search", tag_names.TASK: "t",
            tag_names.STATE: "complete",
            tag_names.OBJECTIVES: '["a"]', tag_names.DIRECTIONS: '["maximize"]'}  # fmt: skip
    summary = client.create_run(experiment, old, tags).info.run_id
    tags = {tag_names.SEARCH: "demo-1", tag_names.KIND: "trial", tag_names.NUMBER: "0",
            tag_names.VALUES: "[0.5]",
            tag_names.STATE: "complete", tag_names.CONFIGURATION: '{"x": 1}'}  # fmt: skip
    trial = client.create_run(experiment, old, tags).info.run_id
    client.log_metric(trial, "a", 0.5, step=1)
    for run in (summary, trial):
        client.set_terminated(run, end_time=old + 1)
    (before,) = load_history(server, ["ours"]).prior_trials()
    assert before.curves == {"a": {1: 0.5}}
    client.log_metric(trial, "test.a", 0.25, step=1)
    client.set_tag(summary, tag_names.NUMBERS, '{"epochs": 1}')
    (after,) = load_history(server, ["ours"]).prior_trials()
    assert after.curves == {"a": {1: 0.5}, "test.a": {1: 0.25}}


@pytest.mark.slow
def test_postgresql_is_read_and_followed_directly_and_through_a_server_and_refused_if_older(
    tmp_path: Path,
) -> None:
    with postgresql(tmp_path) as uri:
        client, experiment, runs = filled(uri)
        assert_reads_and_follows(uri, client, experiment, list(runs))
        with mlflow_server(uri, tmp_path / "artifacts") as server:
            assert_reads_and_follows(server, *filled(server))
        with create_engine(uri).begin() as connection:
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = '75868b020152'")
        with pytest.raises(ValueError, match=r"older MLflow .* mlflow db upgrade postgresql"):
            open_client(uri)

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from search.tracking import health
from search.tracking.ownership import claim, owner_name
from search.tracking.server import ServerAnswer, anonymous_answer
from search.tracking.write.batch import Batch
from tests.support.foreign_stores import empty_store
from tests.support.servers import mlflow_server, postgresql
from tests.support.stores import new_store


def test_running_runs_of_a_live_search_are_not_zombies(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.start(0)
    store.writer().drain()
    assert sum(health.runs_without_owner(store.client).values()) >= 1
    claim(store.client, store.summary_run, store.folder, owner_name())
    assert health.runs_without_owner(store.client) == {}


def test_running_runs_of_other_tools_are_not_counted(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    before = health.runs_without_owner(store.client)
    store.client.create_run(store.experiment)
    assert health.runs_without_owner(store.client) == before


@pytest.mark.slow
def test_mlflow_cuts_a_longer_param(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    run = store.client.create_run(store.experiment).info.run_id
    for name, length in (("short", 0), ("long", 1)):
        text = "a" * (health.PARAM_CHARACTERS + length)
        Batch(params={name: text}).log(store.client, run)
    params = store.client.get_run(run).data.params
    assert len(params["short"]) == len(params["long"]) == health.PARAM_CHARACTERS


@pytest.mark.slow
def test_a_real_server_answers_by_its_address_and_refuses_other_host_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo
    with mlflow_server(empty_store(tmp_path), tmp_path / "artifacts") as uri:
        assert anonymous_answer(uri) == ServerAnswer(200, False)
        monkeypatch.setattr(
            socket, "getaddrinfo",
            lambda host, *rest, **more: real(
                "127.0.0.1" if host == "mlflow.example.org" else host, *rest, **more
            ),
        )  # fmt: skip
        answer = anonymous_answer(uri.replace("127.0.0.1", "mlflow.example.org"))
    assert answer.status in (400, 403) and answer.is_host_refused


@pytest.mark.slow
def test_a_postgresql_without_passwords_is_detected(tmp_path: Path) -> None:
    with postgresql(tmp_path) as uri:
        assert health.lets_in_without_password(uri)

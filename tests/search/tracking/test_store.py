from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from filelock import FileLock
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST
from mlflow.utils.rest_utils import verify_rest_response
from requests import Response

from search.tracking.deleted import SearchDeleted
from search.tracking.edits import delete_runs
from search.tracking.ownership import claim
from search.tracking.read.history import load_history
from search.tracking.store import (
    NoStore,
    create_store,
    ensure_experiment,
    is_refusal,
    open_client,
    tags_of,
    while_away,
)
from search.tracking.summary import find_summary
from tests.support.stores import Store, new_store


@pytest.mark.slow
def test_two_processes_can_create_the_store_at_once(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'new' / 'mlflow.db'}"
    program = f"from search.tracking.store import *; c = create_store({uri!r}); " + (
        f"print(ensure_experiment(c, 'demo', {uri!r}))"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]  # fmt: skip
    outputs = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert outputs[0][0] == outputs[1][0], "two experiments of one name"


def test_a_folder_is_refused_with_a_fix(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="sqlite:///"):
        open_client(str(tmp_path))


def test_a_dead_server_is_named_within_seconds() -> None:
    with pytest.raises(ConnectionError, match=r"127\.0\.0\.1:9 .*--tracking-uri"):
        open_client("http://127.0.0.1:9")


def test_a_store_that_another_process_holds_is_named_with_a_fix(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.tracking.store.CREATION_LOCK_SECONDS", 0.05)
    with (
        FileLock(tmp_path / "mlflow.db.lock"),
        pytest.raises(ConnectionError, match=r"mlflow\.db cannot be opened: .*lock.*; fix: "),
    ):
        open_client(store.uri)


def test_a_store_whose_folder_cannot_be_made_is_named_with_a_fix(tmp_path: Path) -> None:
    (tmp_path / "images.npz").write_text("a file, where the folder of the store would be")
    with pytest.raises(ConnectionError, match=r"images\.npz/mlflow\.db cannot be opened.*fix: "):
        create_store(f"sqlite:///{tmp_path / 'images.npz' / 'mlflow.db'}")


def test_a_reader_says_that_there_is_no_store_and_creates_nothing(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'typo' / 'mlflow.db'}"
    for read in (open_client, load_history):
        with pytest.raises(NoStore, match=r"no file .*typo/mlflow\.db\); fix: correct this URI"):
            read(uri)
    assert not list(tmp_path.iterdir())


def test_a_reader_makes_no_tables_in_a_database_of_another_program(tmp_path: Path) -> None:
    file = tmp_path / "study.db"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE studies (study_id INTEGER)")
    before = file.read_bytes()
    with pytest.raises(NoStore, match="a database without MLflow's tables"):
        open_client(f"sqlite:///{file}")
    assert file.read_bytes() == before


def test_a_password_is_not_in_what_a_reader_says_of_a_missing_store() -> None:
    assert "secret" not in str(NoStore("postgresql://me:secret@host/runs", "no tables"))


def test_an_action_is_tried_again_while_the_store_is_away_and_then_says_for_how_long() -> None:
    slept: list[float] = []
    answers = [ConnectionError("gone"), MlflowException("API request failed")]

    def action() -> str:
        if answers:
            raise answers.pop(0)
        return "written"

    assert while_away(action, 60, slept.append) == "written"
    assert slept == [1, 2]
    answers += [ConnectionError("gone")] * 9
    with pytest.raises(ConnectionError, match="away for 7 s: gone"):
        while_away(action, 5, slept.append)


def test_what_another_try_does_not_fix_is_not_tried_again() -> None:
    def action() -> None:
        raise MlflowException("no such run", RESOURCE_DOES_NOT_EXIST)

    with pytest.raises(MlflowException, match="no such run"):
        while_away(action, 60, lambda seconds: pytest.fail("it waits"))


def test_an_error_without_a_text_is_told_by_its_name() -> None:
    def action() -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError, match="away for 0 s: ConnectionError"):
        while_away(action, 0)


def test_a_store_in_trouble_is_not_one_without_the_run(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(LookupError, match="no run 'abc' in this store; fix: name a trial as"):
        tags_of(store.client, "abc")

    def away(run_id: str) -> None:
        raise MlflowException("the server is away")

    monkeypatch.setattr(store.client, "get_run", away)
    with pytest.raises(MlflowException, match="the server is away"):
        tags_of(store.client, "abc")


def test_a_deleted_experiment_stays_deleted_and_a_new_one_takes_its_place(store: Store) -> None:
    said: list[str] = []
    store.trial(0)
    store.trial(1)
    store.writer().drain()
    store.client.delete_run(store.runs()[0].info.run_id)  # one by itself, and then all
    store.client.delete_experiment(store.experiment)
    new = ensure_experiment(store.client, "demo", store.uri, said.append)
    assert store.client.get_experiment(new).name == "demo (2)"
    assert store.client.get_experiment(store.experiment).lifecycle_stage == "deleted"
    assert len(load_history(store.uri)) == 0
    assert len(said) == 1 and "'demo' was deleted" in said[0] and "'demo (2)'" in said[0]
    assert said[0].endswith(f"mlflow experiments restore --experiment-id {store.experiment})")
    assert ensure_experiment(store.client, "demo", store.uri) == new  # as long as it is there
    store.client.delete_experiment(new)
    third = ensure_experiment(store.client, "demo", store.uri)
    assert store.client.get_experiment(third).name == "demo (3)"
    store.client.restore_experiment(store.experiment)
    assert ensure_experiment(store.client, "demo", store.uri, said.append) == store.experiment
    assert len(said) == 1


def test_the_experiment_that_replaces_a_deleted_one_is_found_by_its_name(store: Store) -> None:
    store.client.delete_experiment(store.experiment)
    again = new_store(store.folder.parents[1], "demo-2")
    again.trial(0)
    again.writer().drain()
    for pattern in ("demo", "demo (2)", "de*"):
        assert load_history(again.uri, [pattern]).searches.keys() == {"demo-2"}
    assert not load_history(again.uri, ["demo (3)"]).searches


@pytest.mark.parametrize("how", ["run", "experiment"])
def test_a_deleted_search_is_not_found_and_the_message_says_how_to_restore_it(
    store: Store, how: str
) -> None:
    store.trial(0)
    store.writer().drain()
    if how == "run":
        delete_runs(store.client, find_summary(store.client, "demo-1"))
        fix = (
            f"its summary run was deleted in the store; fix: mlflow runs restore --run-id "
            f"{store.summary_run}, and those of its 1 trial likewise"
        )
    else:
        store.client.delete_experiment(store.experiment)
        fix = (
            "its experiment 'demo' was deleted in the store; fix: mlflow experiments restore "
            f"--experiment-id {store.experiment}"
        )
    with pytest.raises(SearchDeleted, match="demo-1 was deleted") as error:
        find_summary(store.client, "demo")
    assert str(error.value) == f"demo-1 was deleted: {fix}"
    with pytest.raises(LookupError, match="no search is called 'other'"):
        find_summary(store.client, "other")


@pytest.mark.parametrize(
    ("status", "text", "is_refused"),
    [
        (403, "Permission denied", True),  # MLflow's own users and permissions answer with text
        (404, '{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such run"}', True),
        (500, '{"error_code": "INVALID_STATE", "message": "it was deleted"}', True),
        (400, '{"error_code": "INVALID_PARAMETER_VALUE", "message": "too long"}', True),
        (404, "<html>no such page</html>", False),  # of a proxy, while the server starts
        (401, "You are not authenticated", False),
        (429, "slow down", False),
        (500, "Internal Server Error", False),
        (503, "starting", False),
    ],
)
def test_a_servers_refusal_is_told_from_its_trouble(
    status: int, text: str, is_refused: bool
) -> None:
    answer = Response()
    answer.status_code, answer._content = status, text.encode()
    with pytest.raises(MlflowException) as error:
        verify_rest_response(answer, "/api/2.0/mlflow/runs/log-batch")
    assert is_refusal(error.value) is is_refused


def test_a_search_that_was_deleted_before_its_driver_began_is_not_claimed(store: Store) -> None:
    store.client.delete_run(store.summary_run)
    with pytest.raises(SearchDeleted, match="fix: mlflow runs restore"):
        claim(store.client, store.summary_run, store.folder, "me:1:1", watch_seconds=0)
    assert not list(store.folder.glob("generation-*"))

"""Every command that reads a dead or invalid tracking store says so in a sentence."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.commands import Said
from tests.support.proxies import answering
from tests.support.servers import free_port
from tests.support.stored_search import Stored


@pytest.fixture
def broken_server() -> Iterator[str]:
    """A web server that is not MLflow."""

    with answering(lambda _: (404, "<h1>no such page</h1>")) as port:
        yield f"http://127.0.0.1:{port}"


def dead_server() -> str:
    return f"http://127.0.0.1:{free_port()}"


@pytest.mark.parametrize("arguments", [["history"], ["show", "hills"], ["resume", "hills"]])
def test_a_dead_tracking_server_is_reported_within_seconds(
    cli: Callable[..., Said], arguments: list[str]
) -> None:
    uri, began = dead_server(), time.monotonic()
    said = cli(*arguments, "--tracking-uri", uri)
    assert said.code == 2
    assert f"tracking server {uri} does not answer" in said.err and "--tracking-uri" in said.err
    assert time.monotonic() - began < 10


def test_a_server_that_is_not_mlflow_is_reported_in_a_sentence(
    cli: Callable[..., Said], broken_server: str
) -> None:
    said = cli("history", "--tracking-uri", broken_server)
    assert said.code == 2 and broken_server in said.err


@pytest.mark.parametrize("uri", ["results/mlruns", "file:///tmp/mlruns"])
def test_a_folder_of_runs_is_refused_with_what_to_use(cli: Callable[..., Said], uri: str) -> None:
    said = cli("history", "--tracking-uri", uri)
    assert said.code == 2 and "sqlite:///" in said.err


def test_a_file_that_is_not_a_store_is_refused(cli: Callable[..., Said], tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("this is no database, and long enough to look at" * 100)
    said = cli("history", "--tracking-uri", f"sqlite:///{tmp_path / 'text.db'}")
    assert said.code == 2 and "cannot be opened" in said.err


@pytest.mark.parametrize(
    "arguments",
    [["history"], ["show", "hills"], ["report", "hills"], ["compare", "hills", "dunes"], ["ui"],
     ["resume", "hills"], ["note", "hills", "Wrong split."], ["stop", "hills"],
     ["delete", "hills"], ["attack", "hills#1"], ["explain", "hills#1"],
     ["export", "hills#1", "folder"]],
)  # fmt: skip
def test_a_mistyped_path_is_reported_and_no_store_is_created(
    cli: Callable[..., Said], tmp_path: Path, arguments: list[str]
) -> None:
    uri = f"sqlite:///{tmp_path / 'typo.db'}"
    said = cli(*arguments, "--tracking-uri", uri)
    assert said.code == 2 and "Traceback" not in said.err
    assert f"there is no tracking store at {uri}" in said.err and "fix: " in said.err
    assert not list(tmp_path.iterdir())


def test_a_review_before_the_first_search_goes_on_without_history_and_creates_no_store(
    cli: Callable[..., Said], tmp_path: Path, spec: Path
) -> None:
    (tmp_path / "results").mkdir()
    uri = f"sqlite:///{tmp_path / 'results' / 'mlflow.db'}"
    said = cli("review", spec, "--tracking-uri", uri)
    assert said.code == 0
    assert f"there is no tracking store at {uri}" in said.out
    assert "0 trials of 0 earlier searches" in said.out
    assert not list((tmp_path / "results").iterdir())


def test_the_projects_own_store_may_be_missing_before_the_first_search(
    cli: Callable[..., Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = f"sqlite:///{tmp_path / 'results' / 'mlflow.db'}"
    monkeypatch.setattr("search.cli.store.PROJECT_STORE", uri)
    said = cli("history", "--tracking-uri", uri)
    assert said.code == 0
    assert said.out.strip() == f"No search yet: the first `twentieth run SPEC` creates {uri}."
    said = cli("history", "--json", "--tracking-uri", uri)
    assert said.code == 0 and json.loads(said.out) == {"searches": []}
    assert not list(tmp_path.iterdir())


def test_a_server_needs_no_second_page(cli: Callable[..., Said]) -> None:
    said = cli("ui", "--tracking-uri", "http://127.0.0.1:5000")
    assert said.code == 2 and "open it in a browser" in said.err


def test_a_store_that_lets_nobody_write_is_a_sentence(
    cli: Callable[..., Said], store: Stored, tmp_path: Path
) -> None:
    copy = store.copied(tmp_path)
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as database:
        refusal = "SELECT RAISE(ABORT, 'permission denied for table tags')"
        database.execute(f"CREATE TRIGGER refuse BEFORE INSERT ON tags BEGIN {refusal}; END")
    said = cli("note", "hills", "Wrong split.", "--tracking-uri", copy.uri)
    assert said.code == 2 and "Traceback" not in said.err
    assert "permission denied for table tags" in said.err and "fix: " in said.err

"""A database of another MLflow is refused with a fix and left as it is; unknown tables are told."""

from __future__ import annotations

import contextlib
import logging
import shutil
import sqlite3
from pathlib import Path

import mlflow
import mlflow.store.db_migrations
import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect

from search.cluster.tracking_store import check_tracking_store
from search.tracking import schema
from search.tracking.read import history, sql_reader
from search.tracking.read.history import load_history
from search.tracking.schema import KNOWN, installed_revisions, revision_of, unknown_revision
from search.tracking.store import open_client
from tests.support.foreign_stores import empty_store
from tests.support.runs_by_hand import Hand

BEFORE = "75868b020152"  # MLflow 3.17 made the revision after this one


def changed(folder: Path, statement: str) -> str:
    """Returns the URI of a store after a statement of SQL."""
    uri = empty_store(folder)
    with contextlib.closing(sqlite3.connect(uri.removeprefix("sqlite:///"))) as connection:
        connection.execute(statement)
        connection.commit()
    return uri


def test_the_schema_of_the_installed_mlflow_is_known_so_that_a_new_one_is_added_on_purpose() -> (
    None
):
    assert installed_revisions()[-1] in KNOWN, (
        f"MLflow {mlflow.__version__} has new tables: add its schema to KNOWN when the tests that "
        "docs/guides/mlflow_versions.md lists pass with it"
    )


def test_the_revisions_are_those_that_alembic_reads() -> None:
    scripts = ScriptDirectory(mlflow.store.db_migrations.__path__[0])
    revisions = installed_revisions()
    assert revisions[-1] == scripts.get_current_head()
    assert set(revisions) == {each.revision for each in scripts.walk_revisions()}


def test_all_tables_and_columns_that_are_read_without_mlflow_are_in_its_database(
    tmp_path: Path,
) -> None:
    found = inspect(create_engine(empty_store(tmp_path)))
    for table in (
        sql_reader.RUNS, sql_reader.TAGS, sql_reader.PARAMS, sql_reader.METRICS, sql_reader.LATEST,
        sql_reader._INPUTS, sql_reader._INPUT_TAGS, sql_reader._DATASETS,
    ):  # fmt: skip
        columns = {each["name"] for each in found.get_columns(table.name)}
        assert {each.name for each in table.columns} <= columns, table.name


def test_an_older_store_is_refused_and_not_upgraded_though_mlflow_would(tmp_path: Path) -> None:
    # With a table missing, as if a later version of MLflow had added it: MLflow upgrades then.
    uri = changed(tmp_path, f"UPDATE alembic_version SET version_num = '{BEFORE}'")
    file = tmp_path / "mlflow.db"
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("DROP TABLE jobs")
        connection.commit()
    before = file.read_bytes()
    with pytest.raises(ValueError) as refused:
        open_client(uri)
    said = str(refused.value)
    assert f"older MLflow (schema {BEFORE})" in said and f"mlflow db upgrade {uri}" in said
    assert "stop every search and every server" in said and "make a copy" in said
    assert file.read_bytes() == before


def test_a_newer_store_is_refused_with_its_version_and_without_an_upgrade(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(KNOWN, "ffffffffffff", "9.9")
    uri = changed(tmp_path, "UPDATE alembic_version SET version_num = 'ffffffffffff'")
    with pytest.raises(ValueError) as refused:
        open_client(uri)
    said = str(refused.value)
    assert "newer MLflow (MLflow 9.9)" in said and "install mlflow==9.9.*" in said
    assert mlflow.__version__ in said and "upgrade" not in said


def test_doctor_says_that_a_store_is_of_another_mlflow(tmp_path: Path) -> None:
    uri = changed(tmp_path, f"UPDATE alembic_version SET version_num = '{BEFORE}'")
    (check,) = check_tracking_store(uri, is_cluster=False)
    assert check.status == "fail" and "mlflow db upgrade" in check.fix and "older" in check.found


def test_a_password_does_not_stand_in_what_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "revision_of", lambda uri: BEFORE)
    with pytest.raises(ValueError) as refused:
        schema.refuse_other_schema("postgresql://me:secret@db.example.org/mlflow")
    assert "secret" not in str(refused.value)


@pytest.fixture
def unknown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Hand:
    """A store of the installed MLflow, whose schema this version of ours does not know."""
    hand = Hand(tmp_path)
    for lr in (0.1, 0.2):
        hand.log({"lr": lr}, {"loss": [1.0, lr]}, start=1_760_000_000_000 + int(10 * lr))
    monkeypatch.setattr(schema, "KNOWN", {"of the past": "3.0"})
    history._say_once.cache_clear()
    return hand


def test_a_store_whose_tables_are_unknown_is_read_through_the_client_and_that_is_said_once(
    unknown: Hand, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("tables are read that nobody knows")

    monkeypatch.setattr(history, "Database", fail)
    assert unknown_revision(unknown.uri) == revision_of(unknown.uri) != ""
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            found = load_history(unknown.uri)
    assert [trial.curves for trial in found.prior_trials()] == [
        {"loss": {1: 1.0, 2: lr}} for lr in (0.1, 0.2)
    ]
    (said,) = [record.getMessage() for record in caplog.records]
    assert "through MLflow's client" in said and "fix: install a newer Twentieth" in said


def test_what_was_read_through_the_client_is_the_same_as_from_the_tables(
    unknown: Hand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    through_client = load_history(unknown.uri).trials.to_pylist()
    shutil.rmtree(tmp_path / "cache")
    monkeypatch.setattr(schema, "KNOWN", {revision_of(unknown.uri): "this"})
    assert load_history(unknown.uri).trials.to_pylist() == through_client


def test_doctor_warns_of_a_store_whose_tables_are_unknown(unknown: Hand) -> None:
    check = next(iter(check_tracking_store(unknown.uri, is_cluster=False)))
    assert check.status == "warning" and "not known" in check.found


@pytest.mark.parametrize("statement", ["DELETE FROM alembic_version", "DROP TABLE alembic_version"])
def test_a_database_without_a_revision_is_left_to_mlflow(tmp_path: Path, statement: str) -> None:
    assert revision_of(changed(tmp_path, statement)) == ""

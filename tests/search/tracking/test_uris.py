"""A database, its lock, cache and artifacts lie in one folder, whatever the folder is called."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from search.cluster.tracking_store import check_tracking_store
from search.tracking.artifacts import read_text
from search.tracking.read.cache import folder_for
from search.tracking.read.history import load_history
from search.tracking.store import ensure_experiment, open_client
from search.tracking.uris import artifact_location, check_uri, client_uri, database_path, store_uri
from tests.support.stores import migrated_store, new_store

ODD = [
    "plain", "sp ace", "job%2Fbranch", "per%cent", "100%", "what?now", "ha#sh", "am&p", "ünï",
    "a%zz", "co:lon", "at@home", "[x]", "st*r", "pl+us", "new\nline",
]  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_the_uri_of_a_file_means_this_file(tmp_path: Path, name: str) -> None:
    for file in (tmp_path / name / "mlflow.db", Path(name) / "mlflow.db"):
        uri = store_uri(file)
        assert database_path(uri) == file.absolute()
        check_uri(uri)
    (tmp_path / name).mkdir()
    check_uri(store_uri(tmp_path / name / "mlflow.db"))


def test_a_usual_path_is_written_as_it_is() -> None:
    assert store_uri(Path("/data/a b/mlflow.db")) == "sqlite:////data/a b/mlflow.db"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["job%2Fbranch", "a b?c#d&ü"])
def test_all_files_of_a_store_lie_in_its_folder(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    shutil.copy(migrated_store(), folder / "mlflow.db")
    store = new_store(folder)
    store.trial(0)
    store.writer().drain()
    assert len(load_history(store.uri).prior_trials()) == 1
    assert folder_for(store.uri).parent.parent == folder
    assert read_text(store.client, store.summary_run, "spec.yaml") == "name: demo\n"
    assert {each.name for each in folder.iterdir()} == {
        "artifacts", "cache", "mlflow.db", "mlflow.db.lock", "storage",
    }  # fmt: skip
    assert [each.name for each in tmp_path.iterdir()] == [name]  # MLflow made no other


def test_a_link_to_a_folder_is_kept_and_one_to_a_file_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "mlflow.db").touch()
    (tmp_path / "folder").symlink_to("real")
    (tmp_path / "file.db").symlink_to("real/mlflow.db")
    assert database_path(store_uri(tmp_path / "folder/mlflow.db")) == tmp_path / "folder/mlflow.db"
    assert database_path(store_uri(tmp_path / "file.db")) == tmp_path / "real" / "mlflow.db"


def test_other_stores_and_those_in_memory_have_no_file() -> None:
    others = [
        "http://host:5000",
        "postgresql://me:a%2Fb@host/runs",
        "sqlite://",
        "sqlite:///:memory:",
    ]
    assert [database_path(uri) for uri in others] == [None] * 4
    assert [client_uri(uri) for uri in others] == others


@pytest.mark.parametrize("name", ["job%2Fbranch", "what?now"])
def test_a_path_that_is_written_without_codes_is_refused_at_once(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    file = tmp_path / name / "results" / "mlflow.db"
    with pytest.raises(ValueError, match=r"means .*fix: for") as refused:
        open_client(f"sqlite:///{file}")
    assert str(file) in str(refused.value)
    assert str(refused.value).endswith(f"write {store_uri(file)}")
    (check,) = check_tracking_store(f"sqlite:///{file}", is_cluster=False)
    assert check.status == "fail" and store_uri(file) in f"{check.found} {check.fix}"
    assert list(tmp_path.rglob("*")) == [tmp_path / name]


def test_codes_of_a_uri_that_is_well_written_are_decoded(tmp_path: Path) -> None:
    check_uri(f"sqlite:///{tmp_path}/new%20folder/mlflow.db?timeout=30")
    found = database_path(f"sqlite:///{tmp_path}/new%20folder/mlflow.db?timeout=30")
    assert found == tmp_path / "new folder" / "mlflow.db"


@pytest.mark.parametrize("ending", ["", "/"])
def test_a_folder_instead_of_a_file_is_refused_at_once(tmp_path: Path, ending: str) -> None:
    with pytest.raises(ValueError, match="is a folder") as refused:
        open_client(f"sqlite:///{tmp_path}{ending}")
    assert str(refused.value).endswith(f": sqlite:///{tmp_path}/mlflow.db")


@pytest.mark.parametrize("uri", ["sqlite://results/mlflow.db", "sqlite:results/mlflow.db"])
def test_a_wrong_number_of_slashes_is_refused_with_the_right_one(uri: str) -> None:
    with pytest.raises(ValueError, match=r"fix: write sqlite:///results/mlflow\.db"):
        open_client(uri)


def test_a_name_that_is_not_text_is_refused(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    with pytest.raises(ValueError, match=r"not UTF-8.*fix: rename"):
        open_client(store_uri(folder / "mlflow.db"))


def test_a_database_that_cannot_be_opened_is_reported_at_once(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("no database" * 1000)
    began = time.monotonic()
    with pytest.raises(ConnectionError, match=r"mlflow\.db cannot be opened.*fix:"):
        open_client(store_uri(tmp_path / "mlflow.db"))
    assert time.monotonic() - began < 10  # MLflow tries for two minutes


@pytest.mark.slow
def test_no_name_of_an_experiment_leads_out_of_the_folder_of_artifacts(tmp_path: Path) -> None:
    for name in ("..", "../../x", "/etc/x", "a/b", "ü" * 500):
        uri = artifact_location(tmp_path / "mlflow.db", name)
        assert uri.removeprefix((tmp_path / "artifacts").as_uri() + "/").count("/") == 0
    shutil.copy(migrated_store(), tmp_path / "mlflow.db")
    uri = store_uri(tmp_path / "mlflow.db")
    client = open_client(uri)
    run = client.create_run(ensure_experiment(client, "ü" * 500, uri)).info.run_id
    client.log_text(run, "kept", "a.txt")
    assert read_text(client, run, "a.txt") == "kept"

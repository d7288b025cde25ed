from __future__ import annotations

from pathlib import Path

import pytest

from search.cluster.tracking_store import (
    check_access,
    check_params,
    check_tracking_store,
    server_check,
)
from search.spec import spec_from_yaml
from search.tracking.server import ServerAnswer
from tests.support.stores import new_store

FAR = "https://mlflow.example.org"
DIGITS = Path(__file__).resolve().parents[3] / "search" / "specs" / "digits.yaml"


@pytest.mark.slow
def test_a_store_without_stale_runs_passes(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    checks = list(check_tracking_store(store.uri, is_cluster=False))
    assert checks[0].status == "pass"


@pytest.mark.slow
def test_a_store_in_a_file_is_a_warning_on_a_cluster(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    assert next(iter(check_tracking_store(store.uri, is_cluster=True))).status == "warning"


def test_a_store_that_does_not_exist_yet_passes_and_is_not_created(tmp_path: Path) -> None:
    (check,) = check_tracking_store(f"sqlite:///{tmp_path / 'mlflow.db'}", is_cluster=False)
    assert check.status == "pass"
    assert not list(tmp_path.iterdir())


def test_a_dead_server_and_a_file_that_is_no_store_fail(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("this is no database, " * 100)
    for uri in ("http://127.0.0.1:9", f"sqlite:///{tmp_path / 'mlflow.db'}"):
        (check,) = check_tracking_store(uri, is_cluster=False)
        assert check.status == "fail" and "--tracking-uri" in check.fix
    assert not list(check_access("http://127.0.0.1:9")), "reported twice"


@pytest.mark.slow
def test_runs_that_a_dead_driver_left_are_a_warning_that_names_the_search(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.start(0)
    store.writer().drain()
    stale = list(check_tracking_store(store.uri, is_cluster=False))[-1]
    assert stale.status == "warning" and f"resume {store.search}" in stale.fix


def test_a_server_that_answers_unauthenticated_clients_fails_unless_it_is_on_loopback() -> None:
    check = server_check(FAR, ServerAnswer(200, False))
    assert check.status == "fail" and "basic-auth" in check.fix
    assert server_check("http://127.0.0.1:5000", ServerAnswer(200, False)).status == "pass"
    assert server_check(FAR, ServerAnswer(401, False)).status == "pass"
    assert server_check(FAR, ServerAnswer(404, False)).status == "fail"


def test_the_check_of_a_refused_host_header_says_how_to_fix_it() -> None:
    check = server_check("http://head:5000", ServerAnswer(403, True))
    assert check.status == "fail" and "--allowed-hosts head:5000" in check.fix


def test_a_password_is_never_shown() -> None:
    check = server_check("https://me:secret@mlflow.example.org", ServerAnswer(200, False))
    assert "secret" not in check.found + check.fix


def test_a_database_that_every_user_may_write_fails(tmp_path: Path) -> None:
    file = tmp_path / "mlflow.db"
    file.write_text("")
    file.chmod(0o644)
    assert [check.status for check in check_access(f"sqlite:///{file}")] == ["pass"]
    file.chmod(0o666)
    (check,) = check_access(f"sqlite:///{file}")
    assert check.status == "fail" and "chmod o-w" in check.fix


@pytest.mark.parametrize(("length", "status"), [(6_000, "pass"), (6_001, "fail")])
def test_a_choice_that_mlflow_would_cut_fails(length: int, status: str) -> None:
    text = DIGITS.read_text()
    spec = spec_from_yaml(text)
    optimizer = spec.space["optimizer"].model_copy(update={"choices": ("sgd", "a" * length)})
    spec = spec.model_copy(update={"space": {**spec.space, "optimizer": optimizer}})
    check = check_params(spec)
    assert check.status == status
    assert status == "pass" or "optimizer" in check.found

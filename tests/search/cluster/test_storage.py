from __future__ import annotations

from pathlib import Path

import pytest

from search.cluster import storage
from search.cluster.nodes import ThisMachine
from search.cluster.storage import check_storage
from tests.support.pretended_nodes import PretendedNodes


@pytest.fixture(autouse=True)
def without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "VISIBLE_WITHIN_SECONDS", 0.0)


def test_a_folder_that_all_share_passes_and_is_left_unchanged(tmp_path: Path) -> None:
    check = check_storage(PretendedNodes(), tmp_path)
    assert check.status == "pass" and "2 nodes" in check.found
    assert not list(tmp_path.iterdir())


def test_this_machine_needs_a_folder_that_it_may_write(tmp_path: Path) -> None:
    check = check_storage(ThisMachine(), tmp_path / "new")
    assert check.status == "pass"


def test_a_folder_that_is_local_to_a_node_fails_and_names_it(tmp_path: Path) -> None:
    shared, local = tmp_path / "shared", tmp_path / "local"
    local.mkdir()
    check = check_storage(PretendedNodes(folders={"b": local}), shared)
    assert check.status == "fail"
    assert "b does not see what" in check.found and "not shared" in check.found
    assert not list(local.iterdir()), "the node's own file stays behind"


def test_a_folder_that_is_missing_on_a_node_is_not_created_there(tmp_path: Path) -> None:
    missing, shared = tmp_path / "missing", tmp_path / "shared"
    check = check_storage(PretendedNodes(folders={"b": missing}), shared)
    assert check.status == "fail" and "b: FileNotFoundError" in check.found
    assert not missing.exists()
    assert not list(shared.iterdir()), "the other node's file stays behind"


def test_a_file_in_place_of_the_folder_fails(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    check = check_storage(ThisMachine(), tmp_path / "file")
    assert check.status == "fail" and "--results" in check.fix

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST

from search.tracking.store import open_client, while_away


@pytest.mark.slow
def test_two_processes_can_create_the_store_at_once(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'new' / 'mlflow.db'}"
    program = f"from search.tracking.store import *; c = open_client({uri!r}); " + (
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


def test_a_file_that_is_not_a_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("this is no database, " * 100)
    with pytest.raises(ConnectionError, match="cannot be opened"):
        open_client(f"sqlite:///{tmp_path / 'mlflow.db'}")


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

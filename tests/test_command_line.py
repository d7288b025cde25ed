"""The command line: what it says and the number it exits with. Nothing here starts Ray."""

from __future__ import annotations

import http.server
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from search import __main__ as command_line
from search import reporting
from search.tracking.store import open_client
from search.tracking.summary import find_summary
from tests.launches import hills
from tests.search.test_launching import FUNCTION, Stored, stored

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = ["run", "resume", "review", "history", "show", "report", "export", "attack",
            "ui", "launch", "attach", "doctor"]  # fmt: skip


@dataclass(frozen=True)
class Said:
    """What a command said, and the number it exited with."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    return stored(tmp_path_factory.getbasetemp())


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Runs a command in this process."""

    def run(*arguments: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["twentieth", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            command_line.main()
        said = capsys.readouterr()
        return Said(int(ended.value.code or 0), said.out, said.err)

    return run


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "hills.yaml"
    path.write_text(yaml.safe_dump(hills("two_hills")))
    return path


@pytest.fixture
def broken_server() -> Iterator[str]:
    """A web server that is no MLflow."""

    class NotFound(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404)

        do_POST = do_GET

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), NotFound)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def dead_server() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def test_these_are_all_the_commands() -> None:
    commands = [command.callback for command in command_line.app.registered_commands]
    assert [callback.__name__ for callback in commands if callback] == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example(
    cli: Callable[..., Said], command: str
) -> None:
    said = cli(command, "--help")
    assert said.code == 0
    assert f"Example: twentieth {command}" in " ".join(said.out.split())


def test_without_a_command_the_commands_are_listed(cli: Callable[..., Said]) -> None:
    said = cli()
    assert all(command in said.out + said.err for command in COMMANDS)


@pytest.mark.parametrize("command", ["run", "review"])
def test_a_wrong_spec_is_refused_with_all_its_mistakes_and_their_lines(
    cli: Callable[..., Said], tmp_path: Path, store: Stored, command: str
) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(
        "name: wrong\n"
        "task: {name: hills, model: 'python:tests.functions:two_hills'}\n"
        "objectives: [{metric: left, direction: upwards}]\n"
        "space:\n"
        "  x: {type: float, low: 2, high: 1}\n"
        "bugdet: {trials: 3, epochs: 2}\n"
    )
    said = cli(command, path, "--tracking-uri", store.uri)
    assert said.code == 2
    for line, mistake in ((3, "upwards"), (5, "space.x"), (6, "Did you mean `budget`?")):
        assert any(
            f"{path}:{line}" in text and mistake in text for text in said.err.splitlines()
        ), said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize("setting", ["budget.trails=3", "nonsense", "budget.trials=none"])
def test_a_wrong_setting_is_refused(cli: Callable[..., Said], spec: Path, setting: str) -> None:
    said = cli("review", spec, "--set", setting)
    assert said.code == 2 and setting.partition("=")[0] in said.err


def test_a_spec_that_is_not_there_is_refused(cli: Callable[..., Said], tmp_path: Path) -> None:
    said = cli("review", tmp_path / "absent.yaml")
    assert said.code == 2 and "absent.yaml" in said.err and "Traceback" not in said.err


@pytest.mark.parametrize("command", ["show", "report", "resume"])
def test_an_unknown_search_is_refused_with_those_there_are(
    cli: Callable[..., Said], store: Stored, command: str
) -> None:
    said = cli(command, "nothing-0101", "--tracking-uri", store.uri)
    assert said.code == 2
    assert "no search is called 'nothing-0101'" in said.err and store.search in said.err


@pytest.mark.parametrize("command", ["show", "report", "resume"])
def test_an_empty_store_has_no_search_yet(
    cli: Callable[..., Said], store: Stored, command: str
) -> None:
    said = cli(command, "hills", "--tracking-uri", store.empty_uri)
    assert said.code == 2 and "Searches in this store: none yet" in said.err


@pytest.mark.parametrize("arguments", [["history"], ["show", "hills"], ["resume", "hills"]])
def test_a_dead_tracking_server_is_said_within_seconds(
    cli: Callable[..., Said], arguments: list[str]
) -> None:
    uri, began = dead_server(), time.monotonic()
    said = cli(*arguments, "--tracking-uri", uri)
    assert said.code == 2
    assert f"tracking server {uri} does not answer" in said.err and "--tracking-uri" in said.err
    assert time.monotonic() - began < 10


def test_a_server_that_is_no_mlflow_is_said_in_a_sentence(
    cli: Callable[..., Said], broken_server: str
) -> None:
    said = cli("history", "--tracking-uri", broken_server)
    assert said.code == 2 and broken_server in said.err


@pytest.mark.parametrize("uri", ["results/mlruns", "file:///tmp/mlruns"])
def test_a_folder_of_runs_is_refused_with_what_to_use(cli: Callable[..., Said], uri: str) -> None:
    said = cli("history", "--tracking-uri", uri)
    assert said.code == 2 and "sqlite:///" in said.err


def test_a_file_that_is_no_store_is_refused(cli: Callable[..., Said], tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("this is no database, and long enough to look at" * 100)
    said = cli("history", "--tracking-uri", f"sqlite:///{tmp_path / 'text.db'}")
    assert said.code == 2 and "cannot be opened" in said.err


def test_resuming_a_function_named_by_the_store_must_be_allowed(
    cli: Callable[..., Said], store: Stored
) -> None:
    said = cli("resume", store.search, "--trials", "2", "--tracking-uri", store.uri)
    assert said.code == 2 and f"--allow-function {FUNCTION}" in said.err
    assert find_summary(open_client(store.uri), store.search).trials_budget == 5


def test_a_new_store_has_an_empty_history(cli: Callable[..., Said], store: Stored) -> None:
    said = cli("history", "--tracking-uri", store.empty_uri)
    assert said.code == 0 and said.out.split()[:2] == ["search", "task"]


def test_history_lists_a_search_with_its_whole_id(cli: Callable[..., Said], store: Stored) -> None:
    assert store.search in cli("history", "--tracking-uri", store.uri).out


def test_show_explains_a_search_and_one_trial_of_it(
    cli: Callable[..., Said], store: Stored
) -> None:
    assert "2 complete, 1 failed" in cli("show", "hills", "--tracking-uri", store.uri).out
    said = cli("show", "hills", "--trial", "1", "--tracking-uri", store.uri)
    assert said.code == 0 and "It comes from the portfolio" in said.out
    missing = cli("show", "hills", "--trial", "9", "--tracking-uri", store.uri)
    assert missing.code == 2 and "has no trial 9" in missing.err


def test_review_says_what_would_be_tried_and_why(
    cli: Callable[..., Said], store: Stored, spec: Path
) -> None:
    said = cli("review", spec, "--tracking-uri", store.uri)
    assert said.code == 0
    assert said.out.count("\ntry       {") == 3 and said.out.count("\n          because: It ") == 3


def test_review_says_how_history_was_fitted_to_this_space(
    cli: Callable[..., Said], store: Stored, spec: Path
) -> None:
    arguments = ("--set", "space.x.low=2.5", "--tracking-uri", store.uri)
    said = cli("review", spec, *arguments)
    assert f"review    narrowed: x -2..3 in {store.search}, 2.5..3 here: " in said.out
    # An interrupted trial has no end.
    assert "review    left out: 1 trial, because interrupted: it has no end" in said.out
    (decision,) = json.loads(cli("review", spec, *arguments, "--json").out)["decisions"]
    assert decision["kind"] == "narrowed" and decision["search"] == store.search


@pytest.mark.parametrize("of", ["uri", "empty_uri"])
def test_review_for_programs_is_json_and_nothing_else(
    cli: Callable[..., Said], store: Stored, spec: Path, of: str
) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    said = cli("review", spec, "--json", "--tracking-uri", getattr(store, of))
    document = json.loads(said.out, parse_constant=refuse)
    assert said.code == 0
    assert document.keys() == {
        "task", "experience", "decisions", "trials_left_out", "first_configurations", "rejected",
    }  # fmt: skip
    assert document["task"] == store.plan.task
    assert len(document["first_configurations"]) == 3
    assert all(-2 <= each["configuration"]["x"] <= 3 for each in document["first_configurations"])


def test_review_lists_what_was_left_out_when_asked(
    cli: Callable[..., Said], store: Stored, spec: Path, tmp_path: Path
) -> None:
    copy = store.copied(tmp_path)
    foreign = open_client(copy.uri).create_run(copy.plan.experiment, run_name="by hand")
    silent = cli("review", spec, "--tracking-uri", copy.uri)
    said = cli("review", spec, "--rejected", "--tracking-uri", copy.uri)
    assert "1 runs left out" in silent.out and foreign.info.run_id not in silent.out
    assert f"left out  {foreign.info.run_id} by hand: has no hyperparameter" in said.out


def test_settings_of_the_command_line_change_the_spec(
    cli: Callable[..., Said], store: Stored, spec: Path
) -> None:
    arguments = ("--set", "space.x.low=2.5", "--json", "--tracking-uri", store.empty_uri)
    document = json.loads(cli("review", spec, *arguments).out)
    assert all(2.5 <= each["configuration"]["x"] <= 3 for each in document["first_configurations"])


def test_a_server_needs_no_page_of_ours(cli: Callable[..., Said]) -> None:
    said = cli("ui", "--tracking-uri", "http://127.0.0.1:5000")
    assert said.code == 2 and "open it in a browser" in said.err


def test_it_works_from_any_folder_and_leaves_nothing_there(
    cli: Callable[..., Said],
    store: Stored,
    spec: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    said = cli("review", "../hills.yaml", "--json", "--tracking-uri", store.empty_uri)
    assert json.loads(said.out)["task"] == store.plan.task
    assert list(Path.cwd().iterdir()) == []


def test_a_shell_sees_the_exit_code_and_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text("name: wrong\n")
    ended = subprocess.run(
        [sys.executable, "-m", "search", "run", "wrong.yaml"],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "wrong.yaml" in ended.stderr and "Traceback" not in ended.stderr


def test_a_folder_that_may_not_be_written_is_named(
    cli: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "/elsewhere/results")

    monkeypatch.setattr(reporting, "report", refuse)
    said = cli("report", "hills")
    assert said.code == 2 and "Permission denied: '/elsewhere/results'" in said.err


def test_results_that_cannot_be_a_folder_are_refused(
    cli: Callable[..., Said], store: Stored, tmp_path: Path
) -> None:
    copy = store.copied(tmp_path)
    said = cli("report", "hills", "--tracking-uri", copy.uri, "--results", tmp_path / "mlflow.db")
    assert said.code == 2 and "mlflow.db" in said.err


def test_a_mistake_of_ours_is_not_called_a_search_that_is_alive(
    cli: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unfinished(*_: object) -> None:
        raise NotImplementedError

    monkeypatch.setattr(reporting, "report", unfinished)
    with pytest.raises(NotImplementedError):  # a traceback, which is what a bug report needs
        cli("report", "hills")

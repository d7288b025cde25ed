"""The command line as a whole: its commands, from any folder, and as a shell sees them.

Nothing here starts Ray.
"""

from __future__ import annotations

import gc
import importlib.metadata
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from search import __main__ as command_line
from search.spec import Spec
from tests.support.commands import Said
from tests.support.stored_search import Stored

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = ["run", "resume", "repeat", "review", "data", "history", "show", "compare", "schema",
            "report", "export", "attack", "explain", "ui", "stop", "note", "rename", "delete",
            "import-sweep", "import-runs", "import-study", "launch", "attach",
            "doctor"]  # fmt: skip


def test_these_are_all_the_commands() -> None:
    commands = [command.callback for command in command_line.app.registered_commands]
    names = [callback.__name__.replace("_", "-") for callback in commands if callback]
    assert names == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example(
    cli: Callable[..., Said], command: str
) -> None:
    said = cli(command, "--help")
    assert said.code == 0
    assert f"Example: twentieth {command}" in " ".join(said.out.split())


def test_a_command_does_not_look_for_garbage_at_its_end(
    cli: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    at_the_end: list[object] = []
    monkeypatch.setattr("search.optimize.garbage.atexit.register", at_the_end.append)
    cli("schema", "history")
    assert gc.freeze in at_the_end


@pytest.mark.parametrize("command", COMMANDS)
def test_the_short_option_for_help_does_the_same(cli: Callable[..., Said], command: str) -> None:
    assert cli(command, "-h") == cli(command, "--help")


def test_the_version_is_that_of_the_package_and_its_commit(cli: Callable[..., Said]) -> None:
    said = cli("--version")
    version = importlib.metadata.version("twentieth")
    assert said.code == 0
    assert re.fullmatch(rf"twentieth {re.escape(version)}( \(commit \S+\))?\n", said.out)


@pytest.mark.slow
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_of_a_shell_is_a_script_for_the_installed_name(shell: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "search"], capture_output=True, text=True, check=True,
        env=os.environ | {"PYTHONPATH": str(ROOT), "_TWENTIETH_COMPLETE": f"source_{shell}"},
    )  # fmt: skip
    assert "_TWENTIETH_COMPLETE" in ended.stdout and "twentieth" in ended.stdout


def test_without_a_command_the_commands_are_listed(cli: Callable[..., Said]) -> None:
    said = cli()
    assert all(command in said.out + said.err for command in COMMANDS)


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


def test_run_changes_the_spec_as_its_options_say(
    cli: Callable[..., Said], spec: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(checked: Spec, *_: object, **__: object) -> None:
        asked.append(checked)
        raise ValueError("no further")

    asked: list[Spec] = []
    monkeypatch.setattr("search.pipeline.prepare", stop)
    cli("run", spec, "--cold", "--trials", 7, "--seed", 3, "--set", "budget.epochs=2")
    cli("run", spec)
    changed, plain = asked
    assert (changed.history.enabled, plain.history.enabled) == (False, True)
    assert (changed.budget.trials, changed.budget.epochs, changed.seed) == (7, 2, 3)


@pytest.mark.slow
def test_a_shell_sees_the_exit_code_and_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text("name: wrong\n")
    ended = subprocess.run(
        [sys.executable, "-m", "search", "run", "wrong.yaml"],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "wrong.yaml" in ended.stderr and "Traceback" not in ended.stderr


def test_an_error_in_our_code_is_a_traceback(
    cli: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unfinished(*_: object) -> None:
        raise NotImplementedError

    monkeypatch.setattr("search.report.report.publish_report", unfinished)
    with pytest.raises(NotImplementedError):  # a bug report needs the traceback
        cli("report", "hills")

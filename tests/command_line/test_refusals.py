"""A mistake of the user, in a spec or a search's name, is a sentence and the exit code 2."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from search.tracking.store import open_client
from search.tracking.summary import find_summary
from tests.support.commands import Said
from tests.support.stored_search import FUNCTION, Stored


@pytest.mark.parametrize("command", ["run", "review"])
def test_a_wrong_spec_is_refused_with_all_its_mistakes_and_their_lines(
    cli: Callable[..., Said], tmp_path: Path, store: Stored, command: str
) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(
        "name: wrong\n"
        "task: {name: hills, train: 'python:tests.support.functions:two_hills'}\n"
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


def test_a_spec_that_does_not_exist_is_refused(cli: Callable[..., Said], tmp_path: Path) -> None:
    said = cli("review", tmp_path / "absent.yaml")
    assert said.code == 2 and "absent.yaml" in said.err and "Traceback" not in said.err


@pytest.mark.parametrize("command", ["show", "report", "resume"])
def test_an_unknown_search_is_refused_with_the_known_ones(
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


def test_resuming_a_function_named_by_the_store_must_be_allowed(
    cli: Callable[..., Said], store: Stored
) -> None:
    said = cli("resume", store.search, "--trials", "2", "--tracking-uri", store.uri)
    assert said.code == 2 and f"--allow-code {FUNCTION}" in said.err
    assert find_summary(open_client(store.uri), store.search).trials_budget == 5


def test_a_folder_that_may_not_be_written_is_named(
    cli: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "/elsewhere/results")

    monkeypatch.setattr("search.report.report.publish_report", refuse)
    said = cli("report", "hills")
    assert said.code == 2 and "Permission denied: '/elsewhere/results'" in said.err


def test_results_that_cannot_be_a_folder_are_refused(
    cli: Callable[..., Said], store: Stored, tmp_path: Path
) -> None:
    copy = store.copied(tmp_path)
    said = cli("report", "hills", "--tracking-uri", copy.uri, "--results", tmp_path / "mlflow.db")
    assert said.code == 2 and "mlflow.db" in said.err

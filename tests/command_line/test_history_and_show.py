"""`history` and `show`: the earlier searches, one of them, and one trial of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from search.tracking.store import create_store
from tests.support.commands import Said
from tests.support.stored_search import Stored
from tests.support.stores import with_newer_experiments


def test_a_new_store_has_an_empty_history_and_is_named(
    cli: Callable[..., Said], store: Stored
) -> None:
    said = cli("history", "--tracking-uri", store.empty_uri)
    assert said.code == 0 and said.out == f"No search in {store.empty_uri}.\n"


def test_a_store_of_another_tool_is_not_said_to_be_worth_nothing(
    cli: Callable[..., Said], tmp_path: Path
) -> None:
    uri = f"sqlite:///{tmp_path / 'other.db'}"
    client = create_store(uri)
    experiment = client.create_experiment("by hand")
    for rate in (0.1, 0.2):
        run = client.create_run(experiment).info.run_id
        client.log_param(run, "rate", rate)
        client.log_metric(run, "accuracy", 0.9)
        client.set_terminated(run)
    said = cli("history", "--tracking-uri", uri)
    assert said.code == 0 and said.out.startswith(f"No search in {uri}. 2 runs of other tools")
    assert "`twentieth review SPEC`" in " ".join(said.out.split())


def test_no_search_that_fits_is_not_called_an_empty_store(
    cli: Callable[..., Said], store: Stored
) -> None:
    said = cli("history", "--task", "other", "--tracking-uri", store.uri)
    assert said.out == f"No search that fits in {store.uri}.\n"


def test_history_lists_a_search_with_its_whole_id(cli: Callable[..., Said], store: Stored) -> None:
    assert store.search in cli("history", "--tracking-uri", store.uri).out


def test_show_explains_a_search_and_one_trial_of_it(
    cli: Callable[..., Said], store: Stored
) -> None:
    assert "2 complete, 1 failed" in cli("show", "hills", "--tracking-uri", store.uri).out
    said = cli("show", "hills#1", "--tracking-uri", store.uri)
    assert said.code == 0 and "It comes from the portfolio" in said.out
    missing = cli("show", "hills#9", "--tracking-uri", store.uri)
    assert missing.code == 2 and "has no trial 9" in missing.err


def test_a_log_is_asked_for_of_one_trial(cli: Callable[..., Said], store: Stored) -> None:
    whole = cli("show", "hills", "--log", "--tracking-uri", store.uri)
    assert whole.code == 2 and "fix: add its number, such as hills#7" in whole.err
    said = cli("show", "hills#1", "--log", "--tracking-uri", store.uri)
    assert said.code == 2 and "trial 1 of" in said.err and "has no log" in said.err


@pytest.mark.parametrize("arguments", [("history",), ("show", "hills"), ("show", "hills#2")])
def test_json_is_all_that_is_printed(
    cli: Callable[..., Said], store: Stored, arguments: tuple[str, ...]
) -> None:
    said = cli(*arguments, "--json", "--tracking-uri", store.uri)
    assert said.code == 0 and store.search in json.dumps(json.loads(said.out))


def test_history_is_filtered(cli: Callable[..., Said], store: Stored) -> None:
    def listed(*options: str) -> bool:
        return store.search in cli("history", *options, "--tracking-uri", store.uri).out

    assert listed(
        "--task", "hills", "--state", "interrupted", "--since", "2020-01-31", "--last", "1"
    )
    assert not listed("--task", "other") and not listed("--since", "2999-01-01")
    wrong = cli("history", "--state", "done", "--tracking-uri", store.uri)
    assert wrong.code == 2 and "fix: --state with one of interrupted" in wrong.err


def test_a_schema_is_printed(cli: Callable[..., Said]) -> None:
    assert json.loads(cli("schema", "history").out)["title"] == "HistoryDocument"
    assert cli("schema", "histroy").code == 2


@pytest.mark.slow
def test_a_search_is_found_behind_more_newer_experiments_than_a_page_has(
    cli: Callable[..., Said], store: Stored, spec: Path, tmp_path: Path
) -> None:
    found = store.copied(tmp_path)
    with_newer_experiments(tmp_path / "mlflow.db", 1_200)
    for words in (["history"], ["show", "hills"], ["review", spec]):
        said = cli(*words, "--tracking-uri", found.uri)
        assert said.code == 0 and found.search in said.out, said

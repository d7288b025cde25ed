"""`stop`, `note`, `rename` and `delete`: what they answer, and what they refuse."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from search.pipeline import prepare, resumed_plan
from search.spec.own_code import Allowed
from search.tracking import tag_names
from search.tracking.ownership import owner_name
from search.tracking.read.history import load_history
from search.tracking.stop_requests import StopRequests, read_stop_requests
from search.tracking.store import open_client
from search.tracking.summary import create_summary, find_summary
from tests.support.commands import Said
from tests.support.launches import hills
from tests.support.stored_search import FUNCTION, Stored, hills_spec, silent


@pytest.fixture
def copy(store: Stored, tmp_path: Path) -> Stored:
    return store.copied(tmp_path)


@pytest.fixture
def running(copy: Stored) -> Stored:
    """The search runs, in this process, and so does its trial 3."""
    client = open_client(copy.uri)
    tags = {
        tag_names.STATE: "running", tag_names.OWNER: owner_name(), tag_names.GENERATION: "1",
        tag_names.HEARTBEAT: str(int(time.time())),
    }  # fmt: skip
    for name, text in tags.items():
        client.set_tag(copy.plan.summary_run, name, text)
    (trial,) = (each for each in history_of(copy) if each.number == 3)
    client.set_tag(trial.run_id, tag_names.STATE, "running")
    client.update_run(trial.run_id, status="RUNNING")
    return copy


def history_of(stored: Stored) -> list:
    return load_history(stored.uri, searches=[stored.search]).prior_trials(state=None)


def requests_in(stored: Stored) -> StopRequests:
    tags = open_client(stored.uri).get_run(stored.plan.summary_run).data.tags
    return read_stop_requests(tags, generation=1)


def test_stop_asks_the_driver_and_says_how_to_go_on(
    cli: Callable[..., Said], running: Stored
) -> None:
    said = cli("stop", "hills", "--tracking-uri", running.uri)
    assert said.code == 0 and f"twentieth resume {running.search}" in said.out
    found = requests_in(running)
    assert found.search is not None and not found.search.lets_trials_finish and not found.trials
    cli("stop", "hills", "--finish", "--tracking-uri", running.uri)
    found = requests_in(running)
    assert found.search is not None and found.search.lets_trials_finish


def test_stop_asks_for_one_trial_alone(cli: Callable[..., Said], running: Stored) -> None:
    said = cli("stop", f"{running.search}#3", "--tracking-uri", running.uri)
    assert said.code == 0 and f"asked {running.search} to stop trial 3" in said.out
    assert requests_in(running).search is None and list(requests_in(running).trials) == [3]


@pytest.mark.parametrize(
    ("trial", "answer"),
    [("#0", "is not running: it is complete; running are: 3"),
     ("#9", "has no trial 9; running are: 3"), ("#x", "is no trial; fix: write SEARCH#TRIAL")],
)  # fmt: skip
def test_only_a_running_trial_is_stopped(
    cli: Callable[..., Said], running: Stored, trial: str, answer: str
) -> None:
    said = cli("stop", f"hills{trial}", "--tracking-uri", running.uri)
    assert said.code == 2 and answer in said.err and requests_in(running) == StopRequests()


def test_letting_one_trial_finish_is_no_stop(cli: Callable[..., Said], running: Stored) -> None:
    said = cli("stop", "hills#3", "--finish", "--tracking-uri", running.uri)
    assert said.code == 2 and "--finish is for a whole search; fix" in said.err


def test_a_search_that_does_not_run_is_not_stopped(cli: Callable[..., Said], store: Stored) -> None:
    for reference in ("hills", "hills#0"):
        said = cli("stop", reference, "--tracking-uri", store.uri)
        assert said.code == 2 and f"{store.search} is not running: it is interrupted" in said.err
    said = cli("stop", "hilsl", "--tracking-uri", store.uri)
    assert said.code == 2 and f"Did you mean {store.search}?" in said.err


@pytest.mark.slow
def test_a_note_and_a_name_are_shown_and_the_id_stays(
    cli: Callable[..., Said], copy: Stored
) -> None:
    uri = ("--tracking-uri", copy.uri)
    assert cli("note", "hills", "Wrong split.", *uri).out == f"{copy.search}: Wrong split.\n"
    said = cli("rename", "hills", "baseline", *uri)
    assert said.out == f"{copy.search} is now called baseline; commands find it by both\n"
    shown = cli("show", "baseline", *uri).out
    assert shown.startswith(copy.search) and "\nnote: Wrong split.\n" in shown
    assert cli("note", "baseline", "", "--replace", *uri).out == f"{copy.search}: no note\n"


@pytest.mark.slow
def test_delete_asks_first_and_says_where_the_checkpoints_stay(
    cli: Callable[..., Said], copy: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([False, True])

    def confirm(text: str, abort: bool) -> None:
        if not next(answers):
            raise SystemExit(1)

    monkeypatch.setattr("typer.confirm", confirm)
    said = cli("delete", "hills", "--tracking-uri", copy.uri)
    assert said.code == 1 and f"its checkpoints stay in {copy.plan.storage}" in said.out
    assert len(history_of(copy)) == 4
    said = cli("delete", "hills", "--tracking-uri", copy.uri)
    assert said.code == 0 and "deleted 5 runs; to restore one: mlflow runs restore" in said.out
    assert load_history(copy.uri).searches == {}


def test_delete_with_files_removes_the_folder_of_this_search_alone(
    cli: Callable[..., Said], copy: Stored, tmp_path: Path
) -> None:
    storage = tmp_path / "storage" / copy.search
    for folder in (storage, storage.with_name("another-search")):
        folder.mkdir(parents=True)
        (folder / "generation-1").touch()
    client = open_client(copy.uri)
    client.set_tag(copy.plan.summary_run, tag_names.STORAGE, str(storage))
    said = cli("delete", "hills", "--yes", "--with-files", "--tracking-uri", copy.uri)
    assert said.code == 0 and f"its checkpoints are lost for good: {storage}" in said.out
    assert [each.name for each in (tmp_path / "storage").iterdir()] == ["another-search"]


def test_delete_leaves_all_where_the_storage_is_not_the_search_s(
    cli: Callable[..., Said], copy: Stored, tmp_path: Path
) -> None:
    open_client(copy.uri).set_tag(copy.plan.summary_run, tag_names.STORAGE, str(tmp_path))
    said = cli("delete", "hills", "--yes", "--with-files", "--tracking-uri", copy.uri)
    assert said.code == 2 and "is not a folder that" in said.err
    assert len(history_of(copy)) == 4 and tmp_path.exists()


def test_a_running_search_is_not_deleted(cli: Callable[..., Said], running: Stored) -> None:
    said = cli("delete", "hills", "--yes", "--tracking-uri", running.uri)
    assert said.code == 3 and "it is being run by" in said.err
    assert f"twentieth stop {running.search}" in said.err
    assert len(history_of(running)) == 4


@pytest.mark.slow
def test_a_search_that_learned_from_a_deleted_one_is_resumed(
    cli: Callable[..., Said], copy: Stored, tmp_path: Path
) -> None:
    client, spec = open_client(copy.uri), hills_spec()
    prepared = prepare(spec, copy.uri, say=silent)
    create_summary(
        client, copy.plan.experiment, search="later-1", task=prepared.task,
        fingerprint=prepared.fingerprint, spec_yaml=yaml.safe_dump(hills("two_hills")),
        space_json=prepared.space.to_json(), objectives=spec.objectives,
        storage=tmp_path / "later-1", trials_budget=2, numbers={"epochs": 4, "seed": 0},
        warm_started_from=[copy.search], environment={},
    )  # fmt: skip
    assert cli("delete", "hills-", "--yes", "--tracking-uri", copy.uri).code == 0
    plan = resumed_plan(
        "later-1", copy.uri, more_trials=0, hours=None, address=None,
        allowed=Allowed(FUNCTION.removeprefix("python:")), say=silent,
    )  # fmt: skip
    assert plan.search == "later-1" and not plan.prior.same_task
    assert find_summary(client, "later-1").warm_started_from == (copy.search,)

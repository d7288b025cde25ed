"""What was read is cached: the next read fetches only what is new or changed."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks.internal.big_store import fill
from search.tracking.read import cache
from search.tracking.read.history import load_history
from search.tracking.read.sql_reader import Database
from tests.support.foreign_stores import all_run_ids, assert_accounted_for
from tests.support.runs_by_hand import Hand
from tests.support.stores import new_store

FETCHED: list[str] = []


@pytest.fixture
def hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hand:
    """Three runs that were read before; later fetches are recorded in FETCHED."""
    hand = Hand(tmp_path)
    for lr in (0.1, 0.2, 0.3):
        hand.log({"lr": lr}, {"loss": [1.0, lr]}, start=1_760_000_000_000 + int(10 * lr))
    hand.history()
    fetch = Database.fetch

    def watched(
        self: Database, experiment: str, runs: Sequence[str], *rest: Any, **more: Any
    ) -> Any:
        FETCHED.extend(runs)
        return fetch(self, experiment, runs, *rest, **more)

    monkeypatch.setattr(Database, "fetch", watched)
    FETCHED.clear()
    return hand


def configurations(hand: Hand) -> list[float]:
    return sorted(trial.configuration["lr"] for trial in hand.trials())


def test_a_second_read_fetches_nothing_and_gives_the_same_history(hand: Hand) -> None:
    history = hand.history()
    assert FETCHED == []
    assert [trial.curves for trial in history.prior_trials()] == [
        {"loss": {1: 1.0, 2: lr}} for lr in (0.1, 0.2, 0.3)
    ]


def test_only_new_runs_are_fetched(hand: Hand) -> None:
    new = hand.log({"lr": 0.4}, {"loss": [0.5]})
    assert configurations(hand) == [0.1, 0.2, 0.3, 0.4]
    assert FETCHED == [new]


def test_a_running_run_is_fetched_again_when_it_continued(hand: Hand) -> None:
    run = hand.log({"lr": 0.4}, {"loss": [0.5]}, status=None)
    assert {trial.run_id: trial.state for trial in hand.trials()}[run] == "running"
    hand.client.log_metric(run, "loss", 0.25, step=2)
    (trial,) = (trial for trial in hand.trials() if trial.run_id == run)
    assert trial.curves == {"loss": {1: 0.5, 2: 0.25}}
    hand.client.set_terminated(run)
    assert {trial.run_id: trial.state for trial in hand.trials()}[run] == "complete"
    assert FETCHED == [run, run, run]


@pytest.mark.parametrize("change", ["tag", "param", "metric", "name"])
def test_a_finished_run_that_was_changed_is_fetched_again(hand: Hand, change: str) -> None:
    run = hand.trials()[0].run_id
    if change == "tag":
        hand.client.set_tag(run, "dataset", "digits")
    elif change == "param":
        hand.client.log_param(run, "width", 3)
    elif change == "metric":
        hand.client.log_metric(run, "loss", 0.5, step=9)
    else:
        hand.client.update_run(run, name="another")
    hand.history()
    assert FETCHED == [run]


def test_a_tag_of_equal_length_is_noticed_too(hand: Hand) -> None:
    run = hand.trials()[0].run_id
    for name in ("mnist", "emnis"):
        hand.client.set_tag(run, "dataset", name)
        names = {
            search.fingerprint.get("data", {}).get("name")
            for search in hand.history().searches.values()
        }
        assert name in names


def test_deleted_and_restored_runs_are_noticed(hand: Hand) -> None:
    run = hand.trials()[0].run_id
    hand.client.delete_run(run)
    assert configurations(hand) == [0.2, 0.3]
    assert "deleted" in hand.reason(run)
    hand.client.restore_run(run)
    assert configurations(hand) == [0.1, 0.2, 0.3]


def test_an_experiment_that_was_renamed_is_read_under_its_new_name(hand: Hand) -> None:
    hand.client.rename_experiment(hand.experiment, "yours")
    assert hand.history().tasks() == ["mlflow:yours"]
    assert FETCHED == []


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_a_file_that_was_not_written_is_not_queried(
    hand: Hand, monkeypatch: pytest.MonkeyPatch, journal: str
) -> None:
    connection = sqlite3.connect(hand.uri.removeprefix("sqlite:///"))
    connection.execute(f"PRAGMA journal_mode = {journal}")
    monkeypatch.setattr("search.tracking.read.sql_reader.SETTLED_SECONDS", 0.05)
    time.sleep(0.1)
    hand.history()
    asked: list[int] = []
    run = Database._run
    monkeypatch.setattr(Database, "_run", lambda self, some: asked.append(1) or run(self, some))
    # The empty default experiment is queried for runs, tags, params and metrics; ours is not.
    assert configurations(hand) == [0.1, 0.2, 0.3]
    assert len(asked) == 4
    hand.log({"lr": 0.4}, {"loss": [1.0]})
    assert configurations(hand) == [0.1, 0.2, 0.3, 0.4]
    connection.close()


def test_what_could_not_be_cached_is_read_again(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.tracking.read.sql_reader.SETTLED_SECONDS", 0.05)
    with monkeypatch.context() as full:
        full.setattr("search.tracking.read.cache.pq.write_table", _raise_disk_full)
        hand.log({"lr": 0.4}, {"loss": [1.0]})
        time.sleep(0.1)
        assert configurations(hand) == [0.1, 0.2, 0.3, 0.4]
    assert configurations(hand) == [0.1, 0.2, 0.3, 0.4]


def _raise_disk_full(*_: Any) -> None:
    raise OSError(28, "No space left on device")


def files(hand: Hand) -> list[Path]:
    folder = cache.folder_for(hand.uri)
    assert folder.parent.parent == Path(hand.uri.removeprefix("sqlite:///")).parent
    return sorted(folder.glob("*.parquet"))


@pytest.mark.parametrize("junk", [b"", b"junk", b"PAR1" + b"\0" * 100 + b"PAR1"])
@pytest.mark.parametrize("kind", ["runs", "trials"])
def test_a_damaged_cache_is_ignored(hand: Hand, junk: bytes, kind: str) -> None:
    for file in files(hand):
        if kind in file.name:
            file.write_bytes(junk)
    assert configurations(hand) == [0.1, 0.2, 0.3]


def test_a_truncated_cache_is_ignored(hand: Hand) -> None:
    for file in files(hand):
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    assert configurations(hand) == [0.1, 0.2, 0.3]


def test_a_cache_of_another_version_is_replaced(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "VERSION", cache.VERSION + 1)
    assert configurations(hand) == [0.1, 0.2, 0.3]
    assert len(FETCHED) == 3


def test_a_cache_with_another_schema_is_replaced(hand: Hand) -> None:
    runs, trials = (
        next(file for file in files(hand) if f"{hand.experiment}.{kind}" in file.name)
        for kind in ("runs", "trials")
    )
    first, second = runs.read_bytes(), trials.read_bytes()
    runs.write_bytes(second)
    trials.write_bytes(first)
    assert configurations(hand) == [0.1, 0.2, 0.3]


def test_without_a_writable_folder_only_the_cache_is_lost(
    hand: Hand, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(
        "search.tracking.read.history.folder_for", lambda uri: tmp_path / "file" / "x"
    )
    assert configurations(hand) == [0.1, 0.2, 0.3]


def test_a_store_that_is_not_a_file_is_cached_in_the_users_cache() -> None:
    folder = cache.folder_for("postgresql://me:secret@host/mlflow")
    assert "twentieth" in str(folder) and "secret" not in str(folder)
    assert folder != cache.folder_for("postgresql://me:secret@host/other")


def test_the_cache_of_another_store_is_not_used(tmp_path: Path) -> None:
    first, second = Hand(tmp_path / "first"), Hand(tmp_path / "second")
    first.log({"lr": 0.1}, {"loss": [1.0]})
    second.log({"lr": 0.7}, {"loss": [1.0]})
    assert configurations(first) == [0.1]
    shutil.copytree(cache.folder_for(first.uri), cache.folder_for(second.uri))
    assert configurations(second) == [0.7]


@pytest.mark.slow
def test_our_own_trials_are_cached_too_and_their_end_is_noticed(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.trial(0)
    store.start(1)
    store.writer().drain()
    first = load_history(store.uri)
    again = load_history(store.uri)
    assert again.trials.equals(first.trials) and again.searches == first.searches
    store.journal.append("end", number=1, state="failed", epoch=0, values=[], reason="because")
    store.writer().drain()
    states = {
        trial.number: trial.state for trial in load_history(store.uri).prior_trials(state=None)
    }
    assert states == {0: "complete", 1: "failed"}


def test_without_a_table_the_store_is_read_through_the_client(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sqlalchemy

    before = hand.history().trials
    missing = sqlalchemy.table(
        "tags_of_mlflow_9", *map(sqlalchemy.column, ("run_uuid", "key", "value"))
    )
    monkeypatch.setattr("search.tracking.read.sql_reader.TAGS", missing)
    assert hand.history().trials.equals(before)
    assert FETCHED == []


@pytest.mark.slow
def test_two_processes_can_read_at_once(tmp_path: Path) -> None:
    hand = Hand(tmp_path)
    fill(tmp_path / "mlflow.db", hand.experiment, first=0, runs=300, steps=20)
    program = (
        f"from search.tracking.read.history import load_history; h = load_history({hand.uri!r}); "
        "print(len(h), sum(len(c) for t in h.prior_trials() for c in t.curves.values()))"
    )
    readers = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    # 300 runs with two metrics of 20 steps each.
    assert [reader.communicate(timeout=120)[0].strip() for reader in readers] == ["300 12000"] * 2
    assert_accounted_for(load_history(hand.uri), all_run_ids(hand.uri))

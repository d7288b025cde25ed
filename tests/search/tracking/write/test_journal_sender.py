"""The journal reaches the store in order and once, whatever fails."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from search.tracking import tag_names
from search.tracking.summary import settle
from search.tracking.write.journal import Journal, save_sent_offset
from tests.support.stores import Store, new_store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return new_store(tmp_path, "demo-2")


def test_sending_the_whole_journal_twice_changes_nothing(store: Store) -> None:
    store.trial(0)
    store.trial(1, state="failed")
    store.writer().drain()
    before = {run.info.run_id: (run.info.status, run.data.metrics) for run in store.runs()}
    save_sent_offset(store.folder, 0)
    store.writer().drain()  # a new writer knows no runs, as after kill -9
    after = {run.info.run_id: (run.info.status, run.data.metrics) for run in store.runs()}
    assert before == after
    for run_id in before:
        points = store.client.get_metric_history(run_id, "left")
        assert len(points) == len({point.step for point in points})


def test_a_lost_answer_to_create_run_creates_no_second_run(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.trial(0)
    create = store.client.create_run

    def create_and_lose_the_answer(*arguments: object, **options: object) -> None:
        create(*arguments, **options)
        raise ConnectionResetError("the answer was lost")

    monkeypatch.setattr(store.client, "create_run", create_and_lose_the_answer)
    writer = store.writer()
    with pytest.raises(ConnectionResetError):
        writer.drain()
    monkeypatch.setattr(store.client, "create_run", create)
    writer.drain()
    assert len(store.runs("FINISHED")) == len(store.runs()) == 1


@pytest.mark.slow
def test_a_store_that_is_down_for_a_while_loses_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_batch, failures = store.client.log_batch, iter([True, True, False])

    def away(*arguments: object, **options: object) -> None:
        if next(failures, False):
            raise ConnectionError("the server is away")
        log_batch(*arguments, **options)

    monkeypatch.setattr(store.client, "log_batch", away)
    monkeypatch.setattr("search.tracking.write.journal_sender.LONGEST_PAUSE_SECONDS", 0.1)
    writer = store.writer()
    writer.start()
    store.trial(0)
    store.trial(1)
    assert writer.close(timeout_seconds=20) == 0
    assert len(store.runs("FINISHED")) == 2


@pytest.mark.slow
def test_unsent_events_are_counted_and_kept(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*arguments: object, **options: object) -> None:
        raise ConnectionError("the server is away")

    with monkeypatch.context() as patch:
        patch.setattr(store.client, "log_batch", away)
        patch.setattr("search.tracking.write.journal_sender.LONGEST_PAUSE_SECONDS", 0.1)
        writer = store.writer()
        writer.start()
        store.trial(0)
        assert writer.close(timeout_seconds=1) > 0
    store.writer().drain()
    assert len(store.runs("FINISHED")) == 1


def test_a_writer_of_an_old_generation_stops_writing(store: Store) -> None:
    store.client.set_tag(store.summary_run, tag_names.GENERATION, "2")
    writer = store.writer(generation=1)
    writer.start()
    assert writer.has_lost_ownership.wait(10)
    store.trial(0)
    writer.close(timeout_seconds=1)
    assert store.runs() == []


def test_events_that_a_replaced_driver_still_writes_are_not_sent(store: Store) -> None:
    store.trial(0)
    successor = store.writer(generation=2)
    store.trial(1)  # the journal of generation 1, still open in the replaced driver
    Journal(store.folder, generation=2).append("driver", message="took over")
    successor.drain()
    assert [run.data.tags[tag_names.NUMBER] for run in store.runs()] == ["0"]


def test_tags_that_somebody_broke_do_not_end_the_sending(store: Store) -> None:
    store.client.set_tag(store.summary_run, tag_names.GENERATION, "the second")
    for number in ({}, {tag_names.NUMBER: "first"}):
        tags = {tag_names.KIND: "trial", tag_names.SEARCH: store.search, **number}
        store.client.create_run(store.experiment, tags=tags)
    store.trial(0)
    store.writer().drain()
    assert len(store.runs("FINISHED")) == 1
    assert settle(store.client, store.experiment, store.search)["merged"] == 0


@pytest.mark.slow
def test_the_heartbeat_continues_while_a_backlog_is_sent(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.tracking.write.journal_sender.HEARTBEAT_SECONDS", 0.0)
    beats = []
    set_tag = store.client.set_tag

    def counted(run: str, name: str, value: str) -> None:
        beats.append(name == tag_names.HEARTBEAT)
        set_tag(run, name, value)

    monkeypatch.setattr(store.client, "set_tag", counted)
    for number in range(5):  # one write each
        store.trial(number)
    store.writer().drain()
    assert sum(beats) >= 5


@pytest.mark.slow
def test_a_writer_survives_storage_that_cannot_be_read_or_written_for_a_while(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("search.tracking.write.journal_sender.LONGEST_PAUSE_SECONDS", 0.1)

    def refuses(*_: object) -> None:
        raise OSError(5, "Input/output error")

    writer = store.writer()
    with monkeypatch.context() as away:
        for name in ("read_events", "save_sent_offset"):
            away.setattr(f"search.tracking.write.journal_sender.{name}", refuses)
        writer.start()
        store.trial(0)
        deadline = time.monotonic() + 20
        while "is not available" not in caplog.text:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    assert writer.close(timeout_seconds=20) == 0
    assert len(store.runs("FINISHED")) == len(store.runs()) == 1

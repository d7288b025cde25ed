"""A writer with a backlog sends events in groups and saves what has arrived."""

from __future__ import annotations

import pytest

from search.tracking.write.journal import read_events, sent_offset
from tests.support.stores import Store, counted, refusing, run_of


@pytest.mark.parametrize("waiting", [1, 20])
def test_a_backlog_of_epochs_of_a_trial_is_one_write(
    store: Store, monkeypatch: pytest.MonkeyPatch, waiting: int
) -> None:
    writer = store.writer()
    for number in range(3):
        store.start(number)
    writer.drain()
    calls = counted(store.client, monkeypatch)
    for epoch in range(1, waiting + 1):
        for number in range(3):
            store.epoch(number, epoch)
    writer.drain()
    assert calls["log_batch"] == 3 and writer.unsent_bytes() == 0


def test_the_backlog_of_a_long_outage_is_sent_in_portions(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.tracking.write.journal_sender.EVENTS_AT_ONCE", 4)
    for number in range(3):
        store.trial(number, epochs=5)
    store.writer().drain()
    for run in store.runs("FINISHED"):
        points = store.client.get_metric_history(run.info.run_id, "left")
        assert [point.step for point in points] == [1, 2, 3, 4, 5]
    assert len(store.runs("FINISHED")) == len(store.runs()) == 3


def three_trials_of_which_one_fails(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two epochs of three trials wait, interleaved, and the store refuses those of trial 1."""
    for number in range(3):
        store.start(number)
    store.writer().drain()
    for epoch in (1, 2):
        for number in range(3):
            store.epoch(number, epoch)
    away = ConnectionError("the server is away")
    refusing(store, monkeypatch, run_of(store, 1).info.run_id, away)


def test_the_offset_never_passes_an_unsent_event(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        three_trials_of_which_one_fails(store, patch)
        with pytest.raises(ConnectionError):
            store.writer().drain()
    waiting = read_events(store.folder, sent_offset(store.folder))
    assert next((event.fields["number"], event.fields["epoch"]) for event in waiting) == (1, 1)
    store.writer().drain()  # of another process, which sends some events again
    for run in store.runs():
        points = store.client.get_metric_history(run.info.run_id, "left")
        assert [(point.step, point.value) for point in points] == [(1, 0.1), (2, 0.2)]


def test_what_was_sent_before_a_failure_is_not_sent_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = store.writer()
    with monkeypatch.context() as patch:
        three_trials_of_which_one_fails(store, patch)
        with pytest.raises(ConnectionError):
            writer.drain()
    calls = counted(store.client, monkeypatch)
    writer.drain()
    assert calls["log_batch"] == 2  # of trials 1 and 2; that of trial 0 is already there

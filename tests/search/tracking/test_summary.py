"""Settling corrects the runs that a dead driver left behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from search.tracking import tag_names
from search.tracking.summary import settle
from tests.support.stores import Store, new_store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return new_store(tmp_path)


def test_settling_interrupts_running_trials_and_leaves_ended_ones(store: Store) -> None:
    store.trial(0)
    store.start(1)
    store.writer().drain()
    counts = settle(store.client, store.experiment, store.search)
    assert counts == {"interrupted": 1, "merged": 0}
    states = {run.data.tags[tag_names.NUMBER]: run.info.status for run in store.runs()}
    assert states == {"0": "FINISHED", "1": "KILLED"}
    again = settle(store.client, store.experiment, store.search)
    assert again == {"interrupted": 0, "merged": 0}


def test_of_runs_that_share_a_key_the_one_with_the_most_epochs_stays(
    store: Store,
) -> None:
    store.start(0)
    for epoch in range(1, 4):
        store.epoch(0, epoch)
    store.writer().drain()
    (run,) = store.runs()
    tags = {key: text for key, text in run.data.tags.items() if key.startswith("twentieth.")}
    # A run of the same trial with a later epoch in its tag, but fewer epochs in its metrics.
    store.client.set_tag(run.info.run_id, tag_names.EPOCH, "1")
    other = store.client.create_run(store.experiment, tags=tags | {tag_names.EPOCH: "2"})
    counts = settle(store.client, store.experiment, store.search)
    assert counts == {"interrupted": 1, "merged": 1}
    assert [each.info.run_id for each in store.runs()] == [run.info.run_id]
    assert store.client.get_run(other.info.run_id).info.lifecycle_stage == "deleted"

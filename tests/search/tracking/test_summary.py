"""Settling corrects what a dead driver left behind; a report is published with the search."""

from __future__ import annotations

from pathlib import Path

import pytest

from search.history.lineage import DAMAGED
from search.tracking import tag_names
from search.tracking.summary import LISTED, all_summaries, find_summary, publish_files, settle
from tests.support.stores import Store, new_store


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


@pytest.mark.parametrize("text", ["[" * 4_000, "[1]", "no JSON"])
def test_a_search_whose_tags_somebody_broke_does_not_hide_the_others(
    store: Store, tmp_path: Path, text: str
) -> None:
    broken = new_store(tmp_path, "demo-3")
    broken.client.set_tag(broken.summary_run, tag_names.ENVIRONMENT, text)
    assert [each.search for each in all_summaries(store.client)] == [store.search]


@pytest.mark.parametrize("text", ["[" * 4_000, "[1]", "no JSON", '{"s#1": {"file": "f"}}'])
def test_a_damaged_lineage_makes_the_lineage_unknown_and_not_the_search(
    store: Store, text: str
) -> None:
    store.client.set_tag(store.summary_run, tag_names.LINEAGES, text)
    (found,) = all_summaries(store.client)
    with pytest.raises(ValueError, match=f"^{store.search}: {DAMAGED}"):
        _ = found.initial_weights


def test_a_report_leaves_the_verdict_and_the_totals_with_the_search_and_a_later_one_replaces_them(
    store: Store, tmp_path: Path
) -> None:
    folder = tmp_path / "report"
    folder.mkdir()
    (folder / "report.md").write_text("text")
    for verdict, hypervolume in (("First.", 0.5), ("Second.", 0.25)):
        totals = {"hypervolume": hypervolume, "trials.stopped": 0.0}
        publish_files(store.client, store.summary_run, folder, verdict, totals=totals)
    data = store.client.get_run(store.summary_run).data
    assert data.metrics == {"search/hypervolume": 0.25, "search/trials.stopped": 0.0}
    assert data.tags[tag_names.VERDICT] == data.tags[tag_names.NOTE] == "Second."


def test_an_ambiguous_or_unknown_id_is_answered_with_the_searches_and_what_to_do(
    store: Store, tmp_path: Path
) -> None:
    for number in range(LISTED + 1):
        new_store(tmp_path, f"demo-2{number}")
    with pytest.raises(LookupError) as ambiguous:
        find_summary(store.client, "demo-2")
    assert "several searches begin with 'demo-2'. Searches in this store: demo-21, demo-22" in str(
        ambiguous.value
    )
    assert str(ambiguous.value).endswith("demo-28 and 1 more; fix: name one of these")
    with pytest.raises(LookupError, match=r"no search is called 'other'.*fix: name one of these"):
        find_summary(store.client, "other")

"""Requests to stop a search or a trial: written by anybody, read by the driver, never trusted."""

from __future__ import annotations

import json

import pytest

from search.tracking import tag_names
from search.tracking.stop_requests import StopRequests, read_stop_requests, request_stop
from tests.support.stores import Store


def requests_in(store: Store, generation: int) -> StopRequests:
    return read_stop_requests(store.client.get_run(store.summary_run).data.tags, generation)


def test_two_trials_and_the_search_can_be_stopped_one_after_the_other(store: Store) -> None:
    for trial in (3, 11, None):
        request_stop(store.client, store.summary_run, 1, trial=trial, lets_trials_finish=True)
    found = requests_in(store, generation=1)
    assert sorted(found.trials) == [3, 11]
    assert found.search is not None and found.search.lets_trials_finish
    assert found.search.in_words.startswith("stopped by the user (")


def test_a_resumed_search_is_not_stopped_again_but_its_stopped_trials_stay_stopped(
    store: Store,
) -> None:
    for trial in (3, None):
        request_stop(store.client, store.summary_run, 1, trial=trial)
    found = requests_in(store, generation=2)
    assert found.search is None and list(found.trials) == [3]


@pytest.mark.parametrize(
    "text",
    ["", "yes", "1", "[]", '{"by": "ana"}', '{"by": "ana", "generation": "now"}',
     '{"by": "ana", "generation": Infinity}', '{"by": "ana", "generation": null}', "[" * 100_000],
)  # fmt: skip
def test_a_tag_that_is_no_request_is_ignored(text: str) -> None:
    tags = {tag_names.STOP: text, f"{tag_names.STOP_TRIAL}.3": text}
    assert read_stop_requests(tags, 1) == StopRequests()


def test_a_name_from_the_store_stays_short_and_on_one_line() -> None:
    text = json.dumps({"by": "a\nb" * 1_000, "generation": 1})
    found = read_stop_requests({tag_names.STOP: text, f"{tag_names.STOP_TRIAL}.x": text}, 1)
    assert found.search is not None and len(found.search.by) <= 100
    assert "\n" not in found.search.in_words and not found.trials


def test_the_driver_reads_requests_with_its_heartbeat(store: Store) -> None:
    request_stop(store.client, store.summary_run, 1)
    store.trial(0)
    writer = store.writer(generation=1)
    assert writer.stop_requests == StopRequests()
    writer.drain()
    assert writer.stop_requests.search is not None

"""What a request of a user to stop does in a driver: to the search, and to one trial of it."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from optuna.trial import TrialState

from search.optimize.driver import _ended_as_asked, _with_failed_again
from search.optimize.tuner import Tuning
from search.tracking import tag_names
from search.tracking.stop_requests import StopRequest, StopRequests
from search.tracking.write.journal import Journal, read_events
from tests.support.asked_searchers import prior, reported, states
from tests.support.plans import a_plan

ANA = StopRequest("ana@laptop")
PATIENT = StopRequest("ana@laptop", lets_trials_finish=True)


class Search:
    """A search whose users ask for something while it runs, as Tune would run it."""

    def __init__(self, folder: Path) -> None:
        self.asked_for, self.stop, self.folder = StopRequests(), threading.Event(), folder
        plan = a_plan(folder, resources={"parallelism": 2, "cpus": 1})
        self.tuning = Tuning(
            plan, [], Journal(folder), 1, self.stop, lambda: False, lambda: self.asked_for
        )

    def start(self, name: str) -> Any:
        config = self.tuning.searcher.suggest(name)
        trial = SimpleNamespace(trial_id=name, config=config, last_result={}, error_file=None)
        self.tuning.recorder.on_trial_start(0, [], trial)
        return trial

    def end(self, trial: Any, epoch: int) -> None:
        trial.last_result = reported(epoch, left=0.1, right=0.2)
        self.tuning.recorder.on_trial_result(0, [], trial, trial.last_result)
        self.tuning.recorder.on_trial_complete(0, [], trial)

    def told(self, event: str) -> list[dict[str, Any]]:
        return [entry.fields for entry in read_events(self.folder) if entry.name == event]


@pytest.fixture
def search(tmp_path: Path) -> Search:
    return Search(tmp_path)


def test_a_stopped_search_interrupts_its_trials_for_resume_and_says_who_asked(
    search: Search,
) -> None:
    search.start("a")
    assert not search.tuning._must_stop()
    search.asked_for = StopRequests(ANA)
    assert search.tuning._must_stop() and search.tuning._must_stop()
    search.tuning.settle()
    (message,), (end,) = search.told("driver"), search.told("end")
    assert message["message"].startswith("stopped by the user (ana@laptop): no further trial")
    # Not "stopped": samplers take a stopped trial for one that is behind.
    assert end["state"] == "interrupted"
    assert end["reason"] == (
        "interrupted: the search was stopped by the user (ana@laptop); resume continues it"
    )


def test_with_finish_running_trials_end_by_themselves_and_none_begins(search: Search) -> None:
    first = search.start("a")
    search.asked_for = StopRequests(PATIENT)
    assert not search.tuning._must_stop()
    assert search.tuning.searcher.suggest("b") is None
    search.end(first, 3)
    assert search.tuning.searcher.suggest("b") == "FINISHED"
    assert search.tuning.searcher.has_more() and search.tuning.settle() == 0
    assert [end["state"] for end in search.told("end")] == ["complete"]


def test_ctrl_c_comes_before_a_request(search: Search) -> None:
    search.start("a")
    search.asked_for = StopRequests(ANA)
    search.stop.set()
    search.tuning.settle()
    assert search.told("end")[0]["reason"] == "interrupted; resume continues it"


def test_one_trial_is_stopped_after_its_epoch_and_the_other_goes_on(search: Search) -> None:
    first, _ = search.start("a"), search.start("b")
    search.asked_for = StopRequests(trials={0: ANA, 7: ANA})
    assert not search.tuning._must_stop()
    assert search.tuning._must_end("a") and not search.tuning._must_end("b")
    search.end(first, 2)
    (end,) = search.told("end")
    assert (end["number"], end["state"], end["values"]) == (0, "stopped", [])
    assert end["reason"] == "stopped by the user (ana@laptop) after epoch 2"
    assert states(search.tuning.searcher) == [TrialState.PRUNED, TrialState.RUNNING]
    assert isinstance(search.tuning.searcher.suggest("c"), dict)
    messages = [event["message"] for event in search.told("driver")]
    assert messages == ["trial 0 is stopped by the user (ana@laptop), after this epoch"]


def test_a_request_that_comes_after_the_last_epoch_changes_no_result(search: Search) -> None:
    first = search.start("a")
    search.asked_for = StopRequests(trials={0: ANA})
    search.end(first, 3)
    assert search.told("end")[0]["state"] == "complete"


def test_a_stopped_trial_that_loses_its_worker_is_not_started_again(search: Search) -> None:
    first = search.start("a")
    search.asked_for = StopRequests(trials={0: ANA})
    search.tuning.recorder.on_trial_error(0, [], first)
    (end,) = search.told("end")
    assert (end["state"], end["reason"]) == ("stopped", "stopped by the user (ana@laptop)")


def test_a_stopped_trial_that_runs_out_of_memory_is_not_tried_again(search: Search) -> None:
    first, _ = search.start("a"), search.start("b")
    search.asked_for = StopRequests(trials={0: ANA})
    first.last_result = {"epoch": 1, "failure": "MemoryError\nout of memory"}
    search.tuning.recorder.on_trial_complete(0, [], first)
    assert search.told("end")[0]["state"] == "failed"


def test_a_trial_that_its_driver_did_not_live_to_stop_is_not_resumed(tmp_path: Path) -> None:
    journal, asked_for = Journal(tmp_path), StopRequests(trials={0: ANA, 1: ANA})
    interrupted, complete = prior(0, "interrupted", 0.5), prior(1, "complete", 0.5, values=(1, 1))
    assert _ended_as_asked(interrupted, asked_for, journal).state == "stopped"
    assert _ended_as_asked(complete, asked_for, journal) == complete
    other = prior(2, "interrupted", 0.5)
    assert _ended_as_asked(other, asked_for, journal) == other
    (end,) = [event.fields for event in read_events(tmp_path)]
    assert (end["number"], end["state"], end["epoch"]) == (0, "stopped", 3)
    assert end["reason"] == "stopped by the user (ana@laptop) after epoch 3"


@pytest.mark.parametrize(
    ("tag", "state"),
    [("[0, 1]", "interrupted"), ("[1]", "failed"), ("7", "failed"), ("[0", "failed")],
)
def test_trials_that_failed_alike_are_run_again_if_the_store_still_names_them(
    tag: str, state: str
) -> None:
    own = [prior(0, "failed", 0.5), prior(1, "complete", 0.5, values=(1, 1))]
    again, complete = _with_failed_again(own, {tag_names.FAILED_ALIKE: tag})
    assert (again.state, complete.state) == (state, "complete")

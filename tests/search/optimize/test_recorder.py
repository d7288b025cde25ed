"""The recorder, called as Tune calls it, and the journal that it writes."""

from __future__ import annotations

import json
import math
import pickle
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from optuna.trial import TrialState

from search.history.causes import cause_of
from search.optimize.outcome import Outcome
from search.optimize.recorder import Recorder
from search.optimize.retries import LOST_WORKERS_RETRIED
from search.tracking.write.journal import Journal, read_events
from tests.support.asked_searchers import prior, searcher_of, states
from tests.support.plans import a_plan

ORIGIN = {"step": "random", "why": {1: Path("p")}}


class Tune:
    """Tune as the recorder sees it: trials that start, report and end."""

    def __init__(self, folder: Path, **recorded: int) -> None:
        self.folder = folder
        self.searcher = searcher_of(a_plan(folder, resources={"parallelism": 8, "cpus": 1}))
        own = [
            prior(int(name.removeprefix("trial_")), "interrupted", 0.5, epoch=at, seconds=100.0)
            for name, at in recorded.items()
        ]
        self.recorder = Recorder(Journal(folder), self.searcher, own)

    def trial(self, number: int, error_file: Path | None = None) -> Any:
        self.searcher._interrupted.append(prior(number, "interrupted", 0.5, origin=ORIGIN))
        return self.asked(f"t{number}", error_file)

    def asked(self, trial_id: str, error_file: Path | None = None) -> Any:
        """Returns the trial that the searcher suggests next."""
        config = self.searcher.suggest(trial_id)
        assert isinstance(config, dict)
        return SimpleNamespace(
            trial_id=trial_id, last_result={}, error_file=error_file,
            config=config | {"checkpoints": f"/c/{config['number']}"},
        )  # fmt: skip

    def start(self, trial: Any) -> None:
        self.recorder.on_trial_start(0, [], trial)

    def started(self, number: int = 0) -> Any:
        """Returns a trial that has started."""
        trial = self.trial(number)
        self.start(trial)
        return trial

    def ended(self, epoch: int, **changes: Any) -> dict[str, Any]:
        """Returns the end of a trial whose last report is this one."""
        trial = self.started()
        self.report(trial, epoch, **changes)
        self.recorder.on_trial_complete(0, [], trial)
        (end,) = self.events("end")
        return end

    def report(self, trial: Any, epoch: int, earlier: Any = (), **changes: Any) -> None:
        metrics = {"left": epoch / 10, "right": epoch / 20}
        trial.last_result = {
            "epoch": epoch, "metrics": metrics, "earlier_epochs": list(earlier), "failure": "",
        } | changes  # fmt: skip
        self.recorder.on_trial_result(0, [], trial, trial.last_result)

    def events(self, name: str) -> list[dict[str, Any]]:
        """Returns the fields of events, without the seconds, which no two runs share."""
        found = [event.fields for event in read_events(self.folder) if event.name == name]
        return [{key: each[key] for key in each if key != "seconds"} for each in found]


@pytest.fixture
def tune(tmp_path: Path) -> Tune:
    return Tune(tmp_path)


def test_a_start_tells_what_is_tried_why_and_where_its_checkpoints_lie(tune: Tune) -> None:
    tune.start(tune.trial(4))
    assert tune.events("start") == [
        {"number": 4, "configuration": {"x": 0.5}, "checkpoints": "/c/4",
         "origin": {"step": "random", "why": {"1": "p"}}}
    ]  # fmt: skip


def test_a_start_from_weights_brings_their_lineage(tune: Tune) -> None:
    trial = tune.trial(4)
    asked = tune.searcher.asked["t4"]
    tune.searcher.asked["t4"] = replace(asked, lineage={"source": "digits-1#3"})
    tune.start(trial)
    assert tune.events("start")[0]["lineage"] == {"source": "digits-1#3"}


def test_a_trial_whose_worker_died_is_not_recorded_as_started_twice(tune: Tune) -> None:
    trial = tune.started()
    tune.report(trial, 1)
    tune.start(trial)
    assert len(tune.events("start")) == 1


def test_every_epoch_is_recorded_once_with_its_metrics(tune: Tune) -> None:
    trial = tune.started()
    for epoch in (1, 2, 2, 1, 3):
        tune.report(trial, epoch)
    assert tune.events("epoch") == [
        {"number": 0, "epoch": epoch, "metrics": {"left": left, "right": right}}
        for epoch, left, right in [(1, 0.1, 0.05), (2, 0.2, 0.1), (3, 0.3, 0.15)]
    ]


def test_epochs_that_a_crash_kept_back_are_recorded_when_the_trial_comes_again(tune: Tune) -> None:
    trial = tune.started()
    tune.report(trial, 1)
    # Epoch 2 was trained and saved, but its report was lost with the worker; the next reports it.
    tune.report(trial, 3, earlier=[[1, {"left": 9.0}], [2, {"left": 0.2}]])
    epochs = [(event["epoch"], event["metrics"]["left"]) for event in tune.events("epoch")]
    assert epochs == [(1, 0.1), (2, 0.2), (3, 0.3)]


def test_epochs_of_an_earlier_launch_are_not_recorded_again(tmp_path: Path) -> None:
    tune = Tune(tmp_path, trial_3=2)
    trial = tune.trial(3)
    tune.start(trial)
    tune.report(trial, 3, earlier=[[1, {"left": 0.1}], [2, {"left": 0.2}]])
    assert [event["epoch"] for event in tune.events("epoch")] == [3]


def test_a_trial_that_tune_starts_again_is_said_and_not_ended(tune: Tune) -> None:
    trial = tune.started(3)
    tune.recorder.on_trial_recover(0, [], trial)
    assert tune.events("driver") == [
        {"message": "trial 3 lost its worker with a node that had been given notice; it is started "
         "again"}
    ]  # fmt: skip
    assert tune.recorder.running() == {3} and not tune.events("end")


def test_the_seconds_of_a_trial_are_those_it_trained_in_all_launches_and_attempts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tune, clock = Tune(tmp_path, trial_3=2), SimpleNamespace(now=1000.0)
    monkeypatch.setattr("search.optimize.recorder.time.monotonic", lambda: clock.now)
    trial = tune.trial(3)  # 100 s in an earlier launch; whatever passed since then does not count
    tune.start(trial)
    clock.now += 7
    tune.report(trial, 3)
    clock.now += 2
    tune.recorder.on_trial_error(0, [], trial)  # it has lost its worker, and waits for another
    clock.now += 1000
    trial = tune.asked("t3")
    tune.start(trial)
    clock.now += 3
    tune.recorder.on_trial_recover(0, [], trial)  # its node had been given notice
    clock.now += 1000
    tune.start(trial)
    clock.now += 1
    tune.recorder.settle()
    events = {event.name: event.fields.get("seconds") for event in read_events(tmp_path)}
    assert events["epoch"] == 107.0 and events["end"] == 113.0
    assert tune.recorder.ended[3].seconds == 113.0


def test_the_work_of_a_trial_is_that_of_its_epochs_each_once(tmp_path: Path) -> None:
    """The driver was killed after two epochs, and the tag with their sum had only the first."""
    tune = Tune(tmp_path, trial_3=2)
    own = prior(
        3, "interrupted", 0.5, epoch=2, work=10.0, curves={"work.epoch": {1: 10.0, 2: 20.0}}
    )
    tune.recorder = Recorder(Journal(tmp_path), tune.searcher, [own])
    trial = tune.trial(3)
    tune.start(trial)
    for epoch, work in ((2, 20.0), (3, 30.0), (3, 30.0), (4, math.nan), (5, 40.0)):
        tune.report(trial, epoch, metrics={"left": 0.1, "work.epoch": work}, device="GPU")
    tune.recorder.settle()
    assert [event["work"] for event in tune.events("epoch")] == [60.0, 60.0, 100.0]
    assert tune.events("end")[0]["work"] == 100.0
    assert (tune.recorder.ended[3].work, tune.recorder.ended[3].device) == (100.0, "GPU")


def test_the_work_of_a_trial_that_reports_none_is_unknown(tune: Tune) -> None:
    trial = tune.started()
    tune.report(trial, 1)
    tune.recorder.settle()
    assert tune.recorder.ended[0].work == 0.0
    assert all("work" not in event for name in ("epoch", "end") for event in tune.events(name))


def test_a_failure_before_the_first_epoch_records_no_epoch(tune: Tune) -> None:
    assert tune.ended(0, metrics={}, failure="Traceback\nValueError: no") == {
        "number": 0, "state": "failed", "epoch": 0, "configuration": {"x": 0.5},
        "origin": {"step": "random", "why": {"1": "p"}}, "values": [],
        "reason": "Traceback\nValueError: no",
    }  # fmt: skip
    assert tune.events("epoch") == []


def test_the_sampler_is_told_the_cost_that_the_store_keeps_and_a_resumed_search_reads(
    tune: Tune,
) -> None:
    tune.ended(3, metrics={"left": 0.3, "right": 0.15, "work.epoch": 1e9 / 7})
    (told,) = (each.user_attrs for each in tune.searcher._study.trials)
    (kept,) = (event.fields for event in read_events(tune.folder) if event.name == "end")
    assert told["epoch"] == 3
    assert (told["work"], told["seconds"]) == (kept["work"], kept["seconds"])
    # The tags have whole FLOP and milliseconds (`store_writer.py`).
    assert told["work"] == float(f"{kept['work']:.0f}") == 142_857_143.0
    assert told["seconds"] == float(f"{kept['seconds']:.3f}")


def test_a_complete_trial_ends_once_with_its_values(tune: Tune) -> None:
    trial = tune.started()
    tune.report(trial, 3)
    tune.recorder.on_trial_complete(0, [], trial)
    tune.recorder.on_trial_complete(0, [], trial)
    tune.recorder.on_trial_error(0, [], trial)
    assert tune.events("end") == [
        {"number": 0, "state": "complete", "epoch": 3, "configuration": {"x": 0.5},
         "origin": {"step": "random", "why": {"1": "p"}}, "values": [0.3, 0.15], "reason": ""}
    ]  # fmt: skip
    (ended,) = tune.recorder.ended.values()
    assert (ended.number, ended.state, ended.epoch, ended.values) == (0, "complete", 3, (0.3, 0.15))
    assert ended.configuration == {"x": 0.5}
    assert states(tune.searcher) == [TrialState.COMPLETE]


def test_a_trial_that_early_stopping_ended_is_complete_and_brings_its_tables(tune: Tune) -> None:
    end = tune.ended(2, ended=True, tables={"classes.txt": "a 1.0"})
    assert (end["state"], end["epoch"], end["values"]) == ("complete", 2, [0.2, 0.1])
    assert end["tables"] == {"classes.txt": "a 1.0"}
    assert tune.recorder.ended[0].epoch == 2


def test_a_trial_that_is_not_complete_has_no_tables(tune: Tune) -> None:
    end = tune.ended(2, failure="Traceback\nValueError: no", tables={"classes.txt": "a 1.0"})
    assert "tables" not in end


def test_a_trial_that_the_scheduler_stopped_says_at_which_epoch(tune: Tune) -> None:
    end = tune.ended(1)
    assert (end["state"], end["epoch"], end["values"]) == ("stopped", 1, [])


def test_a_trial_that_lost_too_many_workers_fails_with_what_ray_says_of_the_last(
    tmp_path: Path, tune: Tune
) -> None:
    said = tmp_path / "error.txt"
    said.write_text("Failure # 1\nActorDiedError: gone\n")
    for number, (file, reason) in enumerate([(said, "ActorDiedError: gone"), (None, "no reason")]):
        trial = tune.trial(number, file)
        tune.start(trial)
        tune.report(trial, 2)
        for attempt in range(LOST_WORKERS_RETRIED):
            tune.recorder.on_trial_error(0, [], trial)
            trial = tune.asked(f"t{number}-{attempt}", file)
        assert len(tune.events("end")) == number
        tune.recorder.on_trial_error(0, [], trial)
        end = tune.events("end")[number]
        assert (end["state"], end["epoch"]) == ("failed", 2)
        assert "more than 100 workers" in end["reason"] and reason in end["reason"]
        # What the store keeps of it and what this search's sampler was told say the same.
        assert cause_of("failed", end["reason"]) == "" == tune.recorder.ended[number].cause


def test_a_trial_that_is_started_again_has_not_ended_and_says_so(tune: Tune) -> None:
    trial = tune.started()
    tune.recorder.on_trial_error(0, [], trial)
    assert not tune.events("end")
    assert tune.events("driver") == [{"message": "trial 0 lost its worker; another takes it over"}]


def test_settling_interrupts_only_what_started_and_never_ended(tune: Tune) -> None:
    ended, cut_off, never_started = (tune.trial(number) for number in range(3))
    for trial in (ended, cut_off):
        tune.start(trial)
        tune.report(trial, 3 if trial is ended else 2)
    tune.recorder.on_trial_complete(0, [], ended)
    tune.recorder.on_trial_complete(0, [], never_started)
    assert tune.recorder.settle() == 1
    assert [(end["number"], end["state"], end["epoch"]) for end in tune.events("end")] == [
        (0, "complete", 3), (1, "interrupted", 2),
    ]  # fmt: skip


def test_settling_twice_settles_nothing_more(tune: Tune) -> None:
    tune.start(tune.trial(0))
    assert [tune.recorder.settle(), tune.recorder.settle()] == [1, 0]
    assert len(tune.events("end")) == 1


def test_nothing_is_written_that_json_cannot_hold(tune: Tune) -> None:
    trial = tune.started()
    tune.report(trial, 1, metrics={"left": float("nan"), "right": float("inf")})
    lines = (tune.folder / "journal.jsonl").read_text().splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["start", "epoch"]


def test_ray_can_pickle_the_recorder_and_gets_nothing(tune: Tune) -> None:
    assert vars(pickle.loads(pickle.dumps(tune.recorder))) == {}


def test_a_warning_of_a_complete_trial_is_kept(tune: Tune) -> None:
    end = tune.ended(3, warnings={"replaced": "## replaced"})
    assert end["warnings"] == {"replaced": "## replaced"}


def test_a_trial_whose_accuracy_is_in_doubt_fails_and_keeps_its_warnings(
    tune: Tune, monkeypatch: pytest.MonkeyPatch
) -> None:
    doubt = Outcome("failed", 3, reason="the robust accuracy is in doubt, and ...")
    monkeypatch.setattr("search.optimize.searcher.outcome_of", lambda *_, **__: doubt)
    end = tune.ended(3, warnings={"jump": "## jump"})
    assert (end["state"], end["values"]) == ("failed", []) and end["warnings"] == {
        "jump": "## jump"
    }
    assert tune.recorder.ended[0].cause == "masked gradients"
    assert not tune.recorder.why_failed


def test_a_trial_that_is_retried_alone_continues_in_its_run(tune: Tune) -> None:
    first = tune.trial(0)
    tune.start(first)
    tune.report(first, 1, failure="Traceback\nout of memory")
    other = tune.trial(1)
    tune.recorder.on_trial_complete(0, [], first)
    assert tune.events("end") == []
    assert "trial 0 ran out of memory" in tune.events("driver")[0]["message"]
    tune.recorder.on_trial_complete(0, [], other)
    second = tune.asked("again")
    tune.start(second)
    tune.report(second, 1, failure="Traceback\nout of memory")
    tune.recorder.on_trial_complete(0, [], second)
    assert len(tune.events("start")) == 1
    (end,) = tune.events("end")
    assert end["state"] == "failed" and end["reason"].endswith("out of memory, also alone")


def test_a_trial_that_waits_to_be_alone_is_interrupted_with_its_search(tune: Tune) -> None:
    trial = tune.started()
    tune.trial(1)
    tune.report(trial, 1, failure="Traceback\nout of memory")
    tune.recorder.on_trial_complete(0, [], trial)
    assert tune.recorder.settle() == 1
    assert [end["state"] for end in tune.events("end")] == ["interrupted"]

"""What the store refuses for good costs the run that it belongs to, and nothing else."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import (
    INVALID_PARAMETER_VALUE,
    PERMISSION_DENIED,
    REQUEST_LIMIT_EXCEEDED,
    TEMPORARILY_UNAVAILABLE,
)

from search.tracking import tag_names
from search.tracking.write.journal import read_events, save_sent_offset, sent_offset
from search.tracking.write.journal_sender import Writer
from search.tracking.write.refusals import FILE, Refusals, refused_lines
from tests.support.servers import Server
from tests.support.stores import Store, new_store, refusing, run_of


@pytest.fixture
def said() -> list[str]:
    return []


def writer_of(store: Store, said: list[str], generation: int = 1) -> Writer:
    return store.writer(generation, said.append)


def set_aside(store: Store) -> list[dict[str, Any]]:
    file = store.folder / FILE
    lines = file.read_text().splitlines() if file.exists() else []
    return [json.loads(line) for line in lines]


def three_running(store: Store, said: list[str]) -> Writer:
    """Starts three trials, and returns the writer that has sent it."""
    writer = writer_of(store, said)
    for number in range(3):
        store.start(number)
    writer.drain()
    return writer


def end_all(store: Store) -> None:
    """Writes an epoch of each of three trials, and then the end of each."""
    for number in range(3):
        store.epoch(number, 1)
    for number in range(3):
        store.end(number)


def assert_others_are_complete(store: Store, said: list[str], why: str) -> None:
    assert [run_of(store, number).info.status for number in (0, 2)] == ["FINISHED"] * 2
    kept = set_aside(store)
    assert [(each["number"], each["event"]) for each in kept] == [(1, "epoch"), (1, "end")]
    assert kept[1]["values"] == [0.5, -0.5]  # readable
    (line,) = said
    assert line.startswith("the store refuses trial 1: ") and why in line and FILE in line
    (shown,) = refused_lines(store.client.get_run(store.summary_run).data.tags)
    assert shown.startswith("trial 1: ") and why in shown


def test_a_run_that_is_deleted_while_its_trial_trains_stalls_no_other(
    store: Store, said: list[str]
) -> None:
    writer = three_running(store, said)
    store.client.delete_run(run_of(store, 1).info.run_id)
    end_all(store)
    began = time.monotonic()
    writer.drain()
    assert writer.unsent_bytes() == 0 and time.monotonic() - began < 5
    assert_others_are_complete(store, said, "was deleted")


def test_a_run_that_may_not_be_written_any_more_stalls_no_other(
    store: Store, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = three_running(store, said)
    error = MlflowException("Permission denied", PERMISSION_DENIED)
    refusing(store, monkeypatch, run_of(store, 1).info.run_id, error)
    end_all(store)
    writer.drain()
    assert writer.unsent_bytes() == 0
    assert_others_are_complete(store, said, "Permission denied")


@pytest.mark.slow
def test_over_http_a_deleted_run_stalls_no_other(
    server: Server, tmp_path: Path, said: list[str]
) -> None:
    store = new_store(tmp_path, uri=server.uri)
    writer = three_running(store, said)
    store.client.delete_run(run_of(store, 1).info.run_id)
    end_all(store)
    writer.drain()
    assert writer.unsent_bytes() == 0
    assert_others_are_complete(store, said, "was deleted")


@pytest.mark.parametrize("code", [TEMPORARILY_UNAVAILABLE, REQUEST_LIMIT_EXCEEDED])
def test_what_a_store_in_trouble_refuses_is_not_set_aside(
    store: Store, said: list[str], monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    writer = three_running(store, said)
    end_all(store)
    with monkeypatch.context() as away:
        error = MlflowException("database is locked", code)
        refusing(store, away, run_of(store, 1).info.run_id, error)
        with pytest.raises(MlflowException, match="locked"):
            writer.drain()
    assert set_aside(store) == [] and said == []
    writer.drain()
    assert len(store.runs("FINISHED")) == 3


@pytest.mark.slow
def test_a_search_that_is_refused_as_a_whole_waits_and_says_so(
    store: Store, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = three_running(store, said)
    end_all(store)
    with monkeypatch.context() as away:
        error = MlflowException("Permission denied", PERMISSION_DENIED)
        for run in [*(run.info.run_id for run in store.runs()), store.summary_run]:
            refusing(store, away, run, error)
        writer.start()
        deadline = time.monotonic() + 20
        while not said:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert said == [f"results wait in {store.folder}: Permission denied"]
        assert writer.close(0.1) > 0
    assert set_aside(store) == []
    store.writer().drain()
    assert len(store.runs("FINISHED")) == 3


@pytest.mark.slow
def test_artifacts_that_cannot_be_written_stall_no_other_trial_and_no_heartbeat(
    store: Store, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class ClientError(Exception):
        """As botocore's, which is neither MLflow's nor an OSError."""

    def refuse(*_: object) -> None:
        raise ClientError("AccessDenied")

    monkeypatch.setattr("search.tracking.write.journal_sender.EVENTS_AT_ONCE", 3)
    for number in range(3):
        store.trial(number, state="failed" if number == 1 else "complete")
    writer = writer_of(store, said)
    with monkeypatch.context() as away:
        away.setattr(store.client, "log_text", refuse)
        writer.start()
        deadline = time.monotonic() + 20
        while not said or len(store.runs("FINISHED")) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    assert len(said) == 1 and "ClientError: AccessDenied" in said[0]
    left = [event.name for event in read_events(store.folder, sent_offset(store.folder))]
    assert "end" in left  # of the failed trial, although the later ones were sent
    assert writer.close(20) == 0  # they are written as soon as they can be
    assert len(store.runs("FINISHED")) == 2 and len(store.runs("FAILED")) == 1


def test_a_refused_param_is_set_aside_alone(store: Store, said: list[str]) -> None:
    writer = writer_of(store, said)
    store.start(0)
    writer.drain()
    store.client.log_param(run_of(store, 0).info.run_id, "y", "1")  # by another process
    for number, configuration in ((0, {"x": 0.1, "y": 2}), (1, {"x": 0.2, "y": 2})):
        store.journal.append("start", number=number, configuration=configuration,
                             origin={"step": "random"}, checkpoints="/nowhere")  # fmt: skip
        store.end(number)
    writer.drain()
    assert len(store.runs("FINISHED")) == 2 and writer.unsent_bytes() == 0
    assert [each["event"] for each in set_aside(store)] == ["start"]
    assert len(said) == 1 and "param 'y'" in said[0]
    assert run_of(store, 1).data.params["y"] == "2"


@pytest.mark.slow
def test_a_refused_metric_is_told_once_and_the_others_of_its_epochs_arrive(
    store: Store, said: list[str]
) -> None:
    for number in range(2):
        store.start(number)
        for epoch, bad in enumerate((["top@1"], [], ["top@1"]), 1):
            metrics = {"left": epoch / 10} | dict.fromkeys(bad, 0.5)
            store.journal.append("epoch", number=number, epoch=epoch, metrics=metrics)
        store.end(number)
    writer = writer_of(store, said)
    writer.drain()
    assert len(store.runs("FINISHED")) == 2 and writer.unsent_bytes() == 0
    for number in range(2):
        points = store.client.get_metric_history(run_of(store, number).info.run_id, "left")
        assert [point.step for point in points] == [1, 2, 3]
    assert [(each["number"], each["epoch"]) for each in set_aside(store)] == [
        (0, 1), (0, 3), (1, 1), (1, 3)
    ]  # fmt: skip
    assert len(said) == 1 and "metric 'top@1'" in said[0]


def test_a_refusal_that_was_a_race_is_sent_again(
    store: Store, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    log_batch, raced = store.client.log_batch, iter([True, False])

    def race(*arguments: Any, **options: Any) -> None:
        if next(raced, False):
            raise MlflowException("UNIQUE constraint failed", INVALID_PARAMETER_VALUE)
        log_batch(*arguments, **options)

    store.trial(0)
    monkeypatch.setattr(store.client, "log_batch", race)
    writer_of(store, said).drain()
    assert len(store.runs("FINISHED")) == 1 and said == [] and set_aside(store) == []


def test_a_run_that_cannot_be_created_is_set_aside_with_its_whole_trial(
    store: Store, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    create = store.client.create_run

    def refuse(*arguments: Any, tags: dict[str, str], **options: Any) -> Any:
        if tags[tag_names.NUMBER] == "1":
            raise MlflowException("the tag is too long", INVALID_PARAMETER_VALUE)
        return create(*arguments, tags=tags, **options)

    monkeypatch.setattr(store.client, "create_run", refuse)
    for number in range(3):
        store.trial(number)
    writer_of(store, said).drain()
    assert len(store.runs("FINISHED")) == 2
    assert {each["number"] for each in set_aside(store)} == {1} and len(set_aside(store)) == 4
    assert len(said) == 1 and "trial 1: the tag is too long" in said[0]


def test_events_of_a_run_that_was_deleted_before_a_resume_are_set_aside(
    store: Store, said: list[str]
) -> None:
    three_running(store, [])
    store.client.delete_run(run_of(store, 1).info.run_id)
    end_all(store)
    writer = writer_of(store, said, generation=2)  # of another process, which knows no runs
    writer.drain()
    assert writer.unsent_bytes() == 0
    assert_others_are_complete(store, said, "has no run")


def test_a_deleted_run_is_not_created_again_when_its_start_is_sent_again(
    store: Store, said: list[str]
) -> None:
    store.trial(0)
    store.writer().drain()
    store.client.delete_run(run_of(store, 0).info.run_id)
    save_sent_offset(store.folder, 0)  # the driver was killed before it could save it
    writer_of(store, said, generation=2).drain()
    assert store.runs() == [] and "its run was deleted" in said[0]


def test_a_new_trial_may_have_the_number_of_a_deleted_one(store: Store, said: list[str]) -> None:
    store.trial(0)
    store.writer().drain()
    store.client.delete_run(run_of(store, 0).info.run_id)
    time.sleep(0.002)  # another millisecond, by which runs of one number are told apart
    store.trial(0)
    writer_of(store, said, generation=2).drain()
    assert len(store.runs("FINISHED")) == 1 and said == []


@pytest.mark.slow
@pytest.mark.parametrize("how", ["run", "experiment"])
def test_a_deleted_search_stops_and_keeps_all_for_one_that_is_restored(
    store: Store, said: list[str], how: str
) -> None:
    writer = three_running(store, said)
    if how == "run":
        store.client.delete_run(store.summary_run)
        fix = f"mlflow runs restore --run-id {store.summary_run}"
    else:
        store.client.delete_experiment(store.experiment)
        fix = f"mlflow experiments restore --experiment-id {store.experiment}"
    end_all(store)
    store.journal.append("summary", tags={tag_names.STATE: "interrupted"}, status="KILLED")
    writer._next_heartbeat = 0.0
    writer.start()
    assert writer.close(10) > 0
    assert writer.has_lost_search() and not writer.has_lost_ownership.is_set()
    assert len(said) == 1 and said[0].endswith(f"fix: {fix}") and fix in writer.deleted
    assert len(store.runs("FINISHED")) == (3 if how == "run" else 0)  # as far as they exist
    assert set_aside(store) == []
    if how == "run":
        store.client.restore_run(store.summary_run)
    else:
        store.client.restore_experiment(store.experiment)
    writer = store.writer(generation=2)
    writer.drain()
    assert writer.unsent_bytes() == 0 and len(store.runs("FINISHED")) == len(store.runs()) == 3
    assert store.client.get_run(store.summary_run).info.status == "KILLED"


def test_what_was_told_fits_a_tag_and_survives_a_restart(tmp_path: Path) -> None:
    store, said = new_store(tmp_path), list[str]()
    store.trial(0)
    event = next(iter(store.events()))
    refusals = Refusals(store.folder, said.append)
    for number in range(30):
        refusals.set_aside(event, "ü" * 900, f"metric 'm{number}'")
    (text,) = refusals.tags().values()
    lines = refused_lines({tag_names.REFUSED: text})
    assert len(text) <= tag_names.PIECE and lines[-1] == f"{30 - len(lines) + 1} more"
    again = Refusals(store.folder, said.append)
    assert again.must_tell and again.tags() == refusals.tags()
    again.set_aside(event, "ü" * 900, "metric 'm0'")
    assert len(said) == 30  # told already


def test_unreadable_tags_say_nothing() -> None:
    assert refused_lines({}) == refused_lines({tag_names.REFUSED: "{"}) == []
    assert refused_lines({tag_names.REFUSED: "3"}) == []

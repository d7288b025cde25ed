from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from search.tracking import names
from search.tracking.artifacts import fetch_witnesses, read_robustness, read_tables
from search.tracking.journal import Journal, save_sent_offset
from search.tracking.writer import REFUSED_FILE
from tests.search.tracking.stores import Store, new_store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return new_store(tmp_path, "demo-2")


def test_a_trial_becomes_one_finished_run_with_params_metrics_and_state(store: Store) -> None:
    store.trial(0)
    store.writer().drain()
    (run,) = store.runs()
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "000 demo-2"
    assert run.data.params == {"x": "0.1"}
    assert run.data.metrics["left"] == 0.2
    assert run.data.metrics["log10.x"] == pytest.approx(-1)
    assert json.loads(run.data.tags[names.VALUES]) == [0.5, -0.5]


def test_a_trials_origin_can_be_filtered_and_compared_by(store: Store) -> None:
    guard = {"history": "all", "log_evidence": 3.7, "trials": 5, "dropped": {"u": "far"}}
    leaning = {"step": "history-model", "source_tasks": {"mnist": 0.9, "t": -0.1}, "guard": guard}
    store.trial(0, origin=leaning)
    store.trial(1, origin={"step": "control", "guard": "broken"})
    store.writer().drain()
    (first,) = store.client.search_runs(
        [store.experiment],
        "tags.`twentieth.step` = 'history-model' and tags.`twentieth.guard` = 'all' "
        "and metrics.`guard.log_evidence` > 3",
    )
    assert first.data.tags["twentieth.leans_on"] == "mnist 0.90, t in reverse 0.10"
    assert first.data.tags["twentieth.explained"].startswith("It was proposed by a model that")
    assert first.data.metrics["guard.tasks_dropped"] == 1
    (control,) = store.client.search_runs([store.experiment], "tags.`twentieth.arm` = 'control'")
    assert "twentieth.guard" not in control.data.tags


def test_an_origin_of_thousands_of_tasks_arrives_whole(store: Store) -> None:
    names_of_tasks = [f"a-rather-long-name-of-a-task-{index:05d}@ab12cd34" for index in range(5000)]
    origin = {
        "step": "history-model",
        "source_tasks": dict.fromkeys(names_of_tasks, 1 / 5000),
        "guard": {"dropped": dict.fromkeys(names_of_tasks, "its predictions do not fit")},
    }
    assert len(names.split_tags(names.ORIGIN, json.dumps(origin))) > 100
    store.trial(0, origin=origin)
    store.writer().drain()
    (run,) = store.runs("FINISHED")
    stored = names.joined_tag(names.ORIGIN, run.data.tags)
    assert stored is not None and json.loads(stored) == origin


def test_epochs_are_the_steps_of_the_metrics(store: Store) -> None:
    store.trial(0, epochs=3)
    store.writer().drain()
    (run,) = store.runs()
    history = store.client.get_metric_history(run.info.run_id, "left")
    assert [(point.step, point.value) for point in history] == [(1, 0.1), (2, 0.2), (3, 0.3)]


def test_tables_of_a_trial_become_texts_among_its_artifacts(store: Store) -> None:
    store.trial(0, tables={"classes.txt": "class  recall\nüber   0.5", "tags.txt": "B-x 1"})
    store.trial(1)
    store.writer().drain()
    save_sent_offset(store.folder, 0)
    store.writer().drain()
    first, second = sorted(store.runs(), key=lambda run: str(run.data.tags[names.NUMBER]))
    assert read_tables(store.client, first.info.run_id) == {
        "classes.txt": "class  recall\nüber   0.5",
        "tags.txt": "B-x 1",
    }
    assert read_tables(store.client, second.info.run_id) == {}
    assert read_tables(store.client, "0" * 32) == {}


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("complete", "FINISHED"),
        ("stopped", "KILLED"),
        ("interrupted", "KILLED"),
        ("failed", "FAILED"),
    ],
)
def test_status_tells_the_truth_and_a_tag_tells_killed_apart(
    store: Store, state: str, status: str
) -> None:
    store.trial(0, state=state)
    store.writer().drain()
    (run,) = store.runs()
    assert (run.info.status, run.data.tags[names.STATE]) == (status, state)


def test_sending_the_whole_journal_twice_changes_nothing(store: Store) -> None:
    store.trial(0)
    store.trial(1, state="failed")
    store.writer().drain()
    before = {run.info.run_id: (run.info.status, run.data.metrics) for run in store.runs()}
    save_sent_offset(store.folder, 0)
    store.writer().drain()  # a new writer: it knows of no run, as after kill -9
    after = {run.info.run_id: (run.info.status, run.data.metrics) for run in store.runs()}
    assert before == after
    for run_id in before:
        points = store.client.get_metric_history(run_id, "left")
        assert len(points) == len({point.step for point in points})


def test_a_lost_answer_to_create_run_makes_no_second_run(
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


def test_a_store_that_is_away_for_a_while_loses_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_batch, failures = store.client.log_batch, iter([True, True, False])

    def away(*arguments: object, **options: object) -> None:
        if next(failures, False):
            raise ConnectionError("the server is away")
        log_batch(*arguments, **options)

    monkeypatch.setattr(store.client, "log_batch", away)
    monkeypatch.setattr("search.tracking.writer.LONGEST_PAUSE_SECONDS", 0.1)
    writer = store.writer()
    writer.start()
    store.trial(0)
    store.trial(1)
    assert writer.close(timeout_seconds=20) == 0
    assert len(store.runs("FINISHED")) == 2


def test_what_could_not_be_sent_is_counted_and_kept(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*arguments: object, **options: object) -> None:
        raise ConnectionError("the server is away")

    with monkeypatch.context() as patch:
        patch.setattr(store.client, "log_batch", away)
        patch.setattr("search.tracking.writer.LONGEST_PAUSE_SECONDS", 0.1)
        writer = store.writer()
        writer.start()
        store.trial(0)
        assert writer.close(timeout_seconds=1) > 0
    store.writer().drain()
    assert len(store.runs("FINISHED")) == 1


def test_a_writer_of_an_old_generation_stops_writing(store: Store) -> None:
    store.client.set_tag(store.summary_run, names.GENERATION, "2")
    writer = store.writer(generation=1)
    writer.start()
    assert writer.has_lost_ownership.wait(10)
    store.trial(0)
    writer.close(timeout_seconds=1)
    assert store.runs() == []


def test_what_a_given_up_driver_goes_on_writing_is_not_sent(store: Store) -> None:
    store.trial(0)
    successor = store.writer(generation=2)
    store.trial(1)  # the journal of generation 1, still open in a driver that was cut off
    Journal(store.folder, generation=2).append("driver", message="took over")
    successor.drain()
    assert [run.data.tags[names.NUMBER] for run in store.runs()] == ["0"]


def test_what_the_store_refuses_for_good_is_set_aside_and_blocks_nothing(store: Store) -> None:
    store.start(0)
    store.journal.append("epoch", number=0, epoch=1, metrics={"top@1": 0.5})
    store.trial(1)
    writer = store.writer()
    writer.start()
    assert writer.close(timeout_seconds=30) == 0
    assert [run.data.tags[names.NUMBER] for run in store.runs("FINISHED")] == ["1"]
    assert "top@1" in (store.folder / REFUSED_FILE).read_text()


def test_a_text_longer_than_a_tag_is_split_and_joined_again() -> None:
    text = "".join(chr(33 + index % 90) for index in range(20_000))
    tags = names.split_tags("name", text)
    assert max(len(piece) for piece in tags.values()) <= names.PIECE
    assert names.joined_tag("name", tags) == text
    assert names.joined_tag("other", tags) is None


def test_a_judgement_becomes_metrics_texts_and_witnesses_of_its_run(
    store: Store, tmp_path: Path
) -> None:
    witnesses = tmp_path / "witnesses_test.safetensors"
    witnesses.write_bytes(b"\x00images")
    store.trial(0)
    store.journal.append(
        "test", number=0, epoch=2, metrics={"test.accuracy.clean": 0.9},
        texts={"robustness.json": "{}"}, files=[str(witnesses), str(tmp_path / "gone")],
    )  # fmt: skip
    store.writer().drain()
    save_sent_offset(store.folder, 0)
    store.writer().drain()  # again: nothing doubled
    (run,) = store.runs()
    assert run.data.metrics["test.accuracy.clean"] == 0.9
    assert read_robustness(store.client, run.info.run_id) == {"robustness.json": "{}"}
    (file,) = fetch_witnesses(store.client, run.info.run_id, tmp_path / "fetched")
    assert file.read_bytes() == b"\x00images" and file.name == witnesses.name


def test_a_replaced_figure_leaves_its_warning_and_a_tag_to_filter_by(store: Store) -> None:
    store.trial(0, warning="## The robust figure was replaced")
    store.trial(1)
    store.writer().drain()
    (run,) = store.client.search_runs(
        [store.experiment], f"tags.`{names.REPLACED}` = 'replaced'"
    )  # fmt: skip
    assert run.data.tags[names.NUMBER] == "0"
    assert "replaced.md" in read_robustness(store.client, run.info.run_id)


def test_witnesses_of_a_run_without_any_are_none(store: Store, tmp_path: Path) -> None:
    store.trial(0)
    store.writer().drain()
    (run,) = store.runs()
    assert fetch_witnesses(store.client, run.info.run_id, tmp_path) == []


def test_the_heart_beats_while_what_waited_for_the_server_is_sent(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.tracking.writer.HEARTBEAT_SECONDS", 0.0)
    beats = []
    set_tag = store.client.set_tag

    def counted(run: str, name: str, value: str) -> None:
        beats.append(name == names.HEARTBEAT)
        set_tag(run, name, value)

    monkeypatch.setattr(store.client, "set_tag", counted)
    store.trial(0, epochs=3)  # five events
    store.writer().drain()
    assert sum(beats) >= 5


def test_a_writer_outlives_storage_that_cannot_be_read_or_written_for_a_while(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.tracking.writer.LONGEST_PAUSE_SECONDS", 0.1)

    def refuses(*_: object) -> None:
        raise OSError(5, "Input/output error")

    writer = store.writer()
    with monkeypatch.context() as away:
        for name in ("read_events", "save_sent_offset"):
            away.setattr(f"search.tracking.writer.{name}", refuses)
        writer.start()
        store.trial(0)
        deadline = time.monotonic() + 20
        while not writer.is_away:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    assert writer.close(timeout_seconds=20) == 0
    assert len(store.runs("FINISHED")) == len(store.runs()) == 1

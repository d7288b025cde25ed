"""The events of a search as runs, metrics, tags and files of the store."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from models.adversarial.checks.search_warnings import REPLACED_NAME
from search.tracking import tag_names
from search.tracking.artifacts import fetch_adversarial_examples, read_robustness, read_tables
from search.tracking.write.journal import Event, read_events, save_sent_offset
from search.tracking.write.journal_sender import Writer
from search.tracking.write.store_writer import EVENTS_TOGETHER, together
from tests.support.stores import Store, counted, new_store


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
    assert json.loads(run.data.tags[tag_names.VALUES]) == [0.5, -0.5]


def test_trials_can_be_filtered_and_compared_by_origin(store: Store) -> None:
    guard = {"history": "all", "log_evidence": 3.7, "trials": 5, "dropped": {"u": "far"}}
    model_with = {
        "step": "history-model",
        "source_tasks": {"mnist": 0.9, "t": -0.1},
        "guard": guard,
    }
    store.trial(0, origin=model_with)
    store.trial(1, origin={"step": "control", "guard": "broken"})
    store.writer().drain()
    (first,) = store.client.search_runs(
        [store.experiment],
        "tags.`twentieth.step` = 'history-model' and tags.`twentieth.guard` = 'all' "
        "and metrics.`guard.log_evidence` > 3",
    )
    assert first.data.tags["twentieth.task_weights"] == "mnist 0.90, t in reverse 0.10"
    assert first.data.tags["twentieth.explanation"].startswith("It was proposed by a model that")
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
    assert len(tag_names.split_tags(tag_names.ORIGIN, json.dumps(origin))) > 100
    store.trial(0, origin=origin)
    store.writer().drain()
    (run,) = store.runs("FINISHED")
    stored = tag_names.joined_tag(tag_names.ORIGIN, run.data.tags)
    assert stored is not None and json.loads(stored) == origin


def test_tables_of_a_trial_are_logged_as_text_artifacts(store: Store) -> None:
    store.trial(0, tables={"classes.txt": "class  recall\nüber   0.5", "tags.txt": "B-x 1"})
    store.trial(1)
    store.writer().drain()
    save_sent_offset(store.folder, 0)
    store.writer().drain()
    first, second = sorted(store.runs(), key=lambda run: str(run.data.tags[tag_names.NUMBER]))
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
def test_the_status_is_true_and_a_tag_explains_killed(
    store: Store, state: str, status: str
) -> None:
    store.trial(0, state=state)
    store.writer().drain()
    (run,) = store.runs()
    assert (run.info.status, run.data.tags[tag_names.STATE]) == (status, state)


@pytest.mark.slow
def test_an_evaluation_is_logged_as_metrics_texts_and_adversarial_examples(
    store: Store, tmp_path: Path
) -> None:
    examples = tmp_path / "examples_test.safetensors"
    examples.write_bytes(b"\x00images")
    store.trial(0)
    store.journal.append(
        "test", number=0, epoch=2, metrics={"test.accuracy.clean": 0.9},
        texts={"robustness.json": "{}"}, files=[str(examples), str(tmp_path / "gone")],
        tables={"entities_test.txt": "a table"},
    )  # fmt: skip
    store.writer().drain()
    save_sent_offset(store.folder, 0)
    store.writer().drain()  # again: nothing is duplicated
    (run,) = store.runs()
    assert run.data.metrics["test.accuracy.clean"] == 0.9
    assert read_robustness(store.client, run.info.run_id) == {"robustness.json": "{}"}
    assert read_tables(store.client, run.info.run_id)["entities_test.txt"] == "a table"
    (file,) = fetch_adversarial_examples(store.client, run.info.run_id, tmp_path / "fetched")
    assert file.read_bytes() == b"\x00images" and file.name == examples.name


def test_a_robust_accuracy_in_doubt_has_warnings_and_a_tag_to_filter_by(store: Store) -> None:
    jump = "the outputs jump"
    store.trial(0, warnings={REPLACED_NAME: "## replaced"})
    store.trial(1)
    store.trial(2, warnings={REPLACED_NAME: "## replaced", jump: "## jump"})
    store.writer().drain()
    for number, value, names, note in (
        (0, "replaced", REPLACED_NAME, "Stronger attacks lowered its robust accuracy."),
        (2, "doubtful", f"{REPLACED_NAME}; {jump}",
         f"Its gradients may be masked: {REPLACED_NAME}; {jump}."),
    ):  # fmt: skip
        (run,) = store.client.search_runs(
            [store.experiment], f"tags.`{tag_names.ROBUST_VALUE}` = '{value}'"
        )  # fmt: skip
        assert run.data.tags[tag_names.NUMBER] == str(number)
        assert run.data.tags[tag_names.ROBUST_WARNINGS] == names
        assert run.data.tags[tag_names.NOTE] == note
        said = read_robustness(store.client, run.info.run_id)["search_warnings.md"]
        assert ("## jump" in said) == (jump in names) and "## replaced" in said


def test_a_run_may_have_no_adversarial_examples(store: Store, tmp_path: Path) -> None:
    store.trial(0)
    store.writer().drain()
    (run,) = store.runs()
    assert fetch_adversarial_examples(store.client, run.info.run_id, tmp_path) == []


def event(name: str, number: int, epoch: int = 0) -> Event:
    return Event(name, 0, 1, {"number": number, "epoch": epoch}, 0)


def test_only_a_trials_start_epochs_and_end_are_grouped() -> None:
    driver, summary = Event("driver", 0, 1, {}, 0), Event("summary", 0, 1, {}, 0)
    start, end, again = event("start", 0), event("end", 0), event("start", 0)
    epochs = [event("epoch", 0, 1), event("epoch", 0, 2)]
    other, test = event("epoch", 1, 7), event("test", 0)
    journal = [start, driver, epochs[0], other, epochs[1], end, test, again, summary]
    assert together(journal) == [[start, *epochs, end], [driver], [other], [test], [again],
                                 [summary]]  # fmt: skip


def test_a_group_has_a_largest_size() -> None:
    epochs = [event("epoch", 0, epoch) for epoch in range(2 * EVENTS_TOGETHER + 1)]
    groups = together(epochs)
    assert [len(group) for group in groups] == [EVENTS_TOGETHER, EVENTS_TOGETHER, 1]
    assert [each for group in groups for each in group] == epochs


def test_grouped_epochs_are_the_steps_of_the_metrics_and_keep_their_own_times(
    store: Store,
) -> None:
    store.trial(0, epochs=3)
    times = {each.fields["epoch"]: each.time for each in read_events(store.folder)
             if each.name == "epoch"}  # fmt: skip
    store.writer().drain()
    (run,) = store.runs()
    history = store.client.get_metric_history(run.info.run_id, "left")
    assert [(point.step, point.value) for point in history] == [(1, 0.1), (2, 0.2), (3, 0.3)]
    assert {point.step: point.timestamp for point in history} == times


def test_a_new_run_has_its_tags_from_the_first_call(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = counted(store.client, monkeypatch)
    store.start(0)
    store.writer().drain()
    assert calls == {"create_run": 1, "log_batch": 1, "set_tag": 1}  # set_tag: the heartbeat
    (run,) = store.runs("RUNNING")
    assert run.data.tags[tag_names.CHECKPOINTS] == "/nowhere"
    assert run.data.params == {"x": "0.1"}


def test_a_restarted_trial_continues_its_run(store: Store) -> None:
    store.trial(0, state="interrupted")
    store.start(0)
    store.epoch(0, 3)
    store.writer().drain()
    (run,) = store.runs()
    assert (run.info.status, run.data.tags[tag_names.STATE]) == ("RUNNING", "running")
    points = store.client.get_metric_history(run.info.run_id, "left")
    assert [point.step for point in points] == [1, 2, 3]


def test_the_epoch_tag_is_rarely_written_while_a_trial_runs_and_exact_at_its_end(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer, tags = store.writer(), []
    for epoch in range(1, 4):
        if epoch == 1:
            store.start(0)
        monkeypatch.setattr(
            "search.tracking.write.store_writer.EPOCH_TAG_SECONDS", 0 if epoch == 3 else 1e9
        )
        store.epoch(0, epoch)
        writer.drain()
        tags.append(store.runs()[0].data.tags[tag_names.EPOCH])
    assert tags == ["1", "1", "3"]
    monkeypatch.undo()
    store.epoch(0, 4)
    writer.drain()
    store.journal.append("end", number=0, state="stopped", epoch=4)
    writer.drain()
    assert store.runs("KILLED")[0].data.tags[tag_names.EPOCH] == "4"


def objectives_of(store: Store, metrics: list[dict[str, float]], **end: object) -> dict[str, float]:
    """Writes a trial whose objective `full` is replaced by `cheap` until its last epoch."""
    store.start(0)
    for epoch, reported in enumerate(metrics, start=1):
        store.journal.append("epoch", number=0, epoch=epoch, metrics=reported)
    store.journal.append("end", number=0, epoch=len(metrics), configuration={}, **end)
    Writer(
        store.client, store.folder, search=store.search, experiment=store.experiment,
        summary_run=store.summary_run, generation=1, objectives={"full": "cheap"},
    ).drain()  # fmt: skip
    (run,) = store.runs()
    points = store.client.get_metric_history(run.info.run_id, "objective/full")
    return {point.step: point.value for point in points}


def test_an_objective_has_a_value_at_every_epoch_and_its_own_at_the_last(store: Store) -> None:
    metrics = [{"cheap": 0.2}, {"cheap": 0.3, "full": 0.123456789}]
    found = objectives_of(store, metrics, state="complete", values=[0.123456789])
    assert found == {1: 0.2, 2: 0.12346}


def test_a_stopped_trial_has_the_objective_of_its_last_epoch_and_says_that_it_is_not_complete(
    store: Store,
) -> None:
    reason = "stopped by the scheduler after epoch 2"
    metrics = [{"cheap": 0.2}, {"cheap": 0.3}]
    found = objectives_of(store, metrics, state="stopped", values=[], reason=reason)
    assert found == {1: 0.2, 2: 0.3}
    (run,) = store.runs("KILLED")
    assert run.info.run_name == "000 stopped (epoch 2) demo-2"
    note = run.data.tags[tag_names.NOTE]
    assert note == f"{reason}. Not complete: its `objective/` metrics are the values at epoch 2."


def test_a_metric_that_stands_for_no_objective_yet_is_left_out(store: Store) -> None:
    assert objectives_of(store, [{"loss": 2.0}], state="failed", values=[], reason="x") == {}


@pytest.mark.parametrize("at_once", [True, False])
def test_a_resumed_trial_no_longer_says_that_it_was_interrupted(
    store: Store, at_once: bool
) -> None:
    store.trial(0, state="interrupted")
    store.writer().drain()
    assert store.runs()[0].info.run_name == "000 interrupted (epoch 2) demo-2"
    store.start(0)
    if not at_once:
        store.writer().drain()
    store.journal.append("end", number=0, epoch=3, state="complete", values=[0.5, 0.5])
    store.writer().drain()
    (run,) = store.runs("FINISHED")
    assert (run.info.run_name, run.data.tags[tag_names.NOTE]) == ("000 demo-2", "")

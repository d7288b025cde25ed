from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from search.history import History
from search.space import SearchSpace
from search.tracking import tag_names
from search.tracking.ownership import owner_name
from search.tracking.read.history import load_history
from tests.support.runs_by_hand import Hand
from tests.support.stores import SPACE, Store, new_store


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A search with one trial of each state; tests add corrupt runs."""
    store = new_store(tmp_path_factory.mktemp("reading"))
    store.trial(0)
    store.trial(1, state="stopped")
    store.trial(2, state="failed")
    store.start(3)
    store.epoch(3, 1)
    store.writer().drain()
    store.client.set_tag(store.summary_run, tag_names.STATE, "interrupted")
    return store


def corrupt(store: Store, **tags: str) -> str:
    """Creates a trial run with valid tags except for those given; returns its id."""
    right = {
        tag_names.KIND: "trial", tag_names.SEARCH: store.search, tag_names.STATE: "complete",
        tag_names.NUMBER: "90", tag_names.TRIAL_KEY: f"{store.search}/90",
        tag_names.VALUES: "[0.1, 0.2]",
        tag_names.CONFIGURATION: '{"x": 1.0}', tag_names.ORIGIN: "{}", tag_names.EPOCH: "2",
    }  # fmt: skip
    run = store.client.create_run(store.experiment, tags=right | tags, run_name="corrupt")
    return str(run.info.run_id)


def test_trials_are_read_with_types_values_curves_and_true_states(store: Store) -> None:
    trials = load_history(store.uri).prior_trials(state=None)
    states = {trial.number: trial.state for trial in trials if trial.number < 4}
    assert states == {0: "complete", 1: "stopped", 2: "failed", 3: "interrupted"}
    first = next(trial for trial in trials if trial.number == 0)
    assert first.configuration == {"x": 0.1}
    assert first.values == (0.5, -0.5)
    assert first.curves["left"] == {1: 0.1, 2: 0.2}
    assert first.origin == {"step": "random"}
    assert "log10.x" not in first.curves


def test_the_newest_objectives_of_a_stopped_trial_do_not_make_it_complete(store: Store) -> None:
    runs = store.client.search_runs([store.experiment], "tags.`twentieth.state` = 'stopped'")
    assert runs[0].data.metrics["objective/left"] == 0.2, "shown in the page"
    (stopped,) = [
        trial for trial in load_history(store.uri).prior_trials(state=None) if trial.number == 1
    ]
    assert (stopped.state, stopped.values) == ("stopped", ())
    assert stopped.curves.keys() == {"left", "right"}
    assert 1 not in {trial.number for trial in load_history(store.uri).prior_trials()}


def test_the_space_is_read_with_the_search(store: Store) -> None:
    search = load_history(store.uri).searches[store.search]
    assert search.space == SearchSpace.from_json(SPACE)
    assert search.metrics == ("left", "right")


@pytest.mark.parametrize(
    ("tag", "text"),
    [
        (tag_names.CONFIGURATION, "not json"),
        (tag_names.CONFIGURATION, "[1, 2]"),
        (tag_names.CONFIGURATION, "[" * 4_000),
        (tag_names.VALUES, '["high", "low"]'),
        (tag_names.VALUES, "[NaN, 1]"),
        (tag_names.VALUES, "[0.5]"),
        (tag_names.NUMBER, "minus one"),
        (tag_names.NUMBER, "99999999999999999999999"),
        (tag_names.EPOCH, "-3"),
        (tag_names.WORK, "-1"),
        (tag_names.WORK, "nan"),
        (tag_names.STATE, "<script>alert(1)</script>"),
        (tag_names.SEARCH, "a search that is not there"),
        (tag_names.ORIGIN, "{"),
    ],
)
def test_a_corrupt_run_is_left_out_with_its_reason_and_nothing_else_is(
    store: Store, tag: str, text: str
) -> None:
    run = corrupt(store, **{tag: text})
    history = load_history(store.uri)
    assert run in {row.run_id for row in history.rejected if row.reason}
    assert {trial.number for trial in history.prior_trials(state=None)} >= {0, 1, 2, 3}


def test_an_empty_foreign_run_is_left_out_with_its_reason(store: Store) -> None:
    run = store.client.create_run(store.experiment, run_name="by hand").info.run_id
    (row,) = (row for row in load_history(store.uri).rejected if row.run_id == run)
    assert "has no hyperparameter" in row.reason and row.name == "by hand"


@pytest.mark.parametrize(
    ("tag", "text"),
    [(tag_names.SPACE, "{}"), (tag_names.OBJECTIVES, '"left"'),
     (tag_names.DIRECTIONS, '["up", "up"]'),
     (tag_names.OBJECTIVES, '["\\ud800", "b"]'), (tag_names.BUDGET, "1e9"),
     (tag_names.FINGERPRINT, "{}{}")],
)  # fmt: skip
def test_a_corrupt_summary_drops_its_own_search_only(store: Store, tag: str, text: str) -> None:
    tags = store.client.get_run(store.summary_run).data.tags
    tags = {name: value for name, value in tags.items() if name.startswith("twentieth.")}
    other = f"other-{abs(hash((tag, text)))}"
    store.client.create_run(store.experiment, tags=tags | {tag_names.SEARCH: other, tag: text})
    history = load_history(store.uri)
    assert other not in history.searches
    assert store.search in history.searches


def test_of_two_runs_with_one_key_the_one_furthest_along_counts(store: Store) -> None:
    for epoch, values in (("1", "[0.7, 0.7]"), ("2", "[0.9, 0.9]"), ("0", "[0.8, 0.8]")):
        tags = {tag_names.NUMBER: "50", tag_names.TRIAL_KEY: f"{store.search}/50"}
        corrupt(store, **tags, **{tag_names.EPOCH: epoch, tag_names.VALUES: values})
    history = load_history(store.uri)
    (trial,) = (trial for trial in history.prior_trials() if trial.number == 50)
    assert trial.values == (0.9, 0.9)
    assert sum("shares its trial key" in row.reason for row in history.rejected) == 2


@pytest.mark.parametrize(
    ("state", "step", "epoch"),
    [
        ("running", 5, 5),
        ("interrupted", 5, 5),
        ("interrupted", 2**40, 2),  # no step that an epoch can be
        ("complete", 9, 2),  # added after its end, whose tag does not lag
    ],
)
def test_the_epoch_of_a_trial_comes_from_its_metrics_until_it_has_ended(
    store: Store, state: str, step: int, epoch: int
) -> None:
    tags = {tag_names.NUMBER: "60", tag_names.STATE: state, tag_names.EPOCH: "2"}
    run = corrupt(store, **tags)
    store.client.log_metric(run, "left", 0.5, step=step)
    trials = load_history(store.uri).prior_trials(state=None)
    assert [trial.epoch for trial in trials if trial.number == 60] == [epoch]
    store.client.delete_run(run)


def test_without_its_journal_a_killed_search_is_known_up_to_the_last_epoch_sent(
    tmp_path: Path,
) -> None:
    store = new_store(tmp_path)
    store.start(0)
    writer = store.writer()
    for epoch in range(1, 6):
        store.epoch(0, epoch)
        writer.drain()
    (store.folder / "journal.jsonl").unlink()
    (trial,) = load_history(store.uri).prior_trials(state=None)
    assert (trial.epoch, max(trial.curves["left"])) == (5, 5)


def test_what_was_renamed_is_read_under_its_new_name(store: Store) -> None:
    history = load_history(store.uri).renamed({"x": "y"}, {"left": "west"})
    search = history.searches[store.search]
    trial = next(trial for trial in history.prior_trials() if trial.number == 0)
    assert trial.configuration == {"y": 0.1}
    assert list(search.space.distributions if search.space else ()) == ["y"]
    assert search.metrics == trial.metrics == ("west", "right")
    assert trial.curves["west"] == {1: 0.1, 2: 0.2}


def test_only_the_experiments_asked_for_are_read(store: Store) -> None:
    assert len(load_history(store.uri, ["other-*"])) == 0
    assert len(load_history(store.uri, ["dem?"])) > 0


def test_a_running_trial_of_a_live_search_is_running(store: Store) -> None:
    client = store.client
    client.set_tag(store.summary_run, tag_names.STATE, "running")
    client.set_tag(store.summary_run, tag_names.OWNER, owner_name())
    trials = load_history(store.uri).prior_trials(state=None)
    assert next(trial for trial in trials if trial.number == 3).state == "running"
    client.set_tag(store.summary_run, tag_names.STATE, "interrupted")


def test_history_survives_a_parquet_file(store: Store, tmp_path: Path) -> None:
    history = load_history(store.uri)
    history.to_parquet(tmp_path / "history.parquet")
    again = History.from_parquet(tmp_path / "history.parquet")
    assert again.trials.equals(history.trials)
    assert again.searches == history.searches
    assert again.rejected == history.rejected


def test_a_configuration_longer_than_a_tag_is_read_whole(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    long = {f"hyperparameter_{index}": "v" * 200 for index in range(60)}
    store.journal.append("start", number=0, configuration=long, origin={}, checkpoints="/x")
    store.writer().drain()
    (trial,) = load_history(store.uri).prior_trials(state=None)
    assert trial.configuration == long
    assert len(json.dumps(long)) > 8_000


def test_work_and_device_of_a_trial_go_through_the_store_and_0_is_unknown(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.start(0)
    for epoch, work in ((1, 2e12), (2, 5.5e12)):
        store.journal.append("epoch", number=0, epoch=epoch, metrics={"left": 0.1}, seconds=1.0,
                             work=work, device="2 of GPU")  # fmt: skip
    store.writer().drain()
    assert load_history(store.uri).prior_trials(state=None)[0].work == 5.5e12
    store.end(0, epochs=2, seconds=2.0, work=5.5e12, device="2 of GPU")
    store.trial(1)  # of an older version, which recorded neither
    store.writer().drain()
    read, cached = load_history(store.uri), load_history(store.uri)
    read.to_parquet(tmp_path / "history.parquet")
    for each in (read, cached, History.from_parquet(tmp_path / "history.parquet")):
        known, unknown = each.prior_trials()
        assert (known.work, known.device) == (5.5e12, "2 of GPU")
        assert (unknown.work, unknown.device) == (0.0, "")


def test_the_reason_of_a_failure_goes_through_the_store_with_its_cause(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    for number, reason in enumerate(("Traceback\nMemoryError\nout of memory", "")):
        store.start(number)
        store.journal.append("end", number=number, state="failed", epoch=1, values=[],
                             configuration={"x": 0.5}, origin={}, reason=reason)  # fmt: skip
    store.trial(2)
    store.writer().drain()
    read = load_history(store.uri)
    read.to_parquet(tmp_path / "history.parquet")
    for each in (read, History.from_parquet(tmp_path / "history.parquet")):
        trials = each.prior_trials(state=None)
        assert [trial.reason for trial in trials] == ["out of memory", "", ""]
        assert [trial.cause for trial in trials] == ["out of memory", "unknown", ""]


def test_a_search_with_a_wrong_clock_is_read_and_cached(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.trial(0)
    store.writer().drain()
    connection = sqlite3.connect(tmp_path / "mlflow.db")
    with connection:
        connection.execute("UPDATE runs SET start_time = 9223372036854775807, end_time = -5")
    connection.close()
    history = load_history(store.uri)
    history.to_parquet(tmp_path / "history.parquet")
    (trial,) = history.prior_trials()
    assert (trial.started, trial.seconds) == (None, 0.0)
    assert History.from_parquet(tmp_path / "history.parquet").searches == history.searches


@pytest.mark.parametrize("given", [{"task": "digits@1"}, {"same_task": ["mine"]}])
def test_a_task_and_the_experiments_that_are_of_it_are_given_together(
    store: Store, given: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=r"says nothing: .*fix: give both, or neither"):
        load_history(store.uri, **given)


def test_a_task_that_the_store_lacks_is_an_error_with_the_nearest_name(tmp_path: Path) -> None:
    hand = Hand(tmp_path)
    hand.log({"x": 0.5}, {"left": [0.1]})
    store = new_store(tmp_path)
    store.trial(0)
    store.writer().drain()
    (known,) = load_history(store.uri, searches=[store.search]).tasks()
    with pytest.raises(ValueError) as raised:
        load_history(store.uri, same_task=["mine"], task=f"{known}s")
    assert str(raised.value) == (
        f"the other experiments have no trial of task '{known}s'; did you mean {known!r}? They "
        f"have {known}; fix: name one of these, or pass is_new_task=True"
    )
    assert len(load_history(store.uri, same_task=["mine"], task=known).prior_trials(known)) == 2
    new = load_history(store.uri, same_task=["mine"], task="new", is_new_task=True)
    assert {*new.tasks()} == {known, "new"}
    assert load_history(store.uri, [], same_task=["mine"], task="new").tasks() == ["new"]


def test_a_name_that_no_experiment_has_is_said_with_the_nearest(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    assert len(load_history(store.uri, ["demos", "*"]).searches) == 1
    (said,) = caplog.messages
    assert said.startswith("no experiment matches 'demos' (did you mean 'demo'?), so it adds ")


@pytest.mark.parametrize("key", ["experiments", "searches", "same_task"])
def test_a_text_in_place_of_a_list_is_refused(store: Store, key: str) -> None:
    """Its letters would be names, and history would be empty."""
    with pytest.raises(TypeError, match=rf"{key} is a text, 'demo'; fix: a list, {key}=\['demo'\]"):
        load_history(store.uri, **{key: "demo"})  # type: ignore[arg-type]

"""Stores with malformed content: reading never fails, and every run is counted."""

from __future__ import annotations

import json
import sqlite3
import uuid
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from search.history import History
from search.tracking import tag_names
from search.tracking.read.history import load_history
from tests.support.foreign_stores import assert_accounted_for
from tests.support.runs_by_hand import Hand

STARTS = 1_760_000_000_000


@pytest.fixture
def hand(tmp_path: Path) -> Hand:
    """A store with one good run, which must be read whatever else is logged."""
    hand = Hand(tmp_path)
    hand.log({"lr": 0.5}, {"loss": [1.0]}, name="good")
    return hand


def assert_survives(hand: Hand, tmp_path: Path) -> History:
    """Checks that every run is counted, printable, and survives a Parquet file."""
    history = hand.history()
    trials = history.prior_trials(state=None)
    assert {"lr": 0.5} in [trial.configuration for trial in trials]
    for trial in trials:
        json.dumps(dict(trial.configuration))
        trial.value_of("loss")
        repr(trial)
    history.to_parquet(tmp_path / "history.parquet")
    again = History.from_parquet(tmp_path / "history.parquet")
    assert len(again) == len(history) and again.searches == history.searches
    return history


PARAMS = [
    "", " ", "<script>alert(1)</script>", "ünïcödé ☃ 漢字", "x" * 6000, "9" * 6000, "1e400", "-nan",
    "[" * 3000, '{"a":' * 1000, "__import__('os').system('true')", "\t\n", "٣", "\u202egnp",
    "0" * 50, "None", "True", "1e-320", "999999999999999999999999",
]  # fmt: skip


@pytest.mark.slow
def test_a_param_may_be_any_text(hand: Hand, tmp_path: Path) -> None:
    for place, text in enumerate(PARAMS):  # each in its own search, since types are per search
        for index in range(2):
            params = {"strange": text, "width": index}
            hand.log(params, {"loss": [1.0]}, start=STARTS + index, tags={"dataset": f"d{place}"})
    history = assert_survives(hand, tmp_path)
    assert len(history.searches) == len(PARAMS) + 1 and not history.rejected


@pytest.mark.slow
def test_params_of_one_name_may_be_of_every_kind(hand: Hand, tmp_path: Path) -> None:
    for index, text in enumerate(PARAMS):
        hand.log({"strange": text}, {"loss": [1.0]}, start=STARTS + index)
    assert len(assert_survives(hand, tmp_path)) == len(PARAMS) + 1


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), float("-inf"), 1.7e308, -1.7e308, 5e-324]
)
def test_a_metric_may_be_any_float(hand: Hand, tmp_path: Path, value: float) -> None:
    run = hand.log({"lr": 0.25}, {"loss": [1.0, value], "other": [1.0]})
    history = assert_survives(hand, tmp_path)
    (trial,) = (trial for trial in history.prior_trials() if trial.run_id == run)
    assert str(trial.curves["loss"][2]) == str(value)


@pytest.mark.parametrize(
    ("start", "end", "seconds"),
    [
        (STARTS, STARTS - 10_000, 0.0),
        (0, 0, 0.0),
        (0, STARTS, 0.0),
        (STARTS, 253_402_300_799_999_000, 0.0),
        (253_402_300_799_999_000, 253_402_300_799_999_000, 0.0),
        (9_223_372_036_854_775_807, 1, 0.0),
        (STARTS, STARTS, 0.0),
        (STARTS, STARTS + 1500, 1.5),
    ],
)
def test_a_clock_may_jump(hand: Hand, tmp_path: Path, start: int, end: int, seconds: float) -> None:
    run = hand.log({"lr": 0.25}, {"loss": [1.0]})
    write(
        tmp_path, "UPDATE runs SET start_time = ?, end_time = ? WHERE run_uuid = ?", start, end, run
    )
    history = assert_survives(hand, tmp_path)
    (trial,) = (trial for trial in history.prior_trials() if trial.run_id == run)
    assert trial.seconds == seconds


def write(folder: Path, statement: str, *values: Any) -> None:
    """Values that MLflow itself would not write."""
    connection = sqlite3.connect(folder / "mlflow.db")
    with connection:
        connection.execute(statement, values)
    connection.close()


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("metrics", "value", "not a number"), ("metrics", "step", "first"),
        ("metrics", "timestamp", "noon"), ("latest_metrics", "value", "not a number"),
        ("params", "value", b"\xff\xfe"), ("params", "key", b"\xed\xa0\x80"),
        ("tags", "value", b"\xed\xa0\x80"), ("tags", "value", None), ("runs", "name", None),
        ("runs", "start_time", None), ("runs", "start_time", "yesterday"),
        ("runs", "name", b"\xff"), ("metrics", "step", -3), ("metrics", "step", 2**62),
        ("metrics", "is_nan", 1),
    ],
)  # fmt: skip
def test_a_database_may_hold_what_mlflow_would_not_write(
    hand: Hand, tmp_path: Path, table: str, column: str, value: Any
) -> None:
    run = hand.log({"lr": 0.25}, {"loss": [1.0]}, tags={"note": "x"})
    write(tmp_path, f"UPDATE {table} SET {column} = ? WHERE run_uuid = ?", value, run)
    assert_survives(hand, tmp_path)


@pytest.mark.parametrize(
    "tags",
    [
        {"trial_name": "<b>"},
        {"number": "one", "direction": "UP", "datetime_start": "noon", "state": "WHO KNOWS"},
        {"number": "9" * 4000, "direction": "MAXIMIZE", "datetime_start": "", "state": "COMPLETE"},
        {"number": "0", "direction": "[" * 4000, "datetime_start": "", "state": "COMPLETE",
         "lr_distribution": "FloatDistribution(" + "(" * 4000 + ")"},
        {"param_directions": "[" * 4000}, {"param_directions": '{"lr": "{}"}'},
        {"param_directions": '{"lr": 3}', "param_internal_val_lr": "NaN", "numbers": "²"},
        {"optuna.study_direction": "SIDEWAYS"}, {"estimator_class": "SearchCV"},
        {tag_names.KIND: "something"}, {tag_names.KIND: "trial"}, {tag_names.KIND: "search"},
        {tag_names.KIND: "search", tag_names.SEARCH: "mlflow:mine", tag_names.TASK: "t",
         tag_names.OBJECTIVES: "[]", tag_names.DIRECTIONS: "[]"},
        {"mlflow.parentRunId": "nobody"}, {"dataset": "d" * 4000}, {"model": "<img src=x>"},
    ],
)  # fmt: skip
def test_tags_may_hold_anything(hand: Hand, tmp_path: Path, tags: dict[str, str]) -> None:
    hand.log({"lr": 0.25}, {"loss": [1.0]}, tags=tags)
    assert_survives(hand, tmp_path)


def test_a_study_may_name_its_metrics_by_lone_surrogates(hand: Hand, tmp_path: Path) -> None:
    study = hand.log({}, tags={
        "optuna.study_direction": "MAXIMIZE", "sys_study:metric_names": '["\\ud800"]',
    })  # fmt: skip
    hand.log({"lr": 0.25}, {"value": [1.0]}, parent=study, tags={"param_directions": "{}"})
    (search,) = (each for each in assert_survives(hand, tmp_path).searches.values() if each.run_id)
    assert search.metrics == ("value",)


@pytest.mark.slow
def test_thousands_of_metrics_of_one_run_are_all_read(hand: Hand, tmp_path: Path) -> None:
    run = hand.log({"lr": 0.25}, {f"metric {index}": [1.0] for index in range(900)})
    history = assert_survives(hand, tmp_path)
    (trial,) = (trial for trial in history.prior_trials() if trial.run_id == run)
    assert len(trial.curves) == 900


RUNS = st.lists(
    st.fixed_dictionaries(
        {
            "params": st.dictionaries(
                st.sampled_from(["lr", "kind", "pid", "config/x"]),
                st.sampled_from(["0.1", "1", "adam", "None", "", "nan", "x" * 300]),
                max_size=3,
            ),
            "metrics": st.dictionaries(
                st.sampled_from(["loss", "value", "value_0", "system/cpu", "training_iteration"]),
                st.lists(st.sampled_from([0.5, 1.0, float("nan"), float("inf")]), max_size=2),
                max_size=3,
            ),
            "status": st.sampled_from(["FINISHED", "FAILED", "KILLED", None]),
            "tags": st.dictionaries(
                st.sampled_from(
                    ["trial_name", "number", "direction", "datetime_start", "param_directions",
                     "optuna.study_direction", "estimator_class", tag_names.KIND, tag_names.SEARCH,
                     tag_names.NUMBER, tag_names.TASK, tag_names.OBJECTIVES, tag_names.DIRECTIONS,
                     tag_names.CONFIGURATION, "dataset"]
                ),
                st.sampled_from(["0", "MAXIMIZE", "{}", "[]", "trial", "search", "x"]),
                max_size=6,
            ),
            "below": st.integers(-4, 5),
            "is_deleted": st.booleans(),
        }
    ),
    max_size=6,
)  # fmt: skip


@pytest.fixture(scope="module")
def experiments(tmp_path_factory: pytest.TempPathFactory) -> Hand:
    return Hand(tmp_path_factory.mktemp("any"))


@pytest.mark.slow
@given(runs=RUNS)
@settings(max_examples=15)
def test_every_run_of_any_store_is_a_trial_the_run_of_a_search_or_left_out(
    experiments: Hand, runs: list[dict[str, Any]]
) -> None:
    hand = experiments
    hand.experiment = hand.client.create_experiment(f"any {uuid.uuid4()}")
    logged: list[str] = []
    for index, run in enumerate(runs):
        logged.append(
            hand.log(run["params"], run["metrics"], status=run["status"], tags=run["tags"],
                     start=STARTS + index % 2)
        )  # fmt: skip
    for run_id, run in zip(logged, runs, strict=True):
        if 0 <= run["below"] < len(logged):
            hand.client.set_tag(run_id, "mlflow.parentRunId", logged[run["below"]])
        if run["is_deleted"]:
            hand.client.delete_run(run_id)
    name = hand.client.get_experiment(hand.experiment).name
    history = load_history(hand.uri, [name])
    assert_accounted_for(history, logged)
    assert {trial.search for trial in history.prior_trials(state=None)} <= set(history.searches)
    hand.client.delete_experiment(hand.experiment)

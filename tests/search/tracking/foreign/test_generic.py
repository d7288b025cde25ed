"""Runs logged by hand: flat and nested, in every state, with data sets, and with parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from mlflow.entities import RunTag
from optuna.distributions import FloatDistribution

from search.extract.task_similarity import compare_tasks
from tests.support.foreign_stores import (
    all_run_ids,
    tracked_in,
)
from tests.support.runs_by_hand import Hand


@pytest.fixture
def hand(tmp_path: Path) -> Hand:
    return Hand(tmp_path)


def test_a_flat_experiment_is_one_search_of_its_runs_oldest_first(hand: Hand) -> None:
    hand.log({"lr": 0.1}, {"loss": [2.0, 1.0]}, start=1_760_000_002_000)
    hand.log({"lr": 0.001}, {"loss": [4.0, 3.0]}, start=1_760_000_001_000)
    history = hand.history()
    trials = history.prior_trials()
    assert [trial.configuration for trial in trials] == [{"lr": 0.001}, {"lr": 0.1}]
    assert [trial.number for trial in trials] == [0, 1]
    assert trials[0].curves == {"loss": {1: 4.0, 2: 3.0}}
    assert trials[0].value_of("loss") == 3.0
    assert (trials[0].seconds, trials[0].work) == (59.0, 0.0)
    (search,) = history.searches.values()
    assert (search.id, search.task, search.run_id) == ("mlflow:mine", "mlflow:mine", "")
    assert search.space is not None
    assert search.space.distributions == {"lr": FloatDistribution(0.001, 0.1, log=True)}


@pytest.mark.parametrize(
    ("status", "state"),
    [("FINISHED", "complete"), ("FAILED", "failed"), ("KILLED", "interrupted"), (None, "running")],
)
def test_the_status_is_the_state(hand: Hand, status: str | None, state: str) -> None:
    hand.log({"lr": 0.1}, {"loss": [1.0]}, status=status)
    assert [trial.state for trial in hand.trials()] == [state]


def test_a_failed_run_without_metrics_is_a_trial(hand: Hand) -> None:
    hand.log({"lr": 100.0}, status="FAILED")
    assert [trial.state for trial in hand.trials()] == ["failed"]


def test_runs_below_one_run_are_a_search_of_their_own(hand: Hand) -> None:
    first, second = hand.log({}, name="first"), hand.log({}, name="second")
    for parent in (first, first, second, ""):
        hand.log({"lr": 0.1 * len(all_run_ids(hand.uri))}, {"loss": [1.0]}, parent=parent)
    history = hand.history()
    counts = {
        search.run_id: len(history.prior_trials(search=search.id))
        for search in history.searches.values()
    }
    assert counts == {first: 2, second: 1, "": 1}


def test_the_folds_below_a_trial_are_its_parts(hand: Hand) -> None:
    trial = hand.log({"lr": 0.1}, {"accuracy": [0.8]})
    folds = [
        hand.log({"lr": 0.1, "fold": fold}, {"accuracy": [0.8]}, parent=trial) for fold in range(3)
    ]
    assert [each.run_id for each in hand.trials()] == [trial]
    assert all(f"part of trial run {trial}" in hand.reason(fold) for fold in folds)


def test_a_run_above_two_searches_is_neither_search_nor_trial(hand: Hand) -> None:
    script = hand.log({})
    searches = [hand.log({}, parent=script) for _ in range(2)]
    for search in searches:
        for lr in (0.1, 0.2):
            hand.log({"lr": lr}, {"loss": [1.0]}, parent=search)
    assert {search.run_id for search in hand.history().searches.values()} == set(searches)
    assert "has other runs below it" in hand.reason(script)


def test_runs_that_are_nested_in_a_circle_are_read(hand: Hand) -> None:
    first = hand.log({"lr": 0.1}, {"loss": [1.0]})
    second = hand.log({"lr": 0.2}, {"loss": [1.0]}, parent=first)
    itself = hand.log({"lr": 0.3}, {"loss": [1.0]})
    hand.client.set_tag(first, "mlflow.parentRunId", second)
    hand.client.set_tag(itself, "mlflow.parentRunId", itself)
    assert itself in {trial.run_id for trial in hand.trials()}


def test_a_search_stays_when_its_parent_run_was_deleted(hand: Hand) -> None:
    parent = hand.log({})
    hand.log({"lr": 0.1}, {"loss": [1.0]}, parent=parent)
    hand.client.delete_run(parent)
    (search,) = hand.history().searches.values()
    assert search.run_id == "" and parent[:8] in search.id
    assert "deleted" in hand.reason(parent)


@pytest.mark.parametrize(
    ("params", "metrics", "reason"),
    [
        ({}, {"loss": [1.0]}, "has no hyperparameter"),
        ({"pid": 4711, "node_ip": "10.0.0.1"}, {"loss": [1.0]}, "has no hyperparameter"),
        ({"lr": 0.1}, {}, "no metrics were logged"),
        ({"lr": 0.1}, {"system/cpu": [0.5]}, "no metrics were logged"),
        ({"lr": 0.1}, {"loss": [1.0, float("nan")]}, "none of its metrics ends in a finite number"),
        ({"lr": 0.1}, {"loss": [float("inf")]}, "none of its metrics ends in a finite number"),
    ],
)
def test_a_run_that_teaches_nothing_is_left_out_with_its_reason(
    hand: Hand, params: dict[str, Any], metrics: dict[str, list[float]], reason: str
) -> None:
    assert reason in hand.reason(hand.log(params, metrics))


def test_a_copy_of_a_run_counts_once_and_a_repetition_twice(hand: Hand) -> None:
    first = hand.log({"lr": 0.1}, {"loss": [1.0]})
    copy = hand.log({"lr": 0.1}, {"loss": [1.0]})
    hand.log({"lr": 0.1}, {"loss": [1.0]}, start=1_760_000_000_001)
    assert len(hand.trials()) == 2
    assert {first, copy} - {trial.run_id for trial in hand.trials()} == {
        row.run_id for row in hand.history().rejected
    }


def test_runs_of_one_name_are_all_read(hand: Hand) -> None:
    for lr in (0.1, 0.2, 0.3):
        hand.log({"lr": lr}, {"loss": [1.0]}, name="run")
    assert len(hand.trials()) == 3


def test_values_logged_without_steps_are_numbered_in_order_of_time(hand: Hand) -> None:
    run = hand.log({"lr": 0.1}, status=None)
    for moment, value in ((3, 0.25), (1, 1.0), (2, 0.5)):
        hand.client.log_metric(run, "loss", value, timestamp=1_760_000_000_000 + moment)
    (trial,) = hand.trials()
    assert trial.curves == {"loss": {1: 1.0, 2: 0.5, 3: 0.25}}


def test_of_two_values_for_one_step_the_later_counts(hand: Hand) -> None:
    run = hand.log({"lr": 0.1}, {"loss": [1.0, 0.5]}, status=None)
    hand.client.log_metric(run, "loss", 0.75, timestamp=1_770_000_000_000, step=2)
    (trial,) = hand.trials()
    assert trial.curves == {"loss": {1: 1.0, 2: 0.75}}


def test_a_logged_data_set_is_in_the_fingerprint_and_separates_searches(hand: Hand) -> None:
    with tracked_in(hand.uri, "mine"):
        for name in ("mnist", "kmnist"):
            inputs = np.zeros((30, 4)) + len(name)
            data = mlflow.data.from_numpy(inputs, targets=np.zeros(30), name=name)
            with mlflow.start_run(tags={"model": "cnn"}):
                mlflow.log_param("lr", 0.1)
                mlflow.log_input(data, context="training")
                mlflow.log_metric("loss", 1.0, step=3)
    searches = list(hand.history().searches.values())
    assert [search.fingerprint["data"]["name"] for search in searches] == ["mnist", "kmnist"]
    assert all(search.fingerprint["data"]["train"] == 30 for search in searches)
    assert all(search.fingerprint["model"] == "cnn" for search in searches)
    assert len({search.task for search in searches}) == 2
    first, second = searches
    alike = compare_tasks(first.task, first.fingerprint, second.task, second.fingerprint)
    assert {"other data", "same model", "same number of epochs"} <= set(alike.reasons)


def test_a_tag_may_name_the_data_set(hand: Hand) -> None:
    hand.log({"lr": 0.1}, {"loss": [1.0]}, tags={"dataset": "digits"})
    (search,) = hand.history().searches.values()
    assert search.fingerprint == {"name": "mine", "data": {"name": "digits"}, "epochs": 1}
    assert search.task == "mlflow:mine@digits"


def test_experiments_declared_to_be_of_the_same_task_get_its_id(hand: Hand) -> None:
    hand.log({"lr": 0.1}, {"loss": [1.0]})
    history = hand.history(experiments=["nothing"], same_task=["mi*"], task="digits-cnn@12345678")
    (trial,) = history.prior_trials("digits-cnn@12345678")
    (search,) = history.searches.values()
    assert trial.configuration == {"lr": 0.1} and search.task == "digits-cnn@12345678"
    assert hand.history().tasks() == ["mlflow:mine"]


def test_a_renamed_metric_and_hyperparameter_come_back_under_their_new_names(hand: Hand) -> None:
    hand.log({"lr": 0.1}, {"val_acc": [0.5, 0.75]})
    history = hand.history().renamed({"lr": "sgd.learning_rate"}, {"val_acc": "accuracy.clean"})
    (trial,) = history.prior_trials()
    (search,) = history.searches.values()
    assert trial.configuration == {"sgd.learning_rate": 0.1}
    assert trial.value_of("accuracy.clean") == 0.75
    assert search.space is None, "nothing varied"


def test_foreign_runs_below_a_trial_of_ours_are_its_parts(hand: Hand) -> None:
    tags = [RunTag("twentieth.kind", "trial"), RunTag("twentieth.search", "x")]
    ours = hand.client.create_run(hand.experiment, tags={tag.key: tag.value for tag in tags})
    part = hand.log({"lr": 0.1}, {"loss": [1.0]}, parent=ours.info.run_id)
    assert "which Twentieth logged" in hand.reason(part)


def test_searches_with_colliding_names_stay_separate(hand: Hand) -> None:
    hand.log({"lr": 0.1}, {"loss": [1.0]}, tags={"dataset": "cnn"})
    hand.log({"lr": 0.2}, {"loss": [1.0]}, tags={"model": "cnn"})
    history = hand.history()
    assert len(history.searches) == 2
    assert {trial.search for trial in history.prior_trials()} == set(history.searches)


def test_what_two_tools_logged_below_one_run_is_one_search(hand: Hand) -> None:
    parent = hand.log({})
    hand.log({"config/lr": 0.1}, {"loss": [1.0]}, parent=parent)
    hand.log({"lr": 0.2}, {"loss": [1.0]}, parent=parent)
    (search,) = hand.history().searches.values()
    assert search.run_id == parent


def log_steps(hand: Hand, **curves: dict[int, float]) -> None:
    """Logs a run whose metrics have these steps."""
    place = len(all_run_ids(hand.uri))
    run = hand.log({"lr": 0.1 + place}, status=None, start=1_760_000_000_000 + place)
    for metric, curve in curves.items():
        for step, value in curve.items():
            hand.client.log_metric(run, metric, value, step=step)
    hand.client.set_terminated(run, "FINISHED")


def test_a_run_that_counts_its_epochs_from_zero_has_as_many_as_it_trained(hand: Hand) -> None:
    log_steps(hand, loss={0: 3.0, 1: 2.0, 2: 1.0}, accuracy={1: 0.5}, final={0: 0.75})
    (trial,) = hand.trials()
    assert trial.epoch == 3
    # The second metric moves with the first; a value without a step has step 0 in MLflow.
    assert trial.curves == {
        "loss": {1: 3.0, 2: 2.0, 3: 1.0}, "accuracy": {2: 0.5}, "final": {0: 0.75}
    }  # fmt: skip


def test_a_run_that_ended_with_its_first_epoch_counts_as_the_others_do(hand: Hand) -> None:
    log_steps(hand, loss={0: 3.0, 1: 2.0})
    log_steps(hand, loss={0: 4.0})
    log_steps(hand, loss={1: 3.5, 2: 2.5})  # by another script, which counts from 1
    assert [trial.curves["loss"] for trial in hand.trials()] == [
        {1: 3.0, 2: 2.0}, {1: 4.0}, {1: 3.5, 2: 2.5}
    ]  # fmt: skip


def test_values_without_any_step_are_no_epochs(hand: Hand) -> None:
    log_steps(hand, loss={0: 3.0}, accuracy={0: 0.5})
    log_steps(hand, loss={0: 4.0}, accuracy={0: 0.25})
    assert [trial.epoch for trial in hand.trials()] == [0, 0]

"""Stores written by optuna-integration's `MLflowCallback`."""

from __future__ import annotations

from pathlib import Path

import mlflow
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna_integration import MLflowCallback

from search.objectives import Objective
from search.tracking.read.history import load_history
from tests.support.foreign_stores import (
    all_run_ids,
    assert_accounted_for,
    empty_store,
    tracked_in,
    types_of,
)
from tests.support.stores_of_tools import WIDTHS, optuna_callback_store


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    return optuna_callback_store(tmp_path_factory.getbasetemp())


def test_the_study_is_read_with_its_types_states_and_values(uri: str) -> None:
    history = load_history(uri)
    trials = sorted(history.prior_trials(state=None), key=lambda trial: trial.number)
    assert [dict(trial.configuration) for trial in trials] == WIDTHS
    for trial, tried in zip(trials, WIDTHS, strict=True):
        assert types_of(trial.configuration) == types_of(tried)
    assert [trial.state for trial in trials] == ["complete", "complete", "stopped", "failed"]
    assert [trial.values for trial in trials] == [(0.16,), (0.64,), (), ()]
    assert {trial.metrics for trial in trials} == {("value",)}
    assert {each.direction for trial in trials for each in trial.objectives} == {"maximize"}
    assert_accounted_for(history, all_run_ids(uri))


def test_the_space_is_the_studys_own(uri: str) -> None:
    (search,) = load_history(uri).searches.values()
    assert search.space is not None
    assert search.space.distributions == {
        "rate": FloatDistribution(1e-4, 1.0, log=True),
        "width": IntDistribution(16, 64, step=16),
        "kind": CategoricalDistribution(["sgd", "adam"]),
        "bias": CategoricalDistribution([True, False]),
        "depth": CategoricalDistribution([None, 3]),
    }
    assert (search.task, search.metrics) == ("mlflow:widths", ("value",))


def test_several_objectives_are_numbered_and_keep_their_directions(tmp_path: Path) -> None:
    uri = empty_store(tmp_path)
    study = optuna.create_study(study_name="two", directions=["minimize", "maximize"])
    with tracked_in(uri, "two"):
        study.optimize(
            lambda trial: (trial.suggest_float("x", 0, 1), 2.0),
            n_trials=1, callbacks=[MLflowCallback(tracking_uri=uri)],
        )  # fmt: skip
    (trial,) = load_history(uri).prior_trials()
    assert trial.metrics == ("value_0", "value_1")
    assert [each.direction for each in trial.objectives] == ["minimize", "maximize"]
    assert trial.values == (trial.configuration["x"], 2.0)


def test_a_metric_with_the_users_name_is_the_objective_of_runs_nested_by_hand(
    tmp_path: Path,
) -> None:
    uri = empty_store(tmp_path)
    with tracked_in(uri, "by me"), mlflow.start_run(run_name="the study") as parent:
        callback = MLflowCallback(
            tracking_uri=uri, metric_name="accuracy", create_experiment=False,
            mlflow_kwargs={"nested": True},
        )  # fmt: skip
        study = optuna.create_study(direction="maximize")
        study.optimize(
            lambda trial: trial.suggest_float("x", 0, 1), n_trials=2, callbacks=[callback]
        )
    history = load_history(uri)
    (search,) = history.searches.values()
    assert search.run_id == parent.info.run_id
    assert search.objectives == (Objective("accuracy", "maximize"),)
    assert [trial.values for trial in history.prior_trials()] == [
        (trial.configuration["x"],) for trial in history.prior_trials()
    ]
    assert len(history) == 2
    assert_accounted_for(history, all_run_ids(uri))

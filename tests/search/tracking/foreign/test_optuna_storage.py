"""Stores written by `mlflow.optuna.MlflowStorage`."""

from __future__ import annotations

import mlflow
import optuna
import pytest
from mlflow.optuna.storage import MlflowStorage
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from search.history import Trial
from search.tracking.read.history import read_history
from tests.support.foreign_stores import (
    all_run_ids,
    assert_accounted_for,
    empty_store,
    tracked_in,
    types_of,
)

TRIED = [
    {"rate": 0.001, "width": 16, "kind": "sgd"},
    {"rate": 0.1, "width": 64, "kind": "adam"},
    {"rate": 0.01, "width": 32, "kind": "sgd"},
]


def objective(trial: optuna.Trial) -> float:
    trial.suggest_float("rate", 1e-4, 1.0, log=True)
    width = trial.suggest_int("width", 16, 64, step=16)
    trial.suggest_categorical("kind", ["sgd", "adam"])
    for epoch in (1, 2):
        trial.report(width * epoch / 1000, epoch)
    if width == 64:
        raise optuna.TrialPruned
    if width == 32:
        raise ZeroDivisionError
    return 0.5


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    uri = empty_store(tmp_path_factory.mktemp("storage"))
    with tracked_in(uri, "kept"):
        experiment = mlflow.get_experiment_by_name("kept")
        assert experiment is not None
        storage = MlflowStorage(experiment_id=experiment.experiment_id)
        study = optuna.create_study(storage=storage, study_name="widths", direction="minimize")
        study.enqueue_trial(TRIED[0])
        study.optimize(objective, n_trials=1)
        for parameters in TRIED[1:]:
            study.enqueue_trial(parameters)
            study.optimize(objective, n_trials=1, catch=(ZeroDivisionError,))
        storage.flush_all_batches()
    return uri


def tried(uri: str) -> list[Trial]:
    trials = read_history(uri).prior_trials(state=None)
    return sorted(trials, key=lambda trial: [each["width"] for each in TRIED].index(
        trial.configuration["width"]
    ))  # fmt: skip


def test_the_study_is_read_with_its_types_states_and_values(uri: str) -> None:
    trials = tried(uri)
    assert [dict(trial.configuration) for trial in trials] == TRIED
    assert types_of(trials[0].configuration) == {"rate": "float", "width": "int", "kind": "str"}
    assert [trial.state for trial in trials] == ["complete", "stopped", "failed"]
    assert [trial.values for trial in trials] == [(0.5,), (), ()]
    assert {trial.metrics for trial in trials} == {("value",)}
    assert {each.direction for trial in trials for each in trial.objectives} == {"minimize"}
    assert all(trial.started is not None for trial in trials)


def test_intermediate_values_are_the_objectives_curve(uri: str) -> None:
    assert [trial.curves for trial in tried(uri)] == [
        {"value": {1: 0.016, 2: 0.032}},
        {"value": {1: 0.064, 2: 0.128}},
        {"value": {1: 0.032, 2: 0.064}},
    ]
    assert [trial.epoch for trial in tried(uri)] == [2, 2, 2]


def test_the_study_is_the_search_and_its_space_is_the_studys_own(uri: str) -> None:
    history = read_history(uri)
    (search,) = history.searches.values()
    assert search.space is not None
    assert search.space.distributions == {
        "rate": FloatDistribution(1e-4, 1.0, log=True),
        "width": IntDistribution(16, 64, step=16),
        "kind": CategoricalDistribution(["sgd", "adam"]),
    }
    assert "widths" in search.id and search.run_id and search.epochs == 2
    assert_accounted_for(history, all_run_ids(uri))

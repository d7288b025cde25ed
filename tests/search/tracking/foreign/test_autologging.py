"""Stores written by `mlflow.sklearn.autolog`."""

from __future__ import annotations

import pytest
from optuna.distributions import FloatDistribution

from search.tracking.read.history import load_history
from tests.support.foreign_stores import (
    all_run_ids,
    assert_accounted_for,
    types_of,
)
from tests.support.stores_of_tools import GRID, autologged_store

# MLflow's autologging imports large parts of scikit-learn: ten seconds on a busy machine.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    return autologged_store(tmp_path_factory.getbasetemp())


def test_each_candidate_is_a_trial_of_its_grid_search(uri: str) -> None:
    history = load_history(uri)
    trials = sorted(history.prior_trials(), key=lambda trial: trial.configuration["C"])
    assert [trial.configuration["C"] for trial in trials] == GRID
    (search,) = history.searches.values()
    assert search.run_id and {trial.search for trial in trials} == {search.id}
    assert_accounted_for(history, all_run_ids(uri))


def test_the_objective_is_the_score_that_the_grid_search_maximises(uri: str) -> None:
    trials = load_history(uri).prior_trials()
    assert {trial.metrics for trial in trials} == {("mean_test_score",)}
    assert {each.direction for trial in trials for each in trial.objectives} == {"maximize"}
    assert all(0.3 < trial.values[0] <= 1.0 for trial in trials)


def test_all_parameters_of_the_estimator_are_kept_and_the_varied_ones_are_the_space(
    uri: str,
) -> None:
    history = load_history(uri)
    trial, *_ = history.prior_trials()
    types = types_of(trial.configuration)
    assert {name: types[name] for name in ("C", "max_iter", "fit_intercept", "solver")} == {
        "C": "float", "max_iter": "int", "fit_intercept": "bool", "solver": "str",
    }  # fmt: skip
    assert types["class_weight"] == "NoneType"
    (search,) = history.searches.values()
    assert search.space is not None
    assert search.space.distributions == {"C": FloatDistribution(0.01, 1.0, log=True)}


def test_the_fingerprint_has_data_and_model_and_the_times_of_the_grid_search_are_not_used(
    uri: str,
) -> None:
    history = load_history(uri)
    (search,) = history.searches.values()
    assert str(search.fingerprint["model"]).endswith("LogisticRegression")
    assert search.fingerprint["data"]["digest"] and search.fingerprint["data"]["train"] == 150
    assert search.task.startswith("mlflow:iris@")
    assert {trial.seconds for trial in history.prior_trials()} == {0.0}

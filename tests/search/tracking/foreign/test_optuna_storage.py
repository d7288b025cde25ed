"""Stores written by `mlflow.optuna.MlflowStorage`."""

from __future__ import annotations

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from search.history import Trial
from search.tracking.read.history import load_history
from tests.support.foreign_stores import (
    all_run_ids,
    assert_accounted_for,
    types_of,
)
from tests.support.stores_of_tools import KEPT, optuna_storage_store


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    return optuna_storage_store(tmp_path_factory.getbasetemp())


def tried(uri: str) -> list[Trial]:
    trials = load_history(uri).prior_trials(state=None)
    return sorted(trials, key=lambda trial: [each["width"] for each in KEPT].index(
        trial.configuration["width"]
    ))  # fmt: skip


def test_the_study_is_read_with_its_types_states_and_values(uri: str) -> None:
    trials = tried(uri)
    assert [dict(trial.configuration) for trial in trials] == KEPT
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
    history = load_history(uri)
    (search,) = history.searches.values()
    assert search.space is not None
    assert search.space.distributions == {
        "rate": FloatDistribution(1e-4, 1.0, log=True),
        "width": IntDistribution(16, 64, step=16),
        "kind": CategoricalDistribution(["sgd", "adam"]),
    }
    assert "widths" in search.id and search.run_id and search.epochs == 2
    assert_accounted_for(history, all_run_ids(uri))

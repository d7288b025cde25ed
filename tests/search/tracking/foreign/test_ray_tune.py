"""Stores written by Ray's `MLflowLoggerCallback`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import pytest
from optuna.distributions import FloatDistribution, IntDistribution

from search.tracking.read.history import load_history
from tests.support.foreign_stores import (
    all_run_ids,
    assert_accounted_for,
    empty_store,
    tracked_in,
    types_of,
)
from tests.support.stores_of_tools import log_as_ray_does, ray_tune_store


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    return ray_tune_store(tmp_path_factory.getbasetemp())


def test_configurations_are_read_typed_and_without_rays_own_metrics(uri: str) -> None:
    history = load_history(uri)
    first, *_ = history.prior_trials(state=None)
    assert first.configuration == {
        "lr": 1.0, "model/width": 16, "model/bias": True, "data": "mnist",
    }  # fmt: skip
    assert types_of(first.configuration) == {
        "lr": "float", "model/width": "int", "model/bias": "bool", "data": "str",
    }  # fmt: skip
    assert first.curves == {"accuracy": {1: 0.1, 2: 0.2, 3: 0.3, 4: 0.4}}
    assert (first.objectives, first.values) == ((), ())
    assert first.value_of("accuracy") == 0.4
    assert_accounted_for(history, all_run_ids(uri))


def test_trials_that_finished_early_were_stopped(uri: str) -> None:
    trials = load_history(uri).prior_trials(state=None)
    assert [trial.state for trial in trials] == [
        "complete", "complete", "stopped", "failed", "running",
    ]  # fmt: skip


def test_the_space_is_inferred_from_what_varied(uri: str) -> None:
    (search,) = load_history(uri).searches.values()
    assert search.space is not None
    distributions = search.space.distributions
    assert distributions["lr"] == FloatDistribution(0.01, 1.0, log=True)
    assert distributions["model/width"] == IntDistribution(16, 64)
    assert set(distributions) == {"lr", "model/width", "model/bias"}
    assert (search.id, search.task) == ("mlflow:tuned/ray", "mlflow:tuned")
    assert search.fingerprint == {"name": "tuned", "epochs": 4}


@pytest.mark.slow
def test_a_trial_that_a_resumed_tuner_logged_again_counts_once(tmp_path: Path) -> None:
    uri = empty_store(tmp_path)
    with tracked_in(uri, "tuned"):
        log_as_ray_does(
            uri, [("train_1", {"lr": 0.1}, 2, "running"), ("train_1", {"lr": 0.1}, 4, "done")]
        )
    history = load_history(uri)
    (trial,) = history.prior_trials(state=None)
    assert (trial.state, trial.epoch) == ("complete", 4)
    (left_out,) = history.rejected
    assert f"same trial as run {trial.run_id}" in left_out.reason


def test_params_under_rays_prefix_lose_it(tmp_path: Path) -> None:
    uri = empty_store(tmp_path)
    with tracked_in(uri, "old"), mlflow.start_run():
        mlflow.log_params({"config/lr": 0.5, "config/width": 3})
        mlflow.log_metric("loss", 0.25, step=7)
    (trial,) = load_history(uri).prior_trials()
    assert trial.configuration == {"lr": 0.5, "width": 3}
    assert trial.curves == {"loss": {7: 0.25}}


@pytest.mark.slow
def test_a_real_run_of_tune_is_read(tmp_path: Path) -> None:
    import ray
    from ray import tune
    from ray.air.integrations.mlflow import MLflowLoggerCallback

    def train(config: dict[str, Any]) -> None:
        for step in range(3):
            tune.report({"loss": config["lr"] * (3 - step)})

    uri = empty_store(tmp_path)
    ray.init(address="local", num_cpus=1, include_dashboard=False, logging_level="error")
    try:
        callback = MLflowLoggerCallback(tracking_uri=uri, experiment_name="real")
        tune.Tuner(
            train,
            param_space={"lr": tune.grid_search([0.25, 0.5]), "net": {"width": 8}},
            run_config=tune.RunConfig(
                storage_path=str(tmp_path / "ray"), callbacks=[callback], verbose=0
            ),
        ).fit()
    finally:
        ray.shutdown()
    history = load_history(uri)
    trials = sorted(history.prior_trials(), key=lambda trial: trial.configuration["lr"])
    assert [dict(trial.configuration) for trial in trials] == [
        {"lr": 0.25, "net/width": 8}, {"lr": 0.5, "net/width": 8},
    ]  # fmt: skip
    assert trials[1].curves == {"loss": {1: 1.5, 2: 1.0, 3: 0.5}}
    assert_accounted_for(history, all_run_ids(uri))

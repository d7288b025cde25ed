"""One store of each tool that we read, written by that tool, made once in a folder of a session."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import mlflow
import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from search.history import Trial
from search.history.states import State
from search.objectives import Objective
from search.space import SearchSpace
from search.tracking.imports.imported import Imported, ImportedRun
from search.tracking.imports.writer import write_imported
from tests.support.foreign_stores import empty_store, tracked_in
from tests.support.runs_by_hand import Hand

WIDTHS: list[dict[str, Any]] = [
    {"rate": 0.001, "width": 16, "kind": "sgd", "bias": True, "depth": None},
    {"rate": 0.1, "width": 64, "kind": "adam", "bias": False, "depth": 3},
    {"rate": 1.0, "width": 32, "kind": "sgd", "bias": True, "depth": 3},
    {"rate": 0.01, "width": 48, "kind": "adam", "bias": True, "depth": None},
]


def _of_width(trial: optuna.Trial) -> float:
    rate = trial.suggest_float("rate", 1e-4, 1.0, log=True)
    width = trial.suggest_int("width", 16, 64, step=16)
    trial.suggest_categorical("kind", ["sgd", "adam"])
    trial.suggest_categorical("bias", [True, False])
    trial.suggest_categorical("depth", [None, 3])
    if rate == 1.0:
        trial.report(0.5, 1)
        raise optuna.TrialPruned
    if width == 48:
        raise ZeroDivisionError
    return width / 100


@functools.cache
def optuna_callback_store(base: Path) -> str:
    """A study by optuna-integration's callback: two complete trials, a pruned and a failed one."""
    from optuna_integration import MLflowCallback

    uri = empty_store(base / "tools" / "callback")
    study = optuna.create_study(study_name="widths", direction="maximize")
    for parameters in WIDTHS:
        study.enqueue_trial(parameters)
    with tracked_in(uri, "widths"):
        callback = MLflowCallback(tracking_uri=uri)
        study.optimize(
            _of_width, n_trials=4, callbacks=[callback], catch=(ZeroDivisionError,)
        )  # fmt: skip
    return uri


KEPT: list[dict[str, Any]] = [
    {"rate": 0.001, "width": 16, "kind": "sgd"},
    {"rate": 0.1, "width": 64, "kind": "adam"},
    {"rate": 0.01, "width": 32, "kind": "sgd"},
]


def _of_kept_width(trial: optuna.Trial) -> float:
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


@functools.cache
def optuna_storage_store(base: Path) -> str:
    """A study kept by MLflow's storage: a complete, a pruned and a failed trial."""
    from mlflow.optuna.storage import MlflowStorage

    uri = empty_store(base / "tools" / "storage")
    with tracked_in(uri, "kept"):
        experiment = mlflow.get_experiment_by_name("kept")
        assert experiment is not None
        storage = MlflowStorage(experiment_id=experiment.experiment_id)
        study = optuna.create_study(storage=storage, study_name="widths", direction="minimize")
        study.enqueue_trial(KEPT[0])
        study.optimize(_of_kept_width, n_trials=1)
        for parameters in KEPT[1:]:
            study.enqueue_trial(parameters)
            study.optimize(_of_kept_width, n_trials=1, catch=(ZeroDivisionError,))
        storage.flush_all_batches()
    return uri


class _RayTrial:
    """What the callback asks of a Tune trial."""

    def __init__(self, name: str, config: dict[str, Any]) -> None:
        self._name = name
        self.config = config

    def __str__(self) -> str:
        return self._name


def _result(iteration: int, config: dict[str, Any], **metrics: Any) -> dict[str, Any]:
    """A result as Tune fills it in."""
    return {
        **metrics, "training_iteration": iteration, "done": iteration == 4, "pid": 4711,
        "timestamp": 1_760_000_000, "time_this_iter_s": 0.5, "time_total_s": 0.5 * iteration,
        "time_since_restore": 0.5 * iteration, "iterations_since_restore": iteration,
        "hostname": "node", "node_ip": "10.0.0.1", "trial_id": "0001", "date": "2026-01-01",
        "config": config, "should_checkpoint": True,
    }  # fmt: skip


def log_as_ray_does(uri: str, trials: list[tuple[str, dict[str, Any], int, str]]) -> None:
    """Drives the callback as Tune does; a trial is name, config, iterations and how it ended."""
    from ray.air.integrations.mlflow import MLflowLoggerCallback

    callback = MLflowLoggerCallback(tracking_uri=uri, experiment_name="tuned")
    callback.setup()
    for name, config, iterations, end in trials:
        trial: Any = _RayTrial(name, config)
        callback.log_trial_start(trial)
        for iteration in range(1, iterations + 1):
            callback.log_trial_result(
                iteration, trial, _result(iteration, config, accuracy=iteration / 10)
            )
        if end != "running":
            callback.log_trial_end(trial, failed=end == "failed")


@functools.cache
def ray_tune_store(base: Path) -> str:
    """Five trials by Ray's callback: two of full length, a short, a failed and a running one."""
    uri = empty_store(base / "tools" / "ray")
    configs = [
        {"lr": 1, "model": {"width": 16, "bias": True}, "data": "mnist"},
        {"lr": 0.1, "model": {"width": 64, "bias": False}, "data": "mnist"},
        {"lr": 0.01, "model": {"width": 32, "bias": True}, "data": "mnist"},
        {"lr": 0.01, "model": {"width": 32, "bias": False}, "data": "mnist"},
        {"lr": 0.02, "model": {"width": 20, "bias": False}, "data": "mnist"},
    ]
    ends = [(4, "done"), (4, "done"), (1, "done"), (2, "failed"), (1, "running")]
    with tracked_in(uri, "tuned"):
        log_as_ray_does(uri, [
            (f"train_0001_0000{index}", config, *end)
            for index, (config, end) in enumerate(zip(configs, ends, strict=True))
        ])  # fmt: skip
    return uri


GRID = [0.01, 0.1, 1.0]


@functools.cache
def autologged_store(base: Path) -> str:
    """A grid search of scikit-learn's, autologged. MLflow imports half of both for it: seconds."""
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV

    uri = empty_store(base / "tools" / "autolog")
    inputs, targets = load_iris(return_X_y=True)
    search = GridSearchCV(LogisticRegression(max_iter=200), {"C": GRID}, cv=2)
    with tracked_in(uri, "iris"):
        mlflow.sklearn.autolog(log_models=False, silent=True, log_post_training_metrics=False)
        try:
            search.fit(inputs, targets)
        finally:
            mlflow.sklearn.autolog(disable=True, silent=True)
    return uri


@functools.cache
def by_hand_store(base: Path) -> str:
    """Runs logged without a tool: one in every state, and two below a third."""
    hand = Hand(base / "tools" / "by_hand")
    for index, status in enumerate(("FINISHED", "FAILED", "KILLED", None)):
        hand.log({"lr": 10.0**-index, "kind": "adam", "bias": index % 2 == 0},
                 {"loss": [2.0, 1.0]}, status=status)  # fmt: skip
    around = hand.log({}, name="a sweep")
    for width in (8, 16):
        hand.log({"width": width, "depth": None}, {"loss": [1.0]}, parent=around)
    return hand.uri


@functools.cache
def imported_store(base: Path) -> str:
    """Runs read from elsewhere: two complete ones, a stopped and a failed one."""
    space = SearchSpace(
        {
            "rate": FloatDistribution(1e-4, 1.0, log=True), "width": IntDistribution(16, 64),
            "kind": CategoricalDistribution(("sgd", "adam")),
            "bias": CategoricalDistribution((False, True)),
        }
    )  # fmt: skip
    states: tuple[State, ...] = ("complete", "stopped", "failed", "complete")
    runs = [
        ImportedRun(
            str(index), f"run {index}", f"runs.csv, row {index + 2}",
            Trial(
                state=state,
                configuration={name: each[name] for name in space.distributions},
                objectives=(Objective("accuracy", "maximize"),),
                values=(each["width"] / 100,) if state == "complete" else (),
                curves={"accuracy": {1: 0.1}},
            ),
        )
        for index, (state, each) in enumerate(zip(states, WIDTHS, strict=True))
    ]  # fmt: skip
    uri = empty_store(base / "tools" / "imported")
    write_imported(Imported("wandb", space, tuple(runs)), uri, "imported")
    return uri

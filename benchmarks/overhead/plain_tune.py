"""The other side of the overhead benchmark: plain Ray Tune, as its documentation shows it.

A function trainable, `OptunaSearch`, Ray's own `MLflowLoggerCallback` on a SQLite store, and the
defaults of everything else. Nothing of search/ is used; the training of `digits` is models/'s.
Writes two time stamps a trial (Ray's start and end of it) and its training seconds as JSON.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.air.integrations.mlflow import MLflowLoggerCallback
from ray.tune.search.optuna import OptunaSearch

from benchmarks.overhead import trials as kinds
from models.data.loading import load_images


class Clock(tune.Callback):  # type: ignore[misc]
    """Notes when Ray starts and ends each trial."""

    def __init__(self) -> None:
        self.starts: list[float] = []
        self.ends: list[float] = []

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Note the time: Ray has an actor for the trial."""
        self.starts.append(time.time())

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Note the time: the trial's last result has arrived."""
        self.ends.append(time.time())


def trained(
    name: str, configuration: Mapping[str, Any], data: Any, *, epochs: int
) -> Iterator[dict[str, float]]:
    """Return the training of a kind of trial; the digits reach it through Ray's object store."""
    if name != "digits":
        training: Iterator[dict[str, float]] = getattr(kinds, name)(
            configuration, epochs=epochs, seed=0
        )
        return training
    import torch

    from models.catalog import Threat, complete
    from models.training.network import network_training

    torch.set_num_threads(1)
    configuration = complete("cnn", configuration)
    return network_training(configuration, data, epochs=epochs, seed=0, threat=Threat()).run()


def run(name: str, trials: int, epochs: int, parallelism: int, folder: Path) -> dict[str, Any]:
    """Run one search; `digits` draws its dropout, the others x."""
    fixed = json.loads((folder / "settings.json").read_text())
    # Ray requires every metric in every report: those after an epoch, not the last one's.
    is_digits = name == "digits"
    seen = ["selection.accuracy.clean", "selection.accuracy.pgd3_linf_0.1"]
    metrics = seen if is_digits else ["left", "right"]

    def objective(config: dict[str, Any], data: Any) -> None:
        spent = 0.0
        for reported in trained(name, {**fixed, **config}, data, epochs=epochs):
            spent += reported["seconds.train"] + reported.get("seconds.evaluation", 0.0)
            tune.report({**reported, "seconds.total": spent})

    clock = Clock()
    # NOTE: only because other Rays may run on this machine: a user would not call it at all.
    ray.init(address="local", num_cpus=parallelism, _temp_dir=str(folder / "ray"))
    space = {"dropout": tune.uniform(0.0, 0.4)} if is_digits else {"x": tune.uniform(0, 1)}
    data = load_images({"name": "digits"}) if is_digits else None
    results = tune.Tuner(
        tune.with_parameters(objective, data=data),
        param_space=space,
        tune_config=tune.TuneConfig(
            search_alg=OptunaSearch(metric=metrics, mode=["max", "max"]),
            num_samples=trials,
            max_concurrent_trials=parallelism,
        ),
        run_config=tune.RunConfig(
            name="plain",
            storage_path=str(folder / "storage"),
            callbacks=[
                MLflowLoggerCallback(
                    tracking_uri=f"sqlite:///{folder}/mlflow.db", experiment_name="plain"
                ),
                clock,
            ],
        ),
    ).fit()
    spent = [result.metrics["seconds.total"] for result in results]
    return {"starts": clock.starts, "ends": clock.ends, "training": sum(spent)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=("nothing", "digits", "burning"))
    parser.add_argument("--trials", type=int, required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--parallelism", type=int, default=2)
    parser.add_argument("--folder", type=Path, required=True)
    given = parser.parse_args()
    answer = run(given.name, given.trials, given.epochs, given.parallelism, given.folder)
    (given.folder / "answer.json").write_text(json.dumps(answer))


if __name__ == "__main__":
    main()

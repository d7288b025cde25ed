"""A small conditional space and Optuna studies of it: milliseconds with a cheap sampler."""

from __future__ import annotations

import math
from typing import Any

import optuna
from optuna.distributions import (
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler

from search.history import History
from search.space import SearchSpace

CONDITIONAL = SearchSpace.from_distributions(
    {
        "optimizer": CategoricalDistribution(["sgd", "adamw"]),
        "width": IntDistribution(8, 64, log=True),
        "blocks": IntDistribution(1, 3),
        "augment": CategoricalDistribution([True, False]),
        "sgd.learning_rate": FloatDistribution(1e-3, 1.0, log=True),
        "adamw.learning_rate": FloatDistribution(1e-4, 1e-1, log=True),
        "sgd.momentum": FloatDistribution(0.0, 0.9, step=0.1),
    },
    {
        "sgd.learning_rate": {"optimizer": ("sgd",)},
        "adamw.learning_rate": {"optimizer": ("adamw",)},
        "sgd.momentum": {"optimizer": ("sgd",)},
    },
)


def evaluate(configuration: dict[str, Any]) -> tuple[float, float, float]:
    """Losses that disagree about width and blocks; the best learning rates lie inside their ranges.

    A study takes as many of them as it has objectives.
    """
    if configuration["optimizer"] == "sgd":
        error = abs(math.log10(configuration["sgd.learning_rate"]) + 1.0)
    else:
        error = 0.2 + abs(math.log10(configuration["adamw.learning_rate"]) + 2.5)
    size = math.log2(configuration["width"] / 8) / 3
    return (
        error + (1 - size) / 2 - 0.1 * configuration["augment"],
        error + size / 2,
        0.1 * error + configuration["blocks"] / 3,
    )


def create_study(sampler: BaseSampler, objectives: int) -> optuna.Study:
    return optuna.create_study(sampler=sampler, directions=["minimize"] * objectives)


def run(study: optuna.Study, trials: int, space: SearchSpace = CONDITIONAL) -> list[dict[str, Any]]:
    """Asks, evaluates and tells, one trial after another."""
    configurations = []
    for _ in range(trials):
        trial = study.ask()
        configurations.append(space.suggest(trial))
        study.tell(trial, list(evaluate(configurations[-1])[: len(study.directions)]))
    return configurations


def prior_history(objectives: int = 2, trials: int = 20, tasks: int = 2) -> History:
    """Random searches of the conditional space on a few tasks."""
    studies = {}
    for task in range(tasks):
        study = create_study(optuna.samplers.RandomSampler(seed=100 + task), objectives)
        run(study, trials)
        studies[f"task {task}"] = study
    return History.from_studies(studies, ["minimize"] * objectives)

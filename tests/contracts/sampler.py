"""Contracts: what every sampler must keep, whatever it learns from.

A test module makes its samplers and calls these functions. They use plain Optuna and small spaces,
so a contract costs milliseconds with a cheap sampler.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import optuna
from optuna.distributions import (
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler
from optuna.trial import TrialState, create_trial

from search.history import History
from search.space import SearchSpace

# A seed makes a sampler. Everything else about it is fixed.
MakeSampler = Callable[[int], BaseSampler]

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
    """Returns losses that disagree about width and blocks; the best rates are inside their ranges.

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
    """Makes random searches of the conditional space on a few tasks."""
    studies = {}
    for task in range(tasks):
        study = create_study(optuna.samplers.RandomSampler(seed=100 + task), objectives)
        run(study, trials)
        studies[f"task {task}"] = study
    return History.from_studies(studies, ["minimize"] * objectives)


def same_seed_gives_the_same_search(make: MakeSampler, objectives: int, trials: int = 12) -> None:
    first = run(create_study(make(7), objectives), trials)
    assert first == run(create_study(make(7), objectives), trials)
    assert first[: trials // 2] != run(create_study(make(8), objectives), trials // 2)


def stays_in_the_space(make: MakeSampler, objectives: int, trials: int = 14) -> None:
    for configuration in run(create_study(make(0), objectives), trials):
        assert CONDITIONAL.problems(configuration) == []


def survives_every_end_of_a_trial(make: MakeSampler, objectives: int) -> None:
    """Trials complete, return NaN, crash before or after asking, or are stopped, in turns."""
    study = create_study(make(0), objectives)
    for index in range(16):
        trial = study.ask()
        if index % 5 == 4:
            study.tell(trial, state=TrialState.FAIL)
            continue
        configuration = CONDITIONAL.suggest(trial)
        values = list(evaluate(configuration)[:objectives])
        if index % 5 == 1:
            study.tell(trial, [math.nan] * objectives)
        elif index % 5 == 2:
            study.tell(trial, state=TrialState.PRUNED)
        elif index % 5 == 3:
            study.tell(trial, state=TrialState.FAIL)
        else:
            study.tell(trial, values)
        assert CONDITIONAL.contains(configuration)


def keeps_pending_trials_apart(make: MakeSampler, objectives: int) -> None:
    """Four trials run at once and end in another order than they began."""
    study = create_study(make(0), objectives)
    pending: list[tuple[optuna.Trial, dict[str, Any]]] = []
    keys = set()
    for index in range(16):
        trial = study.ask()
        pending.append((trial, CONDITIONAL.suggest(trial)))
        keys.add(CONDITIONAL.key(pending[-1][1]))
        if len(pending) == 4:
            ended, configuration = pending.pop(index % 3)
            study.tell(ended, list(evaluate(configuration)[:objectives]))
    assert len(keys) == 16


def continues_a_rebuilt_study_like_an_uninterrupted_one(
    make: MakeSampler, objectives: int, before: int = 10
) -> None:
    """A new sampler on a study rebuilt from records proposes what the old one would have."""
    study = create_study(make(3), objectives)
    run(study, before)
    rebuilt = create_study(make(3), objectives)
    for trial in study.trials:
        rebuilt.add_trial(
            create_trial(
                state=trial.state,
                params=trial.params,
                distributions=trial.distributions,
                values=trial.values,
            )
        )
    assert run(study, 3) == run(rebuilt, 3)


def proposes_distinct_configurations_at_once(make: MakeSampler, objectives: int) -> None:
    """Eight are asked for before any result, and eight more while as many results are known."""
    study = create_study(make(0), objectives)
    keys = set()
    for _ in range(2):
        asked = [(trial, CONDITIONAL.suggest(trial)) for trial in (study.ask() for _ in range(8))]
        for trial, configuration in asked:
            assert CONDITIONAL.contains(configuration)
            keys.add(CONDITIONAL.key(configuration))
            study.tell(trial, list(evaluate(configuration)[:objectives]))
    assert len(keys) == 16


def avoids_infeasible_configurations(make: MakeSampler, objectives: int) -> None:
    """Wide models have the smallest first loss and are infeasible, two thirds of the space."""
    study = create_study(make(0), objectives)
    is_feasible = []
    for _ in range(20):
        trial = study.ask()
        configuration = CONDITIONAL.suggest(trial)
        excess = math.log2(configuration["width"] / 16)
        trial.set_constraint("width", excess)
        is_feasible.append(excess <= 0)
        study.tell(trial, list(evaluate(configuration)[:objectives]))
    # A random draw is feasible a third of the time.
    assert sum(is_feasible[10:]) > 5


def learns(make: MakeSampler, random: MakeSampler, trials: int = 40) -> None:
    """On an easy objective it beats random search in its mean over five seeds."""

    def best(maker: MakeSampler, seed: int) -> float:
        study = create_study(maker(seed), 1)
        run(study, trials)
        return study.best_value

    assert sum(best(make, seed) for seed in range(5)) < sum(best(random, s) for s in range(5))


SAMPLER_CONTRACT = (
    same_seed_gives_the_same_search,
    stays_in_the_space,
    survives_every_end_of_a_trial,
    keeps_pending_trials_apart,
    continues_a_rebuilt_study_like_an_uninterrupted_one,
)

"""The searches of the memory benchmark: the real sampler on real trainings, in this process.

One trial after the other, none stopped early, no Ray: what is compared is what the sampler
proposes, at equal numbers of trials.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import optuna
from optuna.trial import TrialState

from benchmarks.harness.trainings import Trainings
from models.catalog import describe_data
from search.apply.proposal_source import seed_of
from search.apply.sampler import WarmStartSampler
from search.history import History
from search.objectives import pareto
from search.objectives.objective import directions_of
from search.optimize.plan import trial_seed
from search.spec import Spec, task_id


@dataclass
class Done:
    """A finished search: a trial's configuration, values (NaN if it failed), origin and FLOP."""

    configurations: list[dict[str, Any]] = field(default_factory=list)
    values: list[list[float]] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    work: list[float] = field(default_factory=list)
    study: optuna.Study | None = None

    def record(self) -> dict[str, Any]:
        """Return the same as data for JSON."""
        return {
            "configurations": self.configurations,
            "values": [[None if math.isnan(v) else v for v in row] for row in self.values],
            "steps": self.steps,
        }


def run(
    spec: Spec,
    trainings: Trainings,
    trials: int,
    seed: int,
    *,
    history: History | None = None,
    first: Sequence[Mapping[str, Any]] = (),
) -> Done:
    """Run one search.

    Args:
        spec: Its space, objectives and model settings.
        trainings: Trains for that spec.
        trials: How many.
        seed: Of the sampler, and of every training together with the trial's number.
        history: Earlier trials; None is a cold search, by the same sampler.
        first: Configurations that are given to the search as its first trials.
    """
    space = spec.search_space()
    known = history.tasks() if history else []
    task = task_of(spec) if task_of(spec) in known else None
    sampler = WarmStartSampler(
        history, space, seed, task=task, objectives=spec.objectives,
        confirm=False,  # an exact repetition counts for nothing
    )  # fmt: skip
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    directions = directions_of(spec.objectives)
    study = optuna.create_study(sampler=sampler, directions=directions)
    done = Done(study=study)
    for configuration in first:
        study.enqueue_trial(dict(configuration))
    for number in range(trials):
        trial = study.ask()
        configuration = space.suggest(trial)
        values = trainings.values(configuration, trial_seed(seed, number))
        work = trainings.work(configuration, trial_seed(seed, number))
        trial.set_user_attr("work", work)
        if all(math.isfinite(value) for value in values):
            study.tell(trial, values)
        else:
            values = [math.nan] * len(values)
            study.tell(trial, state=TrialState.FAIL)
        done.configurations.append(configuration)
        done.values.append(values)
        done.work.append(work)
        done.steps.append(str(sampler.origin(trial.number)["step"]))
    return done


def as_history(spec: Spec, done: Done) -> History:
    """Return a finished search as the history of the spec's task."""
    assert done.study is not None
    return History.from_studies({task_of(spec): done.study}, objectives=spec.objectives)


def task_of(spec: Spec) -> str:
    """Return the task's identity, as the command line computes it."""
    return task_id(spec.fingerprint(describe_data(spec.task.data)))


def volumes(spec: Spec, values: Sequence[Sequence[float]], point: Sequence[float]) -> list[float]:
    """Return the hypervolume after each trial, above `point` in the objectives' own scale."""
    losses = pareto.losses(values, spec.objectives)
    reference = pareto.losses([point], spec.objectives)[0]
    return [pareto.hypervolume(losses[: n + 1], reference) for n in range(len(losses))]


def front(spec: Spec, values: Sequence[Sequence[float]]) -> list[int]:
    """Return the indices of the values that no other dominates."""
    return np.flatnonzero(pareto.front(pareto.losses(values, spec.objectives))).tolist()


def best(spec: Spec, done: Done, count: int) -> list[dict[str, Any]]:
    """Return the best configurations of a search: by rank, and within a front spread over it."""
    losses = pareto.losses(done.values, spec.objectives)
    return [done.configurations[index] for index in pareto.order(losses)[:count]]


def seed_for(repetition: int, arm: str) -> int:
    """Return an arm's own seed in one repetition."""
    return seed_of(repetition, "benchmarks.memory", arm) % 2**31

"""The history that a search of the transfer benchmark is given: seven other tasks, true or not.

related    each other task's past search (100 trials of TPE) as it was
inverted   past random searches, their values reflected: the best has the worst one's value
shuffled   past random searches, their values permuted
half       past random searches, every second one inverted
none       nothing
two        related, with two objectives
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, IntDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import FrozenTrial, create_trial

from benchmarks.transfer.recorded_tasks import (
    GRID,
    OBJECTIVES,
    Family,
    Floats,
    Rows,
    Task,
    configurations_of,
    row_of,
)
from search.apply.proposal_source import seed_of

SCENARIOS = ("related", "inverted", "shuffled", "half", "none", "two")
MISLEADING = ("inverted", "shuffled", "half")
PAST_TRIALS = 100
DISTRIBUTIONS: Mapping[str, BaseDistribution] = {
    name: IntDistribution(0, count - 1) for name, count in GRID.items()
}

_KINDS = {"related": "tpe", "two": "tpe2", **dict.fromkeys(MISLEADING, "random")}


@dataclass(frozen=True)
class Past:
    """A past search: rows of the table, the values that history claims, and seconds, if any."""

    rows: Rows
    values: Floats
    seconds: Floats | None = None

    def trials(self) -> list[FrozenTrial]:
        """Return it as finished Optuna trials."""
        costs: list[dict[str, float]] = [{}] * len(self.rows)
        if self.seconds is not None:
            costs = [{"seconds": float(each)} for each in self.seconds]
        return [
            create_trial(
                params=configuration, distributions=dict(DISTRIBUTIONS), values=values,
                user_attrs=cost,
            )
            for configuration, values, cost in zip(
                configurations_of(self.rows), self.values.tolist(), costs, strict=True
            )
        ]  # fmt: skip


def objectives_of(scenario: str) -> list[str]:
    """Return the metrics that are searched for."""
    return list(OBJECTIVES)[: 2 if scenario == "two" else 1]


def past_of(family: Family, target: str, scenario: str, seed: int) -> dict[str, Past]:
    """Return the past searches of all tasks but the target, in their fixed order."""
    if scenario == "none":
        return {}
    known = {}
    for place, name in enumerate(name for name in family.tasks if name != target):
        task, kind = family.tasks[name], _KINDS[scenario]
        rows = family.recorded.get((kind, name, seed))
        if rows is None:
            rows = _past_rows(task, kind, seed)
        values = task.values(rows, len(objectives_of(scenario)))
        if scenario == "inverted" or (scenario == "half" and place % 2 == 0):
            values = values.min(axis=0) + values.max(axis=0) - values
        elif scenario == "shuffled":
            generator = np.random.default_rng(seed_of(seed, "shuffled", target, name))
            values = generator.permutation(values, axis=0)
        known[name] = Past(rows, values)
    return known


def search(
    task: Task,
    sampler: BaseSampler,
    trials: int,
    objectives: int,
    *,
    first: list[dict[str, int]] | None = None,
    added: list[FrozenTrial] | None = None,
    tells_seconds: bool = False,
) -> Rows:
    """Run a sampler on a task's table, one trial after the other; return the rows it tried.

    Args:
        task: Its table has the values.
        sampler: Any of Optuna's.
        trials: How many.
        objectives: How many of OBJECTIVES.
        first: Configurations that are enqueued.
        added: Finished trials that the study is given in addition; they are not counted.
        tells_seconds: Whether the study's trials have the time of their training.
    """
    study = optuna.create_study(sampler=sampler, directions=list(OBJECTIVES.values())[:objectives])
    for configuration in first or ():
        study.enqueue_trial(configuration, skip_if_exists=True)
    study.add_trials(added or [])
    rows = []
    for _ in range(trials):
        trial = study.ask()
        row = row_of({name: trial.suggest_int(name, 0, n - 1) for name, n in GRID.items()})
        if tells_seconds:
            trial.set_user_attr("seconds", float(task.seconds[row]))
        study.tell(trial, task.values([row], objectives)[0].tolist())
        rows.append(row)
    return np.array(rows)


def _past_rows(task: Task, kind: str, seed: int) -> Rows:
    """Make up a past search that no file holds: of a later seed, or without the file."""
    own = seed_of(seed, "past", kind, task.name)
    if kind == "random":
        return np.random.default_rng(own).integers(0, len(task.accuracy), PAST_TRIALS)
    return search(task, TPESampler(seed=own), PAST_TRIALS, 2 if kind == "tpe2" else 1)

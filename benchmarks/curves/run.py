"""Runs the searches of the curves benchmark, and finds what was kept of them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import optuna

from benchmarks.curves import recorded
from benchmarks.curves.costs import GOALS, Goal, goal_of, ratio_of
from benchmarks.curves.histories import METRIC, history_of
from benchmarks.curves.recorded import DISTRIBUTIONS, EPOCHS, sequence_of
from benchmarks.curves.searches import COLD_SEEDS, Stopping, cold, search
from benchmarks.harness.cells import StoredResults, in_parallel
from benchmarks.harness.statistics import Floats
from benchmarks.transfer import peers
from search.apply import WarmStartSampler
from search.apply.proposal_source import seed_of
from search.extract.rungs import first_rung
from search.history import History
from search.objectives import Objective
from search.optimize.scheduler import MultiObjectiveASHA
from search.review import reconcile
from search.space import SearchSpace

EARLIER = 11
STOPPINGS = ("none", "asha", "history")
LOSS = Objective(METRIC, "minimize")
# The defaults of a spec that asks for `multi_objective_asha`, without history.
GRACE, REDUCTION = 3, 3

# Raised when the protocol changes what a result means; part of every key.
_PROTOCOL = 1


@dataclass(frozen=True)
class Job:
    """One warm search.

    Attributes:
        number: Of the sequence: 0 to 71 judge, settings are chosen on those from 100 on.
        history: One of `histories.HISTORIES`.
        earlier: How many earlier searches.
        stopping: One of STOPPINGS.
    """

    number: int
    history: str = "true"
    earlier: int = EARLIER
    stopping: str = "none"

    def key(self) -> dict[str, Any]:
        """Return the key of its result."""
        return {**vars(self), "depends_on": f"{_PROTOCOL}-{peers.key_of('twentieth')}"}


def cold_searches(store: StoredResults, data: Path) -> dict[str, list[dict[str, Any]]]:
    """Return cold TPE on every task; runs what the store lacks."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    found: dict[str, list[dict[str, Any]]] = {}
    for name, task in recorded.load(data).items():
        for seed in range(COLD_SEEDS):
            key = {"cold": name, "seed": seed, "depends_on": f"{_PROTOCOL}-{version('optuna')}"}
            found.setdefault(name, []).append(store.once(key, partial(cold, task, seed)))
    return found


def goals_of(
    searches: Mapping[str, Sequence[Mapping[str, Any]]], data: Path
) -> dict[int, dict[str, Goal]]:
    """Return the goals of each task, by the number of cold trials that set them."""
    tasks = recorded.load(data)
    return {
        trials: {name: goal_of(tasks[name], each, trials) for name, each in searches.items()}
        for trials in GOALS
    }


def run_search(
    job: Job, data: Path, past: Mapping[str, Mapping[str, Any]], target: str, goal: Goal
) -> dict[str, Any]:
    """Run one warm search until it is at its goal or has cost as much as a cold one."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    tasks = recorded.load(data)
    history = history_of(past, tasks, job.history, job.number)
    space = SearchSpace.from_distributions(dict(DISTRIBUTIONS))
    sampler = WarmStartSampler(
        history, space, seed_of(job.number, "benchmarks.curves"), objectives=[METRIC]
    )
    grace = rung_of(history, space) if job.stopping == "history" else GRACE
    found = search(
        tasks[target], sampler, target=goal.loss, limit=goal.epochs,
        stops=None if job.stopping == "none" else halving(grace),
    )  # fmt: skip
    steps = [sampler.origin(number)["step"] for number in range(len(found["rows"]))]
    return {"rows": found["rows"], "epochs": found["epochs"], "steps": steps}


def rung_of(history: History | None, space: SearchSpace) -> int:
    """Return the first rung that history says; the default without curves."""
    if history is None:
        return GRACE
    found = first_rung(
        reconcile(history, space, [LOSS]).trials, {LOSS: METRIC}, task="",
        similarities=dict.fromkeys(history.searches, 1.0), epochs=EPOCHS,
        reduction_factor=REDUCTION,
    )  # fmt: skip
    return GRACE if found is None else found.epochs


def halving(grace: int) -> Stopping:
    """Return the real scheduler, with a first rung, as a question after each epoch."""
    scheduler = MultiObjectiveASHA([LOSS], grace, EPOCHS, reduction_factor=REDUCTION)

    def stops(number: int, losses: Sequence[float]) -> bool:
        result = {"epoch": len(losses), METRIC: losses[-1]}
        trial = SimpleNamespace(trial_id=str(number))
        return bool(scheduler.on_trial_result(None, trial, result) == scheduler.STOP)

    return stops


def run_all(jobs: Sequence[Job], store: StoredResults, data: Path, workers: int) -> None:
    """Run the searches that are missing."""
    os.environ["OMP_NUM_THREADS"] = "1"
    searches = cold_searches(store, data)
    goals = goals_of(searches, data)[GOALS[0]]
    work = []
    for job in jobs:
        if store.get(job.key()) is None:
            target, past = _tasks_of(job, searches)
            work.append((job, data, past, target, goals[target]))
    print(f"{len(jobs) - len(work)} of {len(jobs)} searches were run before", flush=True)
    for (job, *_), result in in_parallel(run_search, work, workers):
        store.put(job.key(), result)


def costs_of(jobs: Sequence[Job], store: StoredResults, data: Path) -> dict[int, Floats]:
    """Return the relative costs of searches by goal; NaN for one that was not run."""
    tasks = recorded.load(data)
    searches = cold_searches(store, data)
    costs: dict[int, Floats] = {}
    for trials, goals in goals_of(searches, data).items():
        row = []
        for job in jobs:
            found, (target, _) = store.get(job.key()), _tasks_of(job, searches)
            row.append(ratio_of(tasks[target], found, goals[target]) if found else np.nan)
        costs[trials] = np.array(row)
    return costs


def _tasks_of(
    job: Job, searches: Mapping[str, Sequence[Mapping[str, Any]]]
) -> tuple[str, dict[str, Mapping[str, Any]]]:
    """Return the target, and its earlier searches, oldest first."""
    names = list(searches)
    target, *others = (names[place] for place in sequence_of(job.number, len(names)))
    seed = job.number % COLD_SEEDS
    return target, {name: searches[name][seed] for name in reversed(others[: job.earlier])}

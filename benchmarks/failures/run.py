"""Runs the searches of the failures benchmark: one cell a history, a side and a repetition."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState, create_trial

from benchmarks.failures.tasks import DISTRIBUTIONS, SPACE, Task, task_of
from benchmarks.harness.cells import StoredResults, in_parallel
from benchmarks.harness.code_version import sampler_version
from search.apply import WarmStartSampler
from search.apply.proposal_source import seed_of
from search.history import History
from search.history.studies import REASON
from search.space import values as space_values

HISTORIES = ("none", "true", "phantom", "mirrored", "same", "same phantom")
TRIALS = 30
EARLIER_TASKS, EARLIER_TRIALS = 3, 40
# Where no failure is true: further out than any configuration.
_NOWHERE = 10.0

# Raised when the protocol changes what a result means; part of every key.
_PROTOCOL = 1


@dataclass(frozen=True)
class Job:
    """One search.

    Attributes:
        history: One of HISTORIES.
        has_memory: Whether failures count.
        seed: The repetition.
    """

    history: str
    has_memory: bool
    seed: int

    def key(self) -> dict[str, Any]:
        """Return the key of its result."""
        depends_on = f"{_PROTOCOL}-{sampler_version()}-{version('optuna')}"
        return {**vars(self), "depends_on": depends_on}


def target_of(job: Job) -> Task:
    """Return the task that a job searches; under a phantom history nothing fails on it."""
    away = _NOWHERE if "phantom" in job.history else 0.0
    return task_of(job.seed, 0, more_memory=away, more_rate=away)


def history_of(job: Job) -> History | None:
    """Return the earlier searches: random trials on other tasks, or on this one.

    true           other tasks of the family, whose regions differ a little
    phantom        the same, on a device with less memory and in a worse precision; nothing fails
                   on the target
    mirrored       other tasks that fail at the other ends
    same           an earlier search of the target
    same phantom   the same, when the target still failed like the others
    """
    if job.history == "none":
        return None
    if job.history.startswith("same"):
        past = {"target": task_of(job.seed, 0)}
    else:
        less = -0.3 if job.history == "phantom" else 0.0
        past = {
            f"task {place}": task_of(
                job.seed, place, more_memory=less, more_rate=less,
                is_mirrored=job.history == "mirrored",
            )
            for place in range(1, EARLIER_TASKS + 1)
        }  # fmt: skip
    trials = {
        name: _random_search(task, seed_of(job.seed, "earlier", name))
        for name, task in past.items()
    }
    return History.from_studies(trials, ["minimize"], objectives=["loss"])


def run_search(job: Job) -> dict[str, Any]:
    """Run a search; returns which trials failed and the losses, of failed ones too."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    task, is_same = target_of(job), job.history.startswith("same")
    sampler = WarmStartSampler(
        history_of(job), SPACE, seed_of(job.seed, "search"), objectives=["loss"],
        task="target" if is_same else None, failures=job.has_memory,
    )  # fmt: skip
    study = optuna.create_study(sampler=sampler, direction="minimize")
    found: dict[str, Any] = {"losses": [], "failed": [], "steps": []}
    for _ in range(TRIALS):
        trial = study.ask()
        configuration = {
            name: space_values.suggest(trial, name, kind) for name, kind in DISTRIBUTIONS.items()
        }
        loss, reason = task.evaluate(configuration)
        if reason:
            trial.set_user_attr(REASON, reason)
            study.tell(trial, state=TrialState.FAIL)
        else:
            study.tell(trial, loss)
        found["losses"].append(loss)
        found["failed"].append(bool(reason))
        found["steps"].append(sampler.origin(trial.number)["step"])
    return found


def regrets_of(job: Job, found: dict[str, Any]) -> np.ndarray:
    """Return the regret after every trial; 1, the median's, while none has succeeded."""
    losses = np.where(found["failed"], np.inf, found["losses"])
    task = target_of(job)
    return np.array([task.regret(float(loss)) for loss in np.minimum.accumulate(losses)])


def run_all(jobs: Sequence[Job], store: StoredResults, workers: int) -> None:
    """Run the searches that are missing."""
    os.environ["OMP_NUM_THREADS"] = "1"
    work = [(job,) for job in jobs if store.get(job.key()) is None]
    print(f"{len(jobs) - len(work)} of {len(jobs)} searches were run before", flush=True)
    for (job,), result in in_parallel(run_search, work, workers):
        store.put(job.key(), result)


def _random_search(task: Task, seed: int) -> list[FrozenTrial]:
    generator = np.random.default_rng(seed)
    trials = []
    for _ in range(EARLIER_TRIALS):
        configuration = SPACE.random_configuration(generator)
        loss, reason = task.evaluate(configuration)
        trials.append(
            create_trial(
                params=configuration, distributions=dict(DISTRIBUTIONS),
                state=TrialState.FAIL if reason else TrialState.COMPLETE,
                values=None if reason else [loss],
                user_attrs={REASON: reason} if reason else {},
            )
        )  # fmt: skip
    return trials

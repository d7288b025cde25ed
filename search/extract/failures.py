"""Outcomes: which trials of a history failed, as far as that says something of a configuration.

A failure counts where its cause speaks about its configuration (`search/history/causes.py`). A
search in which nothing succeeded has a broken set-up: none of its trials counts. Of a running
search, whose first trials may all have been too large, only an exception waits for a success. Not
for what is learned from them (`failure_model.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.history import Trial
from search.history.plurals import counted
from search.space import SearchSpace
from search.space.encoding import encode

Floats = NDArray[np.float64]

# What is the configuration's doing even if no trial of the search has succeeded yet.
OF_THE_CONFIGURATION = ("out of memory", "diverged", "collapsed")
# Tasks kept and trials kept of each: a fit of 32 x 100 takes 0.1 s, once a search. The newest
# tasks; of each the trials evenly over time, so that the share of failures stays what it was.
TASKS_KEPT, TRIALS_KEPT = 32, 100


@dataclass(frozen=True, eq=False)
class Outcomes:
    """How trials ended; those whose end says nothing are not among them.

    Attributes:
        points: Encoded configurations, `(n, columns)`.
        causes: Why each failed; "" if it succeeded.
        tasks: The task of each.
        runs: The run of each.
    """

    points: Floats
    causes: tuple[str, ...]
    tasks: tuple[str, ...]
    runs: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.causes)

    def __add__(self, other: Outcomes) -> Outcomes:
        """Return these outcomes and others, in this order."""
        return Outcomes(
            np.vstack([self.points, other.points]), self.causes + other.causes,
            self.tasks + other.tasks, self.runs + other.runs,
        )  # fmt: skip

    @property
    def has_failed(self) -> NDArray[np.bool_]:
        """Which of them failed, `(n,)`."""
        return np.array([bool(cause) for cause in self.causes], dtype=bool)

    def in_words(self) -> str:
        """Write it to read: "12 of 230 trials failed (out of memory 9, diverged 3)"."""
        counts = Counter(cause for cause in self.causes if cause).most_common()
        what = ", ".join(f"{cause} {count}" for cause, count in counts)
        failed = sum(count for _, count in counts)
        return f"{failed} of {counted(len(self), 'trial')} failed ({what})"


def outcomes_of(
    trials: Sequence[Trial], space: SearchSpace, *, is_running: bool = False
) -> Outcomes:
    """Return the outcomes of trials that have ended.

    Args:
        trials: Trials of any searches, in the terms of the space.
        space: Encodes their configurations.
        is_running: Whether they are of one search that goes on.
    """
    kept = counting(trials, is_running=is_running)
    return Outcomes(
        encode(space, [trial.configuration for trial in kept]),
        tuple(trial.cause for trial in kept),
        tuple(trial.task for trial in kept),
        tuple(trial.run_id for trial in kept),
    )


def counting(trials: Sequence[Trial], *, is_running: bool = False) -> list[Trial]:
    """Return the trials whose end says something about their configurations; see the module."""
    ended = [trial for trial in trials if trial.configuration and _says_something(trial)]
    succeeded = {trial.search for trial in ended if not trial.cause}
    return [
        trial
        for trial in ended
        if trial.search in succeeded or (is_running and trial.cause in OF_THE_CONFIGURATION)
    ]


def representative(trials: Sequence[Trial]) -> list[Trial]:
    """Return at most `TRIALS_KEPT` trials of each of the newest `TASKS_KEPT` tasks, in order."""
    by_task: dict[str, list[Trial]] = {}
    for trial in trials:
        by_task.setdefault(trial.task, []).append(trial)
    kept = []
    for each in list(by_task.values())[-TASKS_KEPT:]:
        count = min(len(each), TRIALS_KEPT)
        kept += [each[place] for place in np.linspace(0, len(each) - 1, count).round().astype(int)]
    return kept


def _says_something(trial: Trial) -> bool:
    return bool(trial.cause) or trial.state in ("complete", "stopped")

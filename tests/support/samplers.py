"""Samplers on several kinds of history, for the contract tests."""

from __future__ import annotations

import functools

from search.apply import OptunaSampler, WarmStartSampler
from search.apply.sampler import TRANSFER
from search.history import History
from tests.support import studies

# Fewer random trials, so that the model is reached within a contract's few.
FAST = {
    TRANSFER: TRANSFER,
    "tpe": OptunaSampler("tpe", {"n_startup_trials": 4}),
    "gp": OptunaSampler("gp", {"n_startup_trials": 12}),  # half a second a proposal on one core
    "random": OptunaSampler("random"),
}
# Kind of history -> the task of the search. History has "task 0", and some kinds "task 1".
HISTORIES: dict[str, str | None] = {
    "cold": None,
    "empty": "task 0",
    "one trial": None,
    "one trial of it": "task 0",
    "other tasks": None,
    "same task": "task 0",
}


@functools.cache
def history_of(kind: str, objectives: int) -> History | None:
    if kind == "cold":
        return None
    if kind == "empty":
        return History.empty()
    if kind.startswith("one trial"):
        return studies.prior_history(objectives, trials=1, tasks=1)
    return studies.prior_history(objectives)


def maker(name, history="cold", objectives=2, space=studies.CONDITIONAL, **settings):
    prior, task, sampler = history_of(history, objectives), HISTORIES[history], FAST[name]
    return lambda seed: WarmStartSampler(prior, space, seed, task=task, sampler=sampler, **settings)

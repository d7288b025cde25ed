"""Optuna behind Ray's Searcher: ask/tell for several objectives and conditional spaces.

Ray's own OptunaSearch drops intermediate results of two objectives, leaves a trial with a NaN
RUNNING for ever and tells Optuna that a trial stopped by ASHA is COMPLETE (DESIGN, section 3). Here
every trial ends COMPLETE, PRUNED or FAILED. Not for storing anything: the recorder writes the
journal, the study lives in memory and is rebuilt from the runs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import optuna
from optuna.trial import TrialState
from ray.tune.search import Searcher

from search.apply import WarmStartSampler
from search.extract.quiet_study import quiet_study
from search.history import Trial
from search.objectives.roles import searched
from search.optimize.lost_workers import LostWorkers
from search.optimize.out_of_memory import SecondChances
from search.optimize.outcome import is_out_of_memory, outcome_of, unflattened
from search.optimize.placement import trials_at_once
from search.optimize.plan import Plan, trial_seed
from search.optimize.progress import Progress, as_optuna_trial, steering_for

# How often a sampler is asked again when it repeats a configuration, before a random one is drawn.
ASKED_AGAIN = 10
DRAWN_AGAIN = 200
# Of a finite space, each configuration that is left is missed by this many draws a configuration
# with probability e^-20, if all are equally likely. Larger spaces are never exhausted in practice.
DRAWS_A_CONFIGURATION = 20
LARGEST_FINITE_SPACE = 10_000


@dataclass
class Asked:
    """A trial that was handed to Ray: its number, what it tries, and who proposed it."""

    number: int
    configuration: dict[str, Any]
    origin: dict[str, Any]
    optuna_trial: optuna.Trial
    receipt: dict[str, Any] = field(default_factory=dict)  # of the weights it starts from


class OptunaSearcher(Searcher):  # type: ignore[misc]  # ray has no types
    """Asks Optuna for configurations and tells it how they ended.

    Attributes:
        asked: Ray's trial id -> the trial, for all that were ever asked.
        is_exhausted: whether every configuration of a finite space has been tried.
        chances: which trials are tried again alone, for want of memory.
        lost_workers: which trials are started again because their worker was lost.
    """

    def __init__(self, plan: Plan, sampler: optuna.samplers.BaseSampler, done: Progress) -> None:
        super().__init__()
        self._plan, self._sampler = plan, sampler
        self._steering = steering_for(plan)
        self._study = quiet_study(searched(plan.spec.objectives), sampler)
        for trial in done.finished:
            self._study.add_trial(as_optuna_trial(plan, trial))
        self._interrupted = list(done.interrupted)
        self._keys = set(done.keys)
        ahead = range(done.next_number, plan.trials_budget)
        self._numbers = deque([*done.free_numbers, *ahead])
        self._generator = np.random.default_rng([plan.spec.seed, done.next_number])
        resources = plan.spec.resources
        self._trials_at_once = trials_at_once(resources, is_cluster=plan.address is not None)
        self._running: set[str] = set()  # with those that wait for a worker
        self._at_work: set[str] = set()
        self.chances: SecondChances[Asked] = SecondChances(resources.gpus)
        self.lost_workers: LostWorkers[Asked] = LostWorkers()
        self.is_exhausted = False
        self.asked: dict[str, Asked] = {}

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """The next trial's config for trial.py; None while enough run; FINISHED at the end."""
        is_full = len(self._running) >= self._trials_at_once(len(self._at_work))
        if is_full or self.chances.is_closed(self._running, self._at_work):
            return None
        asked = self._next(trial_id)
        if asked is None:  # Tune asks no more after FINISHED, not even for one that comes back
            return None if self._running else str(Searcher.FINISHED)
        asked.receipt = self._plan.receipt(asked.configuration)
        self.asked[trial_id] = asked
        self._running.add(trial_id)
        self.chances.note(self._running)
        return {
            "number": asked.number,
            "configuration": self._plan.spec.complete(asked.configuration),
            "checkpoints": str(self._plan.checkpoints(asked.number)),
            "seed": trial_seed(self._plan.spec.seed, asked.number),
            "has_whole_gpu": self.chances.has_whole_gpu(trial_id),
        }

    def has_more(self) -> bool:
        """Whether there is something left to ask: the search was cut off, not finished."""
        is_left = bool(self._numbers) and not self.is_exhausted
        comes_back = bool(self._interrupted) or bool(self.chances) or bool(self.lost_workers)
        return comes_back or is_left

    def on_trial_start(self, trial_id: str) -> None:
        """A worker has the trial; the recorder tells so, for Ray tells no searcher."""
        if trial_id in self._running:
            self._at_work.add(trial_id)

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Nothing: Optuna cannot hear of epochs when there are several objectives."""

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Tells Optuna the truth about an ended trial."""
        if trial_id not in self._running:
            return
        self._running.discard(trial_id)
        self._at_work.discard(trial_id)
        asked = self.asked[trial_id]
        if error and self.lost_workers.set_aside_if_forgiven(trial_id, asked.number):
            if not self.chances.take_back(trial_id, asked):
                self.lost_workers.wait(asked)
            return
        lacks_memory = not error and is_out_of_memory(result or {})
        if lacks_memory and self.chances.set_aside_if_shared(trial_id, asked):
            return
        trial = asked.optuna_trial
        metrics = self._plan.spec.metrics
        outcome = outcome_of(unflattened(result or {}), metrics, self._plan.spec.budget.epochs)
        if error or outcome.state == "failed":
            self._study.tell(trial, state=TrialState.FAIL)
        elif outcome.state == "complete":
            self._study.tell(trial, self._steering.told(trial, outcome.values))
        else:
            self._study.tell(trial, state=TrialState.PRUNED)

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Ray pickles a searcher into its own experiment files, which are never read."""
        return {}

    def save(self, checkpoint_path: str) -> None:
        """Nothing: a search is resumed from its runs, never from Ray's files."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing, for the same reason."""

    def _next(self, trial_id: str) -> Asked | None:
        if self.chances:
            return self.chances.take(trial_id)
        if self.lost_workers:
            return self.lost_workers.take()
        if self._interrupted:
            return self._ask_again(self._interrupted.pop(0))
        if not self._numbers or self.is_exhausted:
            return None
        new = self._ask(self._numbers[0])
        if new is None:
            self.is_exhausted = True
        else:
            self._numbers.popleft()
        return new

    def _ask_again(self, prior: Trial) -> Asked:
        self._study.enqueue_trial(dict(prior.configuration))
        trial = self._study.ask()
        configuration = self._plan.space.suggest(trial)
        return Asked(prior.number, configuration, dict(prior.origin), trial)

    def _ask(self, number: int) -> Asked | None:
        for _ in range(ASKED_AGAIN):
            trial = self._study.ask()
            configuration = self._plan.space.suggest(trial)
            if self._is_new(configuration):
                origin = self._origin(trial.number)
                return Asked(number, configuration, origin, trial)
            self._study.tell(trial, state=TrialState.FAIL)  # FAIL: samplers learn nothing from it
        for _ in range(self._draws()):
            configuration = self._plan.space.random_configuration(self._generator)
            if self._is_new(configuration):
                self._study.enqueue_trial(configuration)
                trial = self._study.ask()
                configuration = self._plan.space.suggest(trial)
                origin = {"step": "random", "reason": "the sampler repeated itself"}
                return Asked(number, configuration, origin, trial)
        return None  # a finite space, all of it tried

    def _origin(self, number: int) -> dict[str, Any]:
        if isinstance(self._sampler, WarmStartSampler):
            return dict(self._sampler.origin(number))
        return {"step": "model", "sampler": type(self._sampler).__name__}

    def _draws(self) -> int:
        size = self._plan.space.size()
        if size is None or size > LARGEST_FINITE_SPACE:
            return DRAWN_AGAIN
        return 0 if len(self._keys) >= size else max(DRAWN_AGAIN, DRAWS_A_CONFIGURATION * size)

    def _is_new(self, configuration: Mapping[str, Any]) -> bool:
        key = self._plan.space.key(configuration)
        is_new = key not in self._keys
        self._keys.add(key)
        return is_new

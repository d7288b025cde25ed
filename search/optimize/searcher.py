"""Optuna behind Ray's Searcher: ask/tell for several objectives and conditional spaces.

Ray's own OptunaSearch drops intermediate results of two objectives, leaves a trial with a NaN
RUNNING for ever and tells Optuna that a trial stopped by ASHA is COMPLETE (DESIGN, section 3). Here
every trial ends COMPLETE, PRUNED or FAILED. Not for storing anything: the recorder writes the
journal, the study lives in memory and is rebuilt from the runs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import optuna
from ray.tune.search import Searcher

from search.apply import Proposal, WarmStartSampler
from search.history.states import TO_OPTUNA
from search.history.studies import quiet_study
from search.objectives.roles import searched
from search.optimize.outcome import Outcome, is_out_of_memory, outcome_of
from search.optimize.plan import Plan, trial_seed
from search.optimize.resources import trials_at_once
from search.optimize.resume_state import ResumeState, as_optuna_trial, objective_model_for
from search.optimize.retries import LOST_WORKERS_RETRIED, LostWorkerRetries, OutOfMemoryRetries


@dataclass(frozen=True)
class RunningTrial:
    """A trial that was handed to Ray.

    Attributes:
        lineage: Of the weights it starts from; empty from scratch.
    """

    number: int
    proposal: Proposal
    optuna_trial: optuna.Trial
    lineage: Mapping[str, Any]


class OptunaSearcher(Searcher):  # type: ignore[misc]  # ray has no types
    """Asks Optuna for configurations and tells it how they ended.

    That no configuration is tried twice, and when a finite space is through, is the sampler's part.

    Attributes:
        asked: Ray's trial id -> the trial, for all that were ever asked.
        is_exhausted: whether every configuration of a finite space has been tried.
    """

    def __init__(self, plan: Plan, sampler: WarmStartSampler, done: ResumeState) -> None:
        super().__init__()
        self._plan, self._sampler = plan, sampler
        self._steering = objective_model_for(plan)
        self._study = quiet_study(searched(plan.spec.objectives), sampler)
        for trial in done.finished:
            self._study.add_trial(as_optuna_trial(plan, trial))
        self._interrupted = deque(done.interrupted)
        ahead = range(done.next_number, plan.trials_budget)
        self._numbers = deque([*done.free_numbers, *ahead])
        resources = plan.spec.resources
        self._trials_at_once = trials_at_once(resources, is_cluster=plan.address is not None)
        self._running: set[str] = set()  # with those that wait for a worker
        self._at_work: set[str] = set()
        self._chances: OutOfMemoryRetries[RunningTrial] = OutOfMemoryRetries(resources.gpus)
        self._lost_workers: LostWorkerRetries[RunningTrial] = LostWorkerRetries()
        self.is_exhausted = False
        self.asked: dict[str, RunningTrial] = {}

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """The next trial's config for trainable.py; None while enough run; FINISHED at the end."""
        is_full = len(self._running) >= self._trials_at_once(len(self._at_work))
        if is_full or self._chances.is_closed(self._running, self._at_work):
            return None
        asked = self._next(trial_id)
        if asked is None:  # Tune asks no more after FINISHED, not even for one that comes back
            return None if self._running else str(Searcher.FINISHED)
        self.asked[trial_id] = asked
        self._running.add(trial_id)
        self._chances.note(self._running)
        return {
            "number": asked.number,
            "configuration": self._plan.spec.complete(asked.proposal.configuration),
            "checkpoints": str(self._plan.checkpoints(asked.number)),
            "seed": trial_seed(self._plan.spec.seed, asked.number),
            "has_whole_gpu": self._chances.has_whole_gpu(trial_id),
        }

    def has_more(self) -> bool:
        """Whether there is something left to ask: the search was cut off, not finished."""
        is_left = bool(self._numbers) and not self.is_exhausted
        comes_back = bool(self._interrupted) or bool(self._chances) or bool(self._lost_workers)
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
        """Nothing: the recorder, which Ray calls right after, hands the result to `end`."""

    def end(self, trial_id: str, result: Mapping[str, Any] | None) -> Outcome | None:
        """Judges how a trial has ended and tells Optuna; None if the trial is tried again.

        Args:
            trial_id: Ray's.
            result: The worker's last one; None if the worker was lost.
        """
        if trial_id not in self._running:
            return None
        self._running.discard(trial_id)
        self._at_work.discard(trial_id)
        asked = self.asked[trial_id]
        if result is None:
            if self._lost_workers.is_forgiven(asked.number):
                if not self._chances.take_back(trial_id, asked):
                    self._lost_workers.wait(asked)
                return None
            outcome = Outcome("failed", reason=f"it lost more than {LOST_WORKERS_RETRIED} workers")
        else:
            spec = self._plan.spec
            outcome = outcome_of(result, spec.metrics, spec.budget.epochs)
            if is_out_of_memory(result):
                if self._chances.wait_if_shared(trial_id, asked):
                    return None
                outcome = replace(outcome, reason=f"{outcome.reason}, also alone")
        trial, values = asked.optuna_trial, None
        if outcome.state == "complete":
            values = self._steering.told(trial, outcome.values)
        self._study.tell(trial, values, state=TO_OPTUNA[outcome.state])
        return outcome

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Ray pickles a searcher into its own experiment files, which are never read."""
        return {}

    def save(self, checkpoint_path: str) -> None:
        """Nothing: a search is resumed from its runs, never from Ray's files."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing, for the same reason."""

    def _next(self, trial_id: str) -> RunningTrial | None:
        if self._chances:
            return self._chances.take(trial_id)
        if self._lost_workers:
            return self._lost_workers.take()
        if self._interrupted:
            prior = self._interrupted.popleft()
            return self._ask(prior.number, Proposal(prior.configuration, prior.origin))
        if not self._numbers or self.is_exhausted:
            return None
        proposal = self._sampler.propose(self._study)
        self.is_exhausted = proposal is None
        return None if proposal is None else self._ask(self._numbers.popleft(), proposal)

    def _ask(self, number: int, proposal: Proposal) -> RunningTrial:
        trial = self._sampler.ask(self._study, proposal)
        return RunningTrial(number, proposal, trial, self._plan.lineage(proposal.configuration))

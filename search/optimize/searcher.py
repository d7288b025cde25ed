"""OptunaSearcher: Optuna's ask and tell as a Ray Searcher, for several objectives.

Ray's own OptunaSearch drops intermediate results of two objectives, leaves a trial with a NaN
RUNNING for ever and tells Optuna that a trial stopped by ASHA is COMPLETE (DESIGN, section 4). Here
every trial ends COMPLETE, PRUNED or FAILED. It stores nothing: the recorder writes the journal, and
the study is in memory and is rebuilt from the runs.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import optuna
from ray.tune.search import Searcher

from search.apply import Proposal, WarmStartSampler
from search.apply.ending import why_end
from search.apply.first_proposals import given_proposals
from search.apply.objective_model import objective_model_of
from search.apply.own_data import CURVES
from search.history import Trial
from search.history.causes import last_line
from search.history.plurals import counted
from search.history.revalidation import CONFIRM
from search.history.states import TO_OPTUNA
from search.history.studies import REASON, quiet_study
from search.objectives.roles import searched
from search.optimize.compared import compared_by_objective
from search.optimize.outcome import EPOCH, METRICS, Outcome, is_out_of_memory, outcome_of
from search.optimize.plan import Plan
from search.optimize.resources import trials_at_once
from search.optimize.resume_state import ResumeState, as_optuna_trial
from search.optimize.retries import LOST_WORKERS_RETRIED, OutOfMemoryRetries
from search.tracking.stop_requests import StopRequests


@dataclass(frozen=True)
class RunningTrial:
    """A trial that was given to Ray.

    Attributes:
        lineage: The lineage of the weights that it starts from; empty from scratch.
    """

    number: int
    proposal: Proposal
    optuna_trial: optuna.Trial
    lineage: Mapping[str, Any]


class OptunaSearcher(Searcher):  # type: ignore[misc]  # ray has no types
    """Asks Optuna for configurations and tells it how they ended.

    The sampler sees to it that no configuration is tried twice, and knows when a finite space is
    exhausted. When a user stops the search, no further trial begins.

    Args:
        plan: The search's plan.
        sampler: Makes the proposals.
        done: What earlier launches did.
        stop_requests: Returns what users asked to stop so far.

    Attributes:
        asked: Ray's trial id -> the trial, for all that were ever suggested.
        is_exhausted: Whether every configuration of a finite space has been tried.
        ended_because: Why the search ended before its budget was used up; "" if it did not.
    """

    def __init__(
        self,
        plan: Plan,
        sampler: WarmStartSampler,
        done: ResumeState,
        stop_requests: Callable[[], StopRequests] = StopRequests,
    ) -> None:
        super().__init__()
        self._stop_requests = stop_requests
        self._plan, self._sampler = plan, sampler
        self._objective_model = objective_model_of(plan.spec.objectives)
        self._study = quiet_study(searched(plan.spec.objectives), sampler)
        for trial in done.finished:
            self._study.add_trial(as_optuna_trial(plan, trial))
        seen = self._objective_model.as_seen
        self._ended = {trial.number: seen(trial) for trial in done.finished}
        self._held_at = -1  # the number of ended trials at which it waits for the running ones
        self.ended_because = ""
        self._compared = compared_by_objective(plan.spec)
        self._curves: dict[str, dict[str, dict[int, float]]] = {}  # by Ray's trial id
        self._interrupted = deque(done.interrupted)
        # Not one list: a budget of 2**31 trials is what "until the hours are over" may look like.
        self._free = deque(done.free_numbers)
        self._new = range(done.next_number, plan.trials_budget)
        resources = plan.spec.resources
        self._trials_at_once = trials_at_once(resources, is_cluster=plan.address is not None)
        # By number, so each once, also when resumed.
        self._first = given_proposals(plan.spec, plan.prior, plan.space)
        self._running: set[str] = set()  # with those that wait for a worker
        self._with_worker: set[str] = set()
        self._memory_retries: OutOfMemoryRetries[RunningTrial] = OutOfMemoryRetries(resources.gpus)
        self._without_worker: deque[RunningTrial] = deque()  # they have lost it
        self._lost_workers: Counter[int] = Counter()  # by trial number
        self.is_exhausted = False
        self.asked: dict[str, RunningTrial] = {}

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """Returns the next trial's config for trainable.py; None to wait; FINISHED at the end."""
        is_full = len(self._running) >= self._trials_at_once(len(self._with_worker))
        if is_full or self._memory_retries.is_closed(self._running, self._with_worker):
            return None
        asked = self._next(trial_id)
        if asked is None:  # after FINISHED Tune asks no more, not even for a retry
            return None if self._running else str(Searcher.FINISHED)
        self.asked[trial_id] = asked
        self._running.add(trial_id)
        self._memory_retries.note(self._running)
        return {
            **self._plan.config(asked.number, asked.proposal.configuration),
            "has_whole_gpu": self._memory_retries.has_whole_gpu(trial_id),
            # Only its end shows whether the record of the best known trial still holds.
            "must_end": asked.proposal.origin.get("step") == CONFIRM,
        }

    def has_more(self) -> bool:
        """Whether the search was cut off: trials are left to suggest, or no worker had them yet."""
        is_through = self.is_exhausted or self.ended_because
        is_left = bool(self._free or self._new) and not is_through
        # Of those that are running when Tune ends the recorder knows only what had a worker.
        waiting = (
            self._interrupted, self._memory_retries, self._without_worker, self._running,
        )  # fmt: skip
        return is_left or any(map(bool, waiting))

    def on_trial_start(self, trial_id: str) -> None:
        """Notes that a worker has the trial; called by the recorder, as Ray tells no searcher."""
        if trial_id in self._running:
            self._with_worker.add(trial_id)

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Notes what the scheduler compares: the sampler predicts a stopped trial's end from it."""
        metrics = result.get(METRICS, {})
        for objective, metric in self._compared.items():
            if metric in metrics and EPOCH in result:
                curves = self._curves.setdefault(trial_id, {}).setdefault(objective, {})
                curves[int(result[EPOCH])] = float(metrics[metric])

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Does nothing: the recorder, which Ray calls right after, gives the result to `end`."""

    def end(
        self,
        trial_id: str,
        result: Mapping[str, Any] | None,
        cost: Mapping[str, float] | None = None,
    ) -> Outcome | None:
        """Decides how a trial has ended and tells Optuna; None if the trial is retried.

        Args:
            trial_id: Ray's id.
            result: The worker's last result; None if the worker was lost.
            cost: What it cost in all, see `apply/own_data.py`.
        """
        if trial_id not in self._running:
            return None
        self._running.discard(trial_id)
        self._with_worker.discard(trial_id)
        asked = self.asked[trial_id]
        outcome = self._outcome(trial_id, asked, result)
        if outcome is None:
            return None
        trial, values = asked.optuna_trial, None
        if outcome.state == "complete":
            values = self._objective_model.told(trial, outcome.values)
        for name, amount in (cost or {}).items():
            trial.set_user_attr(name, amount)
        if curves := self._curves.pop(trial_id, {}):
            trial.set_user_attr(CURVES, curves)
        if reason := last_line(outcome.reason):
            trial.set_user_attr(REASON, reason)
        self._study.tell(trial, values, state=TO_OPTUNA[outcome.state])
        proposal = asked.proposal
        ended = Trial(
            number=asked.number, state=outcome.state, configuration=proposal.configuration,
            values=outcome.values, objectives=self._plan.spec.objectives, origin=proposal.origin,
        )  # fmt: skip
        self._ended[asked.number] = self._objective_model.as_seen(ended)
        return outcome

    def __getstate__(self) -> dict[str, Any]:
        """Returns nothing: Ray pickles a searcher into experiment files that are never read."""
        return {}

    def save(self, checkpoint_path: str) -> None:
        """Does nothing: a search is resumed from its runs, never from Ray's files."""

    def restore(self, checkpoint_path: str) -> None:
        """Does nothing, for the same reason."""

    def _outcome(
        self, trial_id: str, asked: RunningTrial, result: Mapping[str, Any] | None
    ) -> Outcome | None:
        """Returns how a trial has ended; None if it is retried, but never one that a user stops."""
        request = self._stop_requests().trials.get(asked.number)
        if result is None and request is not None:
            return Outcome("stopped", reason=request.in_words)
        if result is None:
            self._lost_workers[asked.number] += 1
            if self._lost_workers[asked.number] <= LOST_WORKERS_RETRIED:
                if not self._memory_retries.take_back(trial_id, asked):
                    self._without_worker.append(asked)
                return None
            return Outcome("failed", reason=f"it lost more than {LOST_WORKERS_RETRIED} workers")
        spec = self._plan.spec
        outcome = outcome_of(
            result, spec.metrics, spec.budget.epochs, excludes_doubtful=spec.excludes_doubtful
        )
        if outcome.state == "stopped" and request is not None:
            return replace(outcome, reason=f"{request.in_words} after epoch {outcome.epoch}")
        if is_out_of_memory(result) and request is None:
            if self._memory_retries.wait_if_shared(trial_id, asked):
                return None
            return replace(outcome, reason=f"{outcome.reason}, also alone")
        return outcome

    def _next(self, trial_id: str) -> RunningTrial | None:
        if self._memory_retries:
            return self._memory_retries.take(trial_id)
        if self._without_worker:
            return self._without_worker.popleft()
        if self._stop_requests().search is not None:
            return None
        if self._interrupted:
            prior = self._interrupted.popleft()
            return self._ask(prior.number, Proposal(prior.configuration, prior.origin))
        if not (self._free or self._new) or self.is_exhausted or self.ended_because:
            return None
        if self._running and self._held_at == len(self._ended):
            return None
        number = self._free[0] if self._free else self._new[0]
        if number < len(self._first):
            return self._ask(self._taken(), self._first[number])
        proposal = self._sampler.propose(self._study)
        self.is_exhausted = proposal is None
        if proposal is None or self._must_end(proposal):
            return None
        return self._ask(self._taken(), proposal)

    def _must_end(self, proposal: Proposal) -> bool:
        """Whether the search ends instead of this trial; running ones have the last word."""
        if not self._plan.may_end:
            return False
        trials = [self._ended[number] for number in sorted(self._ended)]
        left = len(self._free) + len(self._new)
        goals = searched(self._plan.spec.objectives)
        why = why_end(trials, left, proposal, self._plan.prior, goals)
        if why and self._running:
            self._held_at = len(self._ended)
        elif why:
            most = counted(len(trials) + left, "trial")
            self.ended_because = f"ended after {len(trials)} of at most {most}: {why}"
        return bool(why)

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics of the objectives, in the order of a trial's values."""
        return self._plan.spec.metrics

    @property
    def trials_asked(self) -> int:
        """The number of trials that the search has asked for, in all launches."""
        return self._new.start

    def _taken(self) -> int:
        """Takes the next number from those that are left."""
        if self._free:
            return self._free.popleft()
        number, self._new = self._new[0], self._new[1:]
        return number

    def _ask(self, number: int, proposal: Proposal) -> RunningTrial:
        trial = self._sampler.ask(self._study, proposal)
        return RunningTrial(number, proposal, trial, self._plan.lineage(proposal.configuration))

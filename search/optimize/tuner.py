"""Tuning: one Ray Tuner with our searcher, scheduler and recorder.

At its end the best configurations are evaluated once on unseen data.
"""

from __future__ import annotations

import os
import pickle
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from ray import tune

from models.networks.base_model import locate_base
from models.networks.own_code import copy_code
from models.scores.metric_names import MetricName
from search.apply.first_proposals import sampler_for
from search.history import Trial
from search.history.plurals import counted
from search.history.provenance import names_in_words
from search.objectives.roles import best
from search.optimize.alike_failures import AlikeFailures
from search.optimize.final_evaluation import evaluate_front
from search.optimize.first_worker import PATIENCE_SECONDS, FirstWorker
from search.optimize.plan import Plan
from search.optimize.recorder import Recorder
from search.optimize.resources import bundle
from search.optimize.resume_state import resume_state_of
from search.optimize.scheduler import scheduler_for
from search.optimize.searcher import OptunaSearcher
from search.optimize.trainable import TrialTrainable
from search.optimize.worker_task import CODE, TaskOnWorker
from search.spec import Spec
from search.tracking.stop_requests import StopRequests
from search.tracking.write.journal import Journal

if TYPE_CHECKING:
    from models.data.loading import Splits

# A message names so many trials.
_TRIALS_NAMED = 10
# With `parallelism: auto` only the searcher limits pending trials; Tune needs some number.
MOST_PENDING = 10_000


class Tuning:
    """One launch of a search on a running Ray."""

    def __init__(
        self,
        plan: Plan,
        own: Sequence[Trial],
        journal: Journal,
        generation: int,
        stop: threading.Event,
        has_lost_ownership: Callable[[], bool],
        stop_requests: Callable[[], StopRequests] = StopRequests,
    ) -> None:
        self._plan, self._own, self._journal = plan, list(own), journal
        self._stop, self._has_lost_ownership = stop, has_lost_ownership
        self._stop_requests, self._noticed = stop_requests, StopRequests()
        self._data = _load_data(plan.spec)
        # A user's function evaluates nothing on a test split, even if its task names data.
        self._has_test = self._data is not None and not plan.spec.task.is_function
        base = locate_base(plan.spec.task.base) if plan.spec.task.base else None
        code = plan.spec.task.code
        # What was passed travels by value, and is stored nowhere.
        digest = copy_code(code, plan.storage / CODE) if code and plan.passed is None else ""
        self._task = TaskOnWorker(
            plan.spec, plan.storage, generation, base, plan.initial_files(), digest, plan.passed
        )
        done = resume_state_of(plan, own)
        sampler = sampler_for(plan.spec, plan.prior, plan.space, plan.task)
        self.searcher = OptunaSearcher(plan, sampler, done, stop_requests)
        failures = AlikeFailures(plan.spec.budget.failures_alike)
        first = FirstWorker(PATIENCE_SECONDS if plan.address is None else None)
        self.recorder = Recorder(journal, self.searcher, own, failures, first)

    @property
    def data_bytes(self) -> int:
        """Size of the data set in the object store: that of its arrays, or of its texts."""
        if self._data is None:
            return 0
        arrays = [each for each in vars(self._data).values() if isinstance(each, np.ndarray)]
        return sum(each.nbytes for each in arrays) or len(pickle.dumps(self._data))

    @property
    def failed_alike(self) -> list[int]:
        """The trials that failed alike; empty unless the search has failed for that."""
        failures = self.recorder.failures
        return list(failures.numbers) if failures.why else []

    def run(self, seconds: float | None) -> str:
        """Runs Tune; returns "complete", or how it ended: "stopped", "interrupted" or "failed"."""
        self._tuner(seconds).fit()
        if self.searcher.is_exhausted:
            self._journal.say("every configuration of this finite space has been tried")
        if why := self.searcher.ended_because:
            self._journal.say(f"the search {why}")
        self._say_in_doubt()
        cut_off = self.settle()
        if why := self.recorder.why_failed:
            self._journal.say(f"the search has failed: {why}")
            return "failed"
        if not cut_off and not self.searcher.has_more():
            return "complete"
        return "stopped" if self._is_stopped_by_a_user() else "interrupted"

    def _tuner(self, seconds: float | None) -> tune.Tuner:
        """Returns Ray's Tuner with our parts; what Tune reads from the environment is set."""
        resources = self._plan.spec.resources
        os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"  # MLflow is the memory, not CSV
        os.environ["TUNE_GLOBAL_CHECKPOINT_S"] = "3600"  # Ray's own experiment state is not used
        # By default Tune starts one actor at a time for a searcher that limits itself, and kills it
        # when an ended trial's actor is free: short trials would then run one by one.
        most = MOST_PENDING if resources.parallelism == "auto" else resources.parallelism
        os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(most)
        trainable = tune.with_parameters(TrialTrainable, task=self._task, data=self._data)
        return tune.Tuner(
            tune.with_resources(
                trainable,
                lambda config: tune.PlacementGroupFactory(
                    [bundle(resources, has_whole_gpu=config["has_whole_gpu"])]
                ),
            ),
            tune_config=tune.TuneConfig(
                search_alg=self.searcher,
                scheduler=scheduler_for(self._plan, self._own),
                num_samples=-1,
                reuse_actors=True,
                time_budget_s=seconds,
                trial_name_creator=lambda trial: f"trial_{trial.config['number']:04d}",
                trial_dirname_creator=lambda trial: (
                    f"{trial.config['number']:04d}_{trial.trial_id}"
                ),
            ),
            run_config=tune.RunConfig(
                name="ray",
                storage_path=str(self._plan.storage),
                callbacks=[self.recorder],
                stop=_StopOn(self._must_stop, self._must_end),
                checkpoint_config=tune.CheckpointConfig(
                    checkpoint_at_end=False
                ),  # ours: trainable.py
                failure_config=tune.FailureConfig(max_failures=0),  # see retries.py
                verbose=0,
            ),
        )

    def _say_in_doubt(self) -> None:
        """Says which trials do not count because their robust accuracy may be false, if any."""
        trials = [*self._own, *self.recorder.ended.values()]
        if message := in_doubt_in_words(trials):
            self._journal.say(message)

    def has_work(self) -> bool:
        """Whether Ray is needed: there are trials to run, or a front to evaluate."""
        return self.searcher.has_more() or (self._has_test and bool(self._front_without_test()))

    def settle(self) -> int:
        """Marks trials that were cut off as interrupted; may be called again."""
        request = self._stop_requests().search
        if request is not None and self._is_stopped_by_a_user():
            return self.recorder.settle(f"interrupted: the search was {request.in_words}")
        if self.recorder.why_failed:
            return self.recorder.settle("interrupted: the search has failed")
        return self.recorder.settle()

    def _must_stop(self) -> bool:
        """Whether all trials must stop at once; Tune asks several times a second."""
        self._notice(self._stop_requests())
        self.recorder.first_worker.look()
        if self._stop.is_set() or self._has_lost_ownership() or self.recorder.why_failed:
            return True
        request = self._stop_requests().search
        return request is not None and not request.lets_trials_finish

    def _must_end(self, trial_id: str) -> bool:
        """Whether a user asked to stop this trial; Tune asks after each of its epochs."""
        return self.searcher.asked[trial_id].number in self._stop_requests().trials

    def _is_stopped_by_a_user(self) -> bool:
        is_cut_off_otherwise = self._stop.is_set() or self._has_lost_ownership()
        return self._stop_requests().search is not None and not is_cut_off_otherwise

    def _notice(self, found: StopRequests) -> None:
        """Writes to the journal what users have asked for since the last look."""
        known, self._noticed = self._noticed, found
        if found.search is not None and found.search != known.search:
            rest = "run to their end" if found.search.lets_trials_finish else "are interrupted"
            who = found.search.in_words
            self._journal.say(f"{who}: no further trial begins, running ones {rest}")
        for number in found.trials.keys() - known.trials.keys():
            if number in self.recorder.running():
                how = found.trials[number].in_words
                self._journal.say(f"trial {number} is {how}, after this epoch")

    def test_front(self) -> None:
        """Evaluates the best configurations on unseen data: the last Ray tasks."""
        if self._has_test:
            front = self._front_without_test()
            evaluate_front(self._plan, self._task, self._data, front, self._journal, self._stop)

    def _front_without_test(self) -> list[Trial]:
        """Returns the best trials without `test.*` metrics."""
        trials = (*self._own, *self.recorder.ended.values())
        complete = [trial for trial in trials if trial.state == "complete"]
        if not complete:
            return []
        values = np.array([trial.values for trial in complete])
        is_best = best(values, self._plan.spec.objectives)
        return [
            trial
            for trial, is_wanted in zip(complete, is_best, strict=True)
            if is_wanted
            and not any(MetricName.parse(each).split == "test" for each in trial.curves)
        ]


def in_doubt_in_words(trials: Sequence[Trial]) -> str:
    """Returns which trials failed because their robust accuracy may be false; "" if none did."""
    numbers = sorted(trial.number for trial in trials if trial.cause == "masked gradients")
    if not numbers:
        return ""
    many = counted(len(numbers), "trial")
    none = "" if any(trial.state == "complete" for trial in trials) else "; no other is complete"
    names = names_in_words([f"{number:03d}" for number in numbers], _TRIALS_NAMED)
    fix = "fix: twentieth show says why, and how to count them all the same"
    return f"not counted, as gradients may be masked: {many} ({names}){none}; {fix}"


class _StopOn(tune.Stopper):  # type: ignore[misc]  # ray has no types
    """Stops all trials at once when `must_stop` says so, and one by its id after an epoch."""

    def __init__(self, must_stop: Callable[[], bool], must_end: Callable[[str], bool]) -> None:
        self._must_stop, self._must_end = must_stop, must_end

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Ray pickles it into files that are never read

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return self._must_end(trial_id)

    def stop_all(self) -> bool:
        return self._must_stop()


def _load_data(spec: Spec) -> Splits | None:
    if spec.task.is_function and not spec.task.data:
        return None
    from models.data.loading import load_data

    return load_data(spec.task.data, spec.task.data_kind())

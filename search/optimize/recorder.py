"""Recorder: Ray's callback that writes every start, epoch and end of a trial to the journal, once.

An exception in a callback kills the whole search, so nothing here uses the store. When Tune
returns, `settle` ends the trials that it cut off (a time budget, Ctrl-C): Tune calls neither the
searcher nor the callbacks for those.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ray import tune

from search.apply.strategy import RAISED
from search.history import Trial
from search.history.causes import last_line
from search.history.revalidation import read_revalidation
from search.history.studies import COST_ATTRIBUTES
from search.history.work import WORK, work_of
from search.optimize.alike_failures import AlikeFailures
from search.optimize.first_worker import FirstWorker
from search.optimize.outcome import DEVICE, EARLIER, EPOCH, METRICS, TABLES, WARNINGS, Outcome
from search.optimize.searcher import OptunaSearcher
from search.tracking.write.journal import Journal


class Recorder(tune.Callback):  # type: ignore[misc]  # ray has no types
    """Appends what Tune reports to the journal; the searcher decides how a trial has ended.

    Tune calls its searcher first, but with the result flattened, and its callbacks right after it.

    Args:
        journal: The journal.
        searcher: Has each trial's number, configuration and origin.
        own: The search's trials so far: what earlier launches have recorded.
        failures: Told of every end; says whether the search has failed.
        first_worker: Told of workers, likewise.

    Attributes:
        failures: As given.
        first_worker: As given.
        ended: Number -> trial, for the trials that ended in this launch, in that order.
    """

    def __init__(
        self,
        journal: Journal,
        searcher: OptunaSearcher,
        own: Sequence[Trial] = (),
        failures: AlikeFailures | None = None,
        first_worker: FirstWorker | None = None,
    ) -> None:
        self._journal, self._searcher = journal, searcher
        self.failures = failures or AlikeFailures(0)
        self.first_worker = first_worker or FirstWorker()
        self._epoch = {trial.number: trial.epoch for trial in own}
        # From the curves, which have every epoch once; the tag with the sum may lag.
        self._work = {trial.number: work_of(trial.curves) for trial in own}
        self._device = {trial.number: trial.device for trial in own}
        # Seconds trained before the present attempt, and when that began.
        self._trained = {trial.number: trial.seconds for trial in own}
        self._began: dict[int, float] = {}
        self._started: dict[int, Trial] = {}
        self.ended: dict[int, Trial] = {}
        self._has_said = False

    def __getstate__(self) -> dict[str, Any]:
        """Returns nothing: Ray pickles callbacks into experiment files that are never read."""
        return {}

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Writes the start of a trial when a worker has it: from here on it has a run."""
        self._searcher.on_trial_start(trial.trial_id)
        self.first_worker.begin()
        asked = self._searcher.asked[trial.trial_id]
        self._began[asked.number] = time.monotonic()
        if asked.number in self._started:
            return  # it is retried: its worker was lost or ran out of memory
        started = Trial(
            number=asked.number, state="running", configuration=asked.proposal.configuration,
            origin=json.loads(json.dumps(asked.proposal.origin, default=str)),
        )  # fmt: skip
        self._started[asked.number] = started
        self._say_once(str(started.origin.get("reason", "")))
        self._journal.append(
            "start",
            number=started.number,
            configuration=started.configuration,
            origin=started.origin,
            checkpoints=trial.config["checkpoints"],
            **({"lineage": asked.lineage} if asked.lineage else {}),
        )

    def _say_once(self, reason: str) -> None:
        """Says that the sampler raised; the provenance of each such trial has it, too."""
        if reason.startswith(RAISED) and not self._has_said:
            self._has_said = True
            instead = "a random configuration takes the place of each such proposal"
            self._journal.say(f"{reason}; {instead}")

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """Writes one epoch, and those before it that a crash kept from being reported."""
        number = trial.config["number"]
        self._device[number] = result.get(DEVICE, "")
        for epoch, metrics in [*result.get(EARLIER, ()), [result[EPOCH], result[METRICS]]]:
            if epoch > self._epoch.get(number, 0):
                work = work_of({WORK: {epoch: metrics.get(WORK)}})
                self._work[number] = self._work.get(number, 0.0) + work
                self._journal.append(
                    "epoch", number=number, epoch=epoch, metrics=metrics, **self._spent(number)
                )
                self._epoch[number] = epoch

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Writes the end of a trial that ended by itself or was stopped by the scheduler."""
        self._end_attempt(trial, trial.last_result or {})

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Handles the loss of a worker; the trial has failed if it has lost too many."""
        self.first_worker.lose(_error_of(trial))
        self._end_attempt(trial, None)

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Handles the loss of a worker whose node had been given notice: Tune starts it again."""
        number = trial.config["number"]
        self._pause(number)
        why = "lost its worker with a node that had been given notice; it is started again"
        self._journal.say(f"trial {number} {why}")

    @property
    def why_failed(self) -> str:
        """Why the search has failed; "" while it has not."""
        return self.first_worker.why or self.failures.why

    def _end_attempt(self, trial: Any, result: Mapping[str, Any] | None) -> None:
        """Ends a trial, unless the searcher retries it; `result` is None if the worker was lost."""
        number = trial.config["number"]
        if number in self.ended:
            return
        self._pause(number)
        spent = {**self._spent(number), "epoch": self._epoch.get(number, 0)}
        cost = {name: spent[name] for name in COST_ATTRIBUTES if name in spent}
        outcome = self._searcher.end(trial.trial_id, result, cost)
        if outcome is None:
            why = "lost its worker; another takes it over"
            if result is not None:
                why = "ran out of memory next to others; it is retried alone"
            self._journal.say(f"trial {number} {why}")
            return
        kept: dict[str, Any] = {}
        if result is None and outcome.state == "failed":
            said = _error_of(trial)
            # All of it first: the last line of a reason is what says why (`history/causes.py`).
            reason = f"{said}\n{outcome.reason}; the last one: {last_line(said)}"
            outcome = replace(outcome, reason=reason)
        elif result is not None and (outcome.state == "complete" or result.get(WARNINGS)):
            # One whose accuracy is in doubt has failed, and keeps what it has.
            kept = {key: result[key] for key in (TABLES, WARNINGS) if result.get(key)}
        self._end(number, outcome, kept)
        self.failures.note(number, outcome)
        self._say_revalidated(number)

    def _say_revalidated(self, number: int) -> None:
        """Says whether the best known trial reached its record, if this trial trained it again."""
        trial = self.ended.get(number)
        known = read_revalidation(trial.origin) if trial and trial.state == "complete" else None
        if trial is not None and known is not None:
            values = dict(zip(self._searcher.metrics, trial.values, strict=True))
            self._journal.say(known.result_in_words(values))

    def _seconds(self, number: int) -> float:
        """Returns the seconds that a trial has trained, in all attempts and launches."""
        now = time.monotonic()
        return self._trained.get(number, 0.0) + now - self._began.get(number, now)

    def _pause(self, number: int) -> None:
        """Counts the seconds of an attempt that is over; the trial may go on in another."""
        self._trained[number] = self._seconds(number)
        self._began.pop(number, None)

    def _spent(self, number: int) -> dict[str, Any]:
        """Returns the seconds and work of a trial in all launches, and its device, if known.

        Rounded as the store keeps them: a resumed search must propose what this one would.
        """
        known = {"work": float(round(self._work.get(number, 0.0))),
                 "device": self._device.get(number)}  # fmt: skip
        found = {name: value for name, value in known.items() if value}
        return {"seconds": round(self._seconds(number), 3), **found}

    def running(self) -> set[int]:
        """Returns the numbers of the trials that started and have not ended."""
        return self._started.keys() - self.ended.keys()

    def settle(self, because: str = "interrupted") -> int:
        """Marks as interrupted what started and never ended; returns how many."""
        cut_off = self.running()
        for number in sorted(cut_off):
            self._end(number, Outcome("interrupted", reason=f"{because}; resume continues it"), {})
        return len(cut_off)

    def _end(self, number: int, outcome: Outcome, kept: Mapping[str, Any]) -> None:
        if number not in self._started:
            return
        spent = self._spent(number)
        trial = replace(
            self._started[number], state=outcome.state, values=outcome.values,
            epoch=self._epoch.get(number, 0), reason=last_line(outcome.reason), **spent,
        )  # fmt: skip
        self.ended[number] = trial
        self._journal.append(
            "end", number=number, state=trial.state, epoch=trial.epoch,
            configuration=trial.configuration, origin=trial.origin, values=trial.values,
            reason=outcome.reason, **spent, **kept,
        )  # fmt: skip


def _error_of(trial: Any) -> str:
    """Returns Ray's text about a dead worker; Tune's `get_error` reads it from a later place."""
    try:
        return Path(trial.error_file).read_text(errors="replace").strip()
    except (OSError, TypeError):  # None: there is none
        return "Ray gives no reason"

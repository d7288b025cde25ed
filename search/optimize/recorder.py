"""Ray's callback that writes the journal: every start, epoch and end of a trial, once.

An exception in a callback kills the whole search, so nothing here talks to a store. When Tune
returns, `settle` ends the trials that it cut off (a time budget, Ctrl-C): Tune tells neither the
searcher nor its callbacks of those.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ray import tune

from search.history import Trial
from search.optimize.outcome import EARLIER, EPOCH, METRICS, TABLES, WARNING, Outcome
from search.optimize.searcher import OptunaSearcher
from search.tracking.write.journal import Journal


class Recorder(tune.Callback):  # type: ignore[misc]  # ray has no types
    """Appends to the journal what Tune reports, and has the searcher judge what has ended.

    Tune calls its searcher first, but with the result flattened, and its callbacks right after it.

    Args:
        journal: where to.
        searcher: knows each trial's number, configuration and origin.
        recorded_epochs: number -> last epoch that earlier launches have recorded.

    Attributes:
        ended: number -> the trial, of this launch, in the order of their ends.
    """

    def __init__(
        self, journal: Journal, searcher: OptunaSearcher, recorded_epochs: Mapping[int, int]
    ) -> None:
        self._journal, self._searcher = journal, searcher
        self._epoch = dict(recorded_epochs)
        self._started: dict[int, Trial] = {}
        self.ended: dict[int, Trial] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Ray pickles callbacks into its own experiment files, which are never read."""
        return {}

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A worker has the trial: from here on it has a run."""
        self._searcher.on_trial_start(trial.trial_id)
        asked = self._searcher.asked[trial.trial_id]
        if asked.number in self._started:
            return  # it is tried again: its worker was lost, or the memory of its machine
        started = Trial(
            number=asked.number, state="running", configuration=asked.proposal.configuration,
            origin=json.loads(json.dumps(asked.proposal.origin, default=str)),
        )  # fmt: skip
        self._started[asked.number] = started
        self._journal.append(
            "start",
            number=started.number,
            configuration=started.configuration,
            origin=started.origin,
            checkpoints=trial.config["checkpoints"],
            **({"lineage": asked.lineage} if asked.lineage else {}),
        )

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """One epoch, and the ones before it that a crash kept from being reported."""
        number = trial.config["number"]
        for epoch, metrics in [*result.get(EARLIER, ()), [result[EPOCH], result[METRICS]]]:
            if epoch > self._epoch.get(number, 0):
                self._journal.append("epoch", number=number, epoch=epoch, metrics=metrics)
                self._epoch[number] = epoch

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """The trial ended by itself or was stopped by the scheduler."""
        number, result = trial.config["number"], trial.last_result or {}
        if number in self.ended:
            return
        outcome = self._searcher.end(trial.trial_id, result)
        if outcome is None:
            message = f"trial {number} ran out of memory beside others; it is tried again alone"
            self._journal.append("driver", message=message)
            return
        kept = (TABLES, WARNING) if outcome.state == "complete" else ()
        self._end(number, outcome, {key: result[key] for key in kept if result.get(key)})

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """The worker itself died; the trial has failed if it has lost too many."""
        number = trial.config["number"]
        if number in self.ended:
            return
        outcome = self._searcher.end(trial.trial_id, None)
        if outcome is None:
            message = f"trial {number} lost its worker; it is started again"
            self._journal.append("driver", message=message)
            return
        reason = f"{outcome.reason}; the last one: {_last_words(trial)}"
        self._end(number, replace(outcome, reason=reason))

    def settle(self) -> int:
        """Marks as interrupted what started and never ended; returns how many."""
        cut_off = self._started.keys() - self.ended.keys()
        for number in sorted(cut_off):
            self._end(number, Outcome("interrupted", reason="interrupted; resume continues it"))
        return len(cut_off)

    def _end(self, number: int, outcome: Outcome, kept: Mapping[str, Any] | None = None) -> None:
        if number not in self._started:
            return
        trial = replace(
            self._started[number], state=outcome.state, values=outcome.values,
            epoch=self._epoch.get(number, 0),
        )  # fmt: skip
        self.ended[number] = trial
        self._journal.append(
            "end", number=number, state=trial.state, epoch=trial.epoch,
            configuration=trial.configuration, origin=trial.origin, values=trial.values,
            reason=outcome.reason, **(kept or {}),
        )  # fmt: skip


def _last_words(trial: Any) -> str:
    """What Ray wrote of a dead worker; Tune's own `get_error` looks for it where it comes later."""
    try:
        return Path(trial.error_file).read_text(errors="replace").strip()
    except (OSError, TypeError):  # None: there is none
        return "Ray says nothing of it"

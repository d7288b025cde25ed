"""Ray's callback that writes the journal: every start, epoch and end of a trial, once.

An exception in a callback kills the whole search, so nothing here talks to a store. When Tune
returns, `settle` ends the trials that it cut off (a time budget, Ctrl-C): Tune tells neither the
searcher nor its callbacks of those.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ray import tune

from search.optimize.lost_workers import WORKERS_FORGIVEN
from search.optimize.outcome import (
    EARLIER,
    EPOCH,
    METRICS,
    TABLES,
    WARNING,
    is_out_of_memory,
    outcome_of,
)
from search.optimize.searcher import OptunaSearcher
from search.tracking.journal import Journal


class Recorder(tune.Callback):  # type: ignore[misc]  # ray has no types
    """Appends to the journal what Tune reports.

    Args:
        journal: where to.
        searcher: knows each trial's number, configuration and origin.
        metrics: of the objectives, primary first.
        epochs: the full budget of a trial.
        recorded_epochs: number -> last epoch that earlier launches have recorded.
    """

    def __init__(
        self,
        journal: Journal,
        searcher: OptunaSearcher,
        metrics: tuple[str, ...],
        epochs: int,
        recorded_epochs: Mapping[int, int],
    ) -> None:
        self._journal, self._searcher = journal, searcher
        self._metrics, self._epochs = metrics, epochs
        self._epoch = dict(recorded_epochs)
        self._started: dict[int, dict[str, Any]] = {}  # number -> configuration and origin
        self.ended: dict[int, str] = {}  # number -> state, of this launch

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Ray pickles callbacks into its own experiment files, which are never read."""
        return {}

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A worker has the trial: from here on it has a run."""
        self._searcher.on_trial_start(trial.trial_id)
        asked = self._searcher.asked[trial.trial_id]
        if asked.number in self._started:
            return  # Tune starts a trial again when its worker has died
        self._started[asked.number] = {
            "configuration": asked.configuration,
            "origin": json.loads(json.dumps(asked.origin, default=str)),
        }
        self._journal.append(
            "start",
            number=asked.number,
            **self._started[asked.number],
            checkpoints=trial.config["checkpoints"],
            **({"receipt": asked.receipt} if asked.receipt else {}),
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
        result, chances = trial.last_result or {}, self._searcher.chances
        number = trial.config["number"]
        if trial.trial_id in chances.set_aside:
            message = f"trial {number} ran out of memory beside others; it is tried again alone"
            self._journal.append("driver", message=message)
            return
        outcome = outcome_of(result, self._metrics, self._epochs)
        is_complete = outcome.state == "complete"
        kept = {key: result[key] for key in (TABLES, WARNING) if is_complete and result.get(key)}
        reason = outcome.reason
        if is_out_of_memory(result) and chances.was_alone(trial.trial_id):
            reason += ", also alone"
        self._end(number, outcome.state, list(outcome.values), reason, kept)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """The worker itself died; the trial has failed if it has lost too many."""
        number = trial.config["number"]
        if trial.trial_id in self._searcher.lost_workers.set_aside:
            message = f"trial {number} lost its worker; it is started again"
            self._journal.append("driver", message=message)
            return
        lost = f"it lost more than {WORKERS_FORGIVEN} workers; the last one: {_last_words(trial)}"
        self._end(number, "failed", [], lost)

    def last_epoch(self, number: int) -> int:
        """The last epoch that a trial has recorded, in this launch or an earlier one."""
        return self._epoch.get(number, 0)

    def settle(self) -> int:
        """Marks as interrupted what started and never ended; returns how many."""
        cut_off = self._started.keys() - self.ended.keys()
        for number in sorted(cut_off):
            self._end(number, "interrupted", [], "interrupted; resume continues it")
        return len(cut_off)

    def _end(
        self,
        number: int,
        state: str,
        values: list[float],
        reason: str,
        kept: Mapping[str, Any] | None = None,
    ) -> None:
        if number in self.ended or number not in self._started:
            return
        self.ended[number] = state
        more = dict(kept or {})
        self._journal.append(
            "end", number=number, state=state, epoch=self._epoch.get(number, 0),
            **self._started[number], values=values, reason=reason, **more,
        )  # fmt: skip


def _last_words(trial: Any) -> str:
    """What Ray wrote of a dead worker; Tune's own `get_error` looks for it where it comes later."""
    try:
        return Path(trial.error_file).read_text(errors="replace").strip()
    except (OSError, TypeError):  # None: there is none
        return "Ray says nothing of it"

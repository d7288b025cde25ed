"""Turn foreign runs into rows of TRIALS and SEARCHES, each read by the layout that recognises it.

Every run becomes a trial or the run of a search, or is left out with a reason.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from search.tracking.foreign import (
    autologging,
    generic,
    imported,
    optuna_callback,
    optuna_storage,
    ray_tune,
)
from search.tracking.foreign.fingerprint import described
from search.tracking.foreign.layout import Layout, Reading, is_noise
from search.tracking.foreign.nesting import sorted_families
from search.tracking.foreign.searches import ReadRun, rows_of
from search.tracking.runs import Run, rejection

# The first layout that recognises a run reads it.
LAYOUTS: tuple[Layout, ...] = (
    imported,
    optuna_storage,
    optuna_callback,
    ray_tune,
    autologging,
    generic,
)


class ForeignRuns:
    """The foreign runs of one experiment: first their curves' names, then their rows."""

    def __init__(
        self, experiment: str, runs: Sequence[tuple[int, Run]], ours: Mapping[str, Run]
    ) -> None:
        """Takes place and run of each active foreign run, oldest first, and our own runs by id."""
        self._experiment = experiment
        self._places = {run.run_id: place for place, run in runs}
        self._families = sorted_families([run for _, run in runs], ours)
        self._readings: dict[int, tuple[str, Reading]] = {}
        for run in self._families.trials:
            parent = self._families.parents.get(run.parent or "")
            layout = next(each for each in LAYOUTS if each.recognises(run, parent))
            self._readings[self._places[run.run_id]] = layout.TOOL, layout.read(run, parent)

    def curve_name(self, place: int, metric: str) -> str | None:
        """Returns the name to read a run's curve under; None to drop it."""
        entry = self._readings.get(place)
        if entry is None or is_noise(metric):
            return None
        return entry[1].curves.get(metric, metric) or None

    def rows(
        self, epochs: Sequence[int], rejected: list[dict[str, str]]
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Returns rows of TRIALS, each with its run's "place" and without curves, and of SEARCHES.

        Args:
            epochs: place -> the last epoch of the run's curves.
            rejected: every run that is left out is added, with its reason.
        """
        rejected += [rejection(run, reason) for run, reason in self._families.left_out]
        distinct = _distinct(self._usable(epochs, rejected), rejected)
        parents = self._families.parents
        trials, searches = rows_of(self._experiment, distinct, parents)
        named = {search["run_id"] for search in searches}
        reason = "has other runs below it, none of which is a trial that can be read"
        rejected += [
            rejection(run, reason) for run_id, run in parents.items() if run_id not in named
        ]
        return trials, searches

    def _usable(self, epochs: Sequence[int], rejected: list[dict[str, str]]) -> Iterable[ReadRun]:
        for run in self._families.trials:
            place = self._places[run.run_id]
            tool, reading = self._readings[place]
            problem = _problem(run, reading)
            if problem:
                rejected.append(rejection(run, problem))
                continue
            parent = self._families.parents.get(run.parent or "")
            fingerprint = described(run, parent, reading.model)
            yield ReadRun(place, run, tool, reading, fingerprint, epochs[place])


def _problem(run: Run, reading: Reading) -> str:
    """Returns why nothing can be learned from a run; empty if something can."""
    if not reading.texts and not reading.known:
        return "has no hyperparameter: no params were logged"
    if reading.state != "complete":
        return ""
    measured = {name: value for name, value in run.metrics.items() if not is_noise(name)}
    if not measured:
        return "measured nothing: it is finished, and no metrics were logged"
    if not any(math.isfinite(value) for value in measured.values()):
        return "measured nothing: none of its metrics ends in a finite number"
    if reading.objectives and len(reading.values) != len(reading.objectives):
        return "complete, but without a value for each objective"
    if not all(math.isfinite(value) for value in reading.values):
        return f"objective values {list(reading.values)} are not all finite"
    return ""


def _distinct(trials: Iterable[ReadRun], rejected: list[dict[str, str]]) -> list[ReadRun]:
    """Returns the trials without copies, and without runs that a later run continued."""
    kept: dict[Any, ReadRun] = {}
    for trial in trials:
        identity = trial.reading.identity
        key = (trial.key, identity) if identity else (trial.key, *_content(trial.run))
        other = kept.get(key)
        if other is not None:
            trial, other = sorted((trial, other), key=_progress, reverse=True)
            reason = (
                f"is the same trial as run {trial.run.run_id}, which went further"
                if identity
                else f"is a copy of run {trial.run.run_id}: same params, metrics and times"
            )
            rejected.append(rejection(other.run, reason))
        kept[key] = trial
    return list(kept.values())


def _content(run: Run) -> tuple[Any, ...]:
    # Times have milliseconds: two runs that agree in all of this are copies.
    metrics = tuple(sorted((name, repr(value)) for name, value in run.metrics.items()))
    return run.start, run.end, tuple(sorted(run.params.items())), metrics


def _progress(trial: ReadRun) -> tuple[int, bool]:
    return trial.epoch, trial.reading.state == "complete"

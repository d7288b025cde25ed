"""Totals: the numbers of a whole search, by which two searches are compared.

They are the metrics of the search's run in MLflow, the columns of `twentieth compare` and the first
table of the report, so that all three say the same. What history saved is the verdict's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from search.history import History, Trial
from search.history.states import STATES
from search.transfer.best import best_trials
from search.transfer.costs import Cost
from search.transfer.progress import (
    alike_searches,
    counted_losses,
    find_search,
    levels_of,
    reference_point,
    seen_trials,
    trials_of,
)

ENDED = tuple(state for state in STATES if state != "running")


@dataclass(frozen=True)
class Totals:
    """The numbers of one search.

    Attributes:
        search: Id of the search.
        states: State -> number of trials that ended in it.
        best: Objective -> the best of its values among the best trials; each may be of another
            trial. Empty without a complete trial.
        front: Number of best trials.
        hypervolume: Dominated by the best trials, against the task's reference point; 0 if no
            trial counts. With one objective, the distance of the best value from that point.
        best_known: The hypervolume of all searches of the task with the same objectives together;
            0 if no trial of any counts. Trials in doubt of other searches count if this one has
            kept any.
        epochs: Epochs trained by all trials, stopped and failed ones included.
        trial_seconds: Seconds trained, added up over parallel trials; without pauses.
        work: FLOP of all trials whose work is known; 0 if that of none is.
        wall_seconds: Seconds from the start of the first trial to the end of the last; pauses
            between a kill and a resume included.
        hours: GPU-hours or core-hours of the trials; None if the cost of a trial is not known.
        hours_unit: "GPU-hours", "core-hours", or "".
    """

    search: str
    states: Mapping[str, int]
    best: Mapping[str, float]
    front: int
    hypervolume: float
    best_known: float
    epochs: int
    trial_seconds: float
    work: float
    wall_seconds: float
    hours: float | None
    hours_unit: str

    @property
    def share_of_best_known(self) -> float | None:
        """The hypervolume relative to the best known, 0 to 1; None if no trial of any counts."""
        return self.share(self.hypervolume) if self.best_known else None

    def share(self, hypervolume: float) -> float:
        """A hypervolume of the same task relative to the best known; 0 if there is none."""
        return hypervolume / self.best_known if self.best_known else 0.0

    def as_metrics(self) -> dict[str, float]:
        """The numbers by the names they have as metrics of the search's run; None is left out."""
        unit = self.hours_unit.removesuffix("-hours").lower()
        found: dict[str, float | None] = {
            "hypervolume": self.hypervolume,
            "share_of_best_known": self.share_of_best_known,
            **{f"best.{metric}": value for metric, value in self.best.items()},
            "best_trials": self.front,
            "trials": sum(self.states.values()),
            **{f"trials.{state}": self.states.get(state, 0) for state in ENDED},
            "epochs": self.epochs,
            "work": self.work or None,
            "hours.wall": self.wall_seconds / 3600,
            f"hours.{unit}": self.hours,
        }
        return {name: float(value) for name, value in found.items() if value is not None}


def totals(history: History, search: str, cost: Cost | None = None) -> Totals:
    """The totals of a search.

    Args:
        history: The trials of the search and of the other searches of its task.
        search: Id of the search.
        cost: What one trial occupies; without it there are no hours.

    Raises:
        ValueError: history does not contain the search.
    """
    this, trials = find_search(history, search), trials_of(history, search)
    alike = seen_trials(history, this, alike_searches(history, this))
    point, level, known = reference_point(history, this), 0.0, 0.0
    if point is not None:
        level, known = (
            max(levels_of([row for part in counted_losses(group, this) for row in part], point),
                default=0.0)
            for group in ([trials], alike)
        )  # fmt: skip
    front = best_trials(history, search)
    best = {
        each.metric: (max if each.is_maximized else min)(
            trial.by_metric[each.metric] for trial in front
        )
        for each in (this.objectives if front else ())
    }
    seconds = sum(trial.seconds for trial in trials)
    return Totals(
        search=search, states=dict(Counter(trial.state for trial in trials)), best=best,
        front=len(front), hypervolume=level,
        best_known=known,
        epochs=sum(trial.epoch for trial in trials), trial_seconds=seconds,
        work=sum(trial.work for trial in trials), wall_seconds=_wall_seconds(trials),
        hours=None if cost is None else cost.hours(seconds),
        hours_unit="" if cost is None else f"{cost.unit}-hours",
    )  # fmt: skip


def _wall_seconds(trials: list[Trial]) -> float:
    spans = [
        (trial.started, trial.ended or trial.started + timedelta(seconds=trial.seconds))
        for trial in trials
        if trial.started is not None
    ]
    if not spans:
        return 0.0
    return (max(end for _, end in spans) - min(start for start, _ in spans)).total_seconds()

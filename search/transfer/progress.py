"""How far a search had come after each of its trials, in one number for any count of objectives.

That number is the hypervolume against a reference point that all compared searches share; with one
objective it is the distance of the best value from that point. Not for comparing searches of
different tasks: their values have no common scale.

Source: the reference point lies beyond the worst observed values by a tenth of their range, as
Ishibuchi et al. 2018, "How to specify a reference point in hypervolume calculation", discuss for
fronts of about ten points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from search.extract.objective_matrix import objective_matrix
from search.history import History, Search, Trial
from search.objectives.pareto import hypervolume
from search.objectives.roles import aims

REFERENCE_RULE = (
    "the worst value of each objective over the complete trials of all compared searches, moved "
    "away by a tenth of its range"
)
_MARGIN = 0.1


Row: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Progress:
    """A search, trial by trial, in the order the trials were started.

    Attributes:
        epochs: Epochs trained up to and including each trial, stopped and failed ones counted.
        levels: Hypervolume after each trial; it never falls. 0 before the first complete trial.
        seconds: Seconds that trials had taken up to and including each, those at once added up.
    """

    epochs: tuple[int, ...]
    levels: tuple[float, ...]
    seconds: tuple[float, ...] = ()

    def trials_to(self, level: float) -> int | None:
        """How many trials it took to reach a level; None if it never did, or the level is 0."""
        # Sums of the same boxes in another order differ in the last digits.
        enough = level * (1 - 1e-9)
        if level <= 0:
            return None
        return next((n for n, each in enumerate(self.levels, start=1) if each >= enough), None)


@dataclass(frozen=True, eq=False)
class Compared:
    """A search beside the cold searches of its task, all judged together.

    Attributes:
        reference: The point that bounds the hypervolume, one loss for each judged objective.
        mine: Of the search.
        theirs: Of each cold search with a trial that counts.
    """

    reference: Row
    mine: Progress
    theirs: tuple[tuple[Search, Progress], ...]


def find_search(history: History, search: str) -> Search:
    """The search of that id.

    Raises:
        ValueError: History does not know it; names those it knows.
    """
    if search not in history.searches:
        known = ", ".join(sorted(history.searches)) or "none"
        raise ValueError(f"no search {search!r} in this history; it has: {known}")
    return history.searches[search]


def cold_searches(history: History, search: str) -> list[Search]:
    """The searches to compare with: earlier, cold, same task, same objectives; the oldest first."""
    this = find_search(history, search)
    goal = {each.metric: each.direction for each in this.objectives}
    found = [
        other
        for other in history.searches.values()
        if other.id != search
        and other.task == this.task
        and not other.warm
        and other.started <= this.started
        and {each.metric: each.direction for each in other.objectives} == goal
        and len(objective_matrix(trials_of(history, other.id), this.objectives))
    ]
    return sorted(found, key=lambda other: (other.started, other.id))


def trials_of(history: History, search: str) -> list[Trial]:
    """The trials of a search that ended in whatever way, by number."""
    trials = [each for each in history.prior_trials(state=None, search=search) if _is_settled(each)]
    return sorted(trials, key=lambda each: (each.number or 0, each.run_id or ""))


def reference_point(losses: NDArray[np.float64]) -> NDArray[np.float64]:
    """The point that bounds the hypervolume, shape `(objectives,)`; see `REFERENCE_RULE`.

    Args:
        losses: Shape `(n, objectives)`, n >= 1, of all compared searches together. An objective
            that never changes gets a margin of one, so that reaching it counts.
    """
    worst, width = losses.max(axis=0), np.ptp(losses, axis=0)
    return np.asarray(worst + np.where(width > 0, _MARGIN * width, 1.0))


def judged(searches: Sequence[Sequence[Trial]], this: Search) -> list[list[Row | None]]:
    """For the trials of each search their losses by what `this` judges, or None.

    None for what is not complete, and for what by the roles does not count: it misses a bound, or
    is beyond the tolerance of the best that any of these searches found.
    """
    measured = [objective_matrix(trials, this.objectives) for trials in searches]
    found = aims(np.vstack([each.values for each in measured]), this.objectives)
    rows: list[Row | None] = [
        losses if counts else None
        for losses, counts in zip(found.losses, found.is_counted, strict=True)
    ]
    parts, start = [], 0
    for trials, part in zip(searches, measured, strict=True):
        row_of = dict(zip(map(id, part.trials), rows[start : start + len(part)], strict=True))
        parts.append([row_of.get(id(trial)) for trial in trials])
        start += len(part)
    return parts


def compared(history: History, this: Search) -> Compared | None:
    """A search and the cold ones of its task; None if no trial of any of them counts."""
    colds = cold_searches(history, this.id)
    every = [trials_of(history, each.id) for each in (this, *colds)]
    parts = judged(every, this)
    rows = [row for part in parts for row in part if row is not None]
    if not rows:
        return None
    point = reference_point(np.vstack(rows))
    mine, *theirs = (course(trials, part, point) for trials, part in zip(every, parts, strict=True))
    pairs = [(cold, each) for cold, each in zip(colds, theirs, strict=True) if each.levels[-1] > 0]
    return Compared(point, mine, tuple(pairs))


def progress(trials: Sequence[Trial], search: Search, reference: NDArray[np.float64]) -> Progress:
    """Hypervolume after each of the trials, judged by `search`, beside no other search."""
    return course(trials, judged([trials], search)[0], reference)


def course(
    trials: Sequence[Trial], rows: Sequence[Row | None], reference: NDArray[np.float64]
) -> Progress:
    """Hypervolume after each of the trials, from what `judged` said of them."""
    levels = levels_of(rows, reference)
    epochs = accumulate(trial.epoch for trial in trials)
    seconds = accumulate(trial.seconds for trial in trials)
    return Progress(tuple(epochs), levels, tuple(seconds))


def levels_of(
    losses: Sequence[NDArray[np.float64] | None], reference: NDArray[np.float64]
) -> tuple[float, ...]:
    """Hypervolume after each trial of these losses, `(objectives,)` each; None adds nothing."""
    levels, level = [], 0.0
    best = np.empty((0, len(reference)))
    for row in losses:
        if row is not None and not (best <= row).all(axis=1).any():
            best = np.vstack([best[~(row <= best).all(axis=1)], row])
            level = max(level, hypervolume(best, reference))
        levels.append(level)
    return tuple(levels)


def _is_settled(trial: Trial) -> bool:
    return trial.state != "running"

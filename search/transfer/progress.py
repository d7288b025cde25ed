"""The progress of a search after each of its trials, as one number for any count of objectives.

That number is the hypervolume against the reference point of the task; with one objective it is the
distance of the best value from that point. The point is fixed: a later search changes neither it
nor the numbers of earlier ones. Not for comparing searches of different tasks: their values have no
common scale.

Source: the reference point lies beyond the worst values by a tenth of their range, as Ishibuchi et
al. 2018, "How to specify a reference point in hypervolume calculation", discuss for fronts of about
ten points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, chain
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.scores.metric_names import MetricName
from search.extract.objective_matrix import FEWEST_TRIALS, objective_matrix
from search.history import History, Search, Trial
from search.history.provenance import read_origin
from search.objectives.pareto import hypervolume
from search.objectives.roles import constrained_losses, counts_robustness, judging_indices
from search.review.doubtful import is_kept_in_doubt, judged

REFERENCE_RULE = (
    "the worst possible value of a share of examples, and of any other objective the worst value "
    f"in the task's first search with {FEWEST_TRIALS} complete trials (or in all of them, if none "
    "has so many), moved away by a tenth of the range"
)
_MARGIN = 0.1

Row: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Progress:
    """A search, trial by trial, in the order the trials were started.

    Attributes:
        epochs: Epochs trained up to and including each trial, stopped and failed ones included.
        levels: Hypervolume after each trial; it never falls. 0 before the first complete trial.
        seconds: Seconds of trials up to and including each; parallel trials are added up.
    """

    epochs: tuple[int, ...]
    levels: tuple[float, ...]
    seconds: tuple[float, ...] = ()

    def trials_to(self, level: float) -> int | None:
        """The number of trials it took to reach a level; None if it never did, or for level 0."""
        # Sums of the same boxes in another order differ in the last digits.
        enough = level * (1 - 1e-9)
        if level <= 0:
            return None
        return next((n for n, each in enumerate(self.levels, start=1) if each >= enough), None)

    def seconds_to(self, level: float) -> float | None:
        """The seconds of these trials; None likewise."""
        reached = self.trials_to(level)
        return None if reached is None else self.seconds[reached - 1]


@dataclass(frozen=True, eq=False)
class Compared:
    """The progress of a search and of the cold searches of its task, on one scale.

    Attributes:
        reference: The point that bounds the hypervolume, one loss for each objective that counts.
        mine: The progress of the search.
        theirs: Each cold search with a trial that counts, and its progress.
    """

    reference: Row
    mine: Progress
    theirs: tuple[tuple[Search, Progress], ...]


def find_search(history: History, search: str) -> Search:
    """The search with this id.

    Raises:
        ValueError: history does not contain it; the message names those it contains.
    """
    if search not in history.searches:
        known = ", ".join(sorted(history.searches)) or "none"
        raise ValueError(f"no search {search!r} in this history; it has: {known}")
    return history.searches[search]


def cold_searches(history: History, search: str) -> list[Search]:
    """The searches to compare with: earlier, cold, same task, same objectives; oldest first.

    One that tried only configurations that it was given, as `twentieth repeat` does, is none.
    """
    this = find_search(history, search)
    earlier = [
        other
        for other in alike_searches(history, this)
        if other.id != search and not other.warm and other.started <= this.started
    ]
    return [
        other
        for other, trials in zip(earlier, seen_trials(history, this, earlier), strict=True)
        if len(objective_matrix(trials, this.objectives)) and given(trials) < len(trials)
    ]


def given(trials: Sequence[Trial]) -> int:
    """The number of trials whose configurations the user gave."""
    return sum(read_origin(trial.origin).step == "first" for trial in trials)


def alike_searches(history: History, this: Search) -> list[Search]:
    """The searches of the same task with the same objectives, `this` among them; oldest first."""
    goal = {each.metric: each.direction for each in this.objectives}
    found = [
        other
        for other in history.searches.values()
        if other.task == this.task
        and {each.metric: each.direction for each in other.objectives} == goal
    ]
    return sorted(found, key=lambda other: (other.started, other.id))


def trials_of(history: History, search: str) -> list[Trial]:
    """The trials of a search that have ended, in whatever state, by number."""
    trials = history.prior_trials(state=None, search=search)
    ended = [trial for trial in trials if trial.state != "running"]
    return sorted(ended, key=lambda each: (each.number, each.run_id))


def seen_trials(history: History, this: Search, searches: Sequence[Search]) -> list[list[Trial]]:
    """The trials of searches as `this` one sees them, which may be among them.

    Where a robust accuracy is in doubt, a trial of another search counts as one of its own did: if
    it kept any, those of others are kept, too; else they have failed, which is a spec's default. It
    is not asked of the spec, which a history lacks, and which is not all: a search that ended
    before a sign of doubt was checked for has kept such trials in spite of its spec, and is fairly
    compared only with others on the same terms.
    """
    own = trials_of(history, this.id)
    keeps = any(is_kept_in_doubt(trial) for trial in own)
    excludes = counts_robustness(this.objectives) and not keeps
    return [
        own
        if each.id == this.id
        else [judged(one, excludes_doubtful=excludes) for one in trials_of(history, each.id)]
        for each in searches
    ]


def reference_point(history: History, this: Search) -> Row | None:
    """The point that bounds the hypervolume; see `REFERENCE_RULE`. None if no trial counts.

    Each trial counts here as its own search ended it, so that all searches have one point, whether
    they exclude trials in doubt or keep them.

    Returns:
        Shape `(k,)`: a loss for each objective that counts, as in `counted_losses`.
    """
    every = [trials_of(history, each.id) for each in alike_searches(history, this)]
    parts = [[row for row in counted_losses([each], this)[0] if row is not None] for each in every]
    rows = next((part for part in parts if len(part) >= FEWEST_TRIALS), [*chain(*parts)])
    if not rows:
        return None
    point = beyond_worst(np.vstack(rows))
    for column, index in enumerate(judging_indices(this.objectives)):
        objective = this.objectives[index]
        worst, best = (0.0, -1.0) if objective.is_maximized else (1.0, 0.0)
        is_in_range = all(best <= row[column] <= worst for row in chain(*parts))
        if MetricName.parse(objective.metric).is_share and is_in_range:
            point[column] = worst + _MARGIN
    return point


def beyond_worst(losses: NDArray[np.float64]) -> NDArray[np.float64]:
    """The worst of these losses, moved away by a tenth of their range, shape `(objectives,)`.

    Args:
        losses: Shape `(n, objectives)`, n >= 1. An objective that never changes gets a margin of
            one, so that reaching it counts.
    """
    worst, width = losses.max(axis=0), np.ptp(losses, axis=0)
    return np.asarray(worst + np.where(width > 0, _MARGIN * width, 1.0))


def counted_losses(searches: Sequence[Sequence[Trial]], this: Search) -> list[list[Row | None]]:
    """For the trials of each search, their losses in the objectives of `this`, or None.

    None stands for a trial that is not complete, and for one that by the roles does not count: it
    misses a bound, or is beyond the tolerance of the best that any of these searches found.
    """
    measured = objective_matrix([*chain.from_iterable(searches)], this.objectives)
    found = constrained_losses(measured.values, this.objectives)
    row_of = {
        id(trial): losses
        for trial, losses, counts in zip(
            measured.trials, found.losses, found.is_counted, strict=True
        )
        if counts
    }
    return [[row_of.get(id(trial)) for trial in trials] for trials in searches]


def compared(history: History, this: Search) -> Compared | None:
    """Compares a search with the cold ones of its task; None if no trial of any of them counts."""
    colds = cold_searches(history, this.id)
    every = seen_trials(history, this, (this, *colds))
    parts, point = counted_losses(every, this), reference_point(history, this)
    if point is None or not any(row is not None for part in parts for row in part):
        return None
    mine, *theirs = (
        progress_of(trials, part, point) for trials, part in zip(every, parts, strict=True)
    )
    pairs = [(cold, each) for cold, each in zip(colds, theirs, strict=True) if each.levels[-1] > 0]
    return Compared(point, mine, tuple(pairs))


def progress_of(
    trials: Sequence[Trial], rows: Sequence[Row | None], reference: NDArray[np.float64]
) -> Progress:
    """The progress over trials whose losses are `rows`, as `counted_losses` returns them."""
    levels = levels_of(rows, reference)
    epochs = accumulate(trial.epoch for trial in trials)
    seconds = accumulate(trial.seconds for trial in trials)
    return Progress(tuple(epochs), levels, tuple(seconds))


def levels_of(
    losses: Sequence[NDArray[np.float64] | None], reference: NDArray[np.float64]
) -> tuple[float, ...]:
    """Hypervolume after each trial with these losses, `(objectives,)` each; None adds nothing."""
    levels, level = [], 0.0
    best = np.empty((0, len(reference)))
    for row in losses:
        if row is not None and not (best <= row).all(axis=1).any():
            best = np.vstack([best[~(row <= best).all(axis=1)], row])
            level = max(level, hypervolume(best, reference))
        levels.append(level)
    return tuple(levels)

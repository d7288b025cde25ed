"""The control arm: trials of this search that knew nothing of history, against as many that did.

Both arms ran in one search, on one task, in turns, so nothing differs but the history. What is
compared is trials at equal numbers: up to the level that the arm with the lower end reached.

The interval resamples pairs, the i-th control trial with the i-th other, and keeps their order
(a bootstrap, Efron 1979). Within an arm a trial depends on those before it, which resampling cannot
repeat: so the interval says how far the difference hangs on single trials, not what a second search
would find. Not for comparing searches with each other, that is `cold_baseline.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.history import Search, Trial
from search.history.provenance import CONTROL, read_origin
from search.transfer.costs import Cost, saved_in_words
from search.transfer.progress import Progress, course, judged, levels_of, reference_point

# Resampled arms; at 400 the ends of a 95 % interval rest on ten resamples each.
RESAMPLES = 400
# With fewer pairs most resamples repeat one another.
FEWEST_PAIRS = 5


@dataclass(frozen=True)
class ArmsComparison:
    """The two arms at equal numbers of trials.

    Attributes:
        trials: Trials of each arm that are compared.
        control_levels: Hypervolume of the control arm after each of its trials.
        main_levels: The same of the first trials that knew of history.
        level: The lower of both ends.
        control_reached: Trials after which the control arm had reached it.
        main_reached: The same of the other arm.
        trials_saved: `control_reached - main_reached`.
        hours_saved: The same in GPU-hours or CPU-hours; None if the cost is not known.
        interval: 95 % of resampled differences in trials; None with fewer than `FEWEST_PAIRS`.
        higher: Share of resamples in which the arm with history ended higher; ties count half.
        stopped: Trials of both arms that the scheduler stopped, which ranks both together.
    """

    trials: int
    control_levels: tuple[float, ...]
    main_levels: tuple[float, ...]
    level: float
    control_reached: int
    main_reached: int
    trials_saved: int
    hours_saved: float | None
    interval: tuple[float, float] | None
    higher: float | None
    stopped: int


def compare_arms(trials: Sequence[Trial], this: Search, cost: Cost | None) -> ArmsComparison | None:
    """The arms of a search, from its trials in order; None if either has nothing complete."""
    control = [trial for trial in trials if read_origin(trial.origin).step == CONTROL]
    others = [trial for trial in trials if read_origin(trial.origin).step != CONTROL]
    size = min(len(control), len(others))
    control, others = control[:size], others[:size]
    rows = judged([control, others], this)
    counted = [[row for row in arm if row is not None] for arm in rows]
    if not all(counted):
        return None
    point = reference_point(np.vstack([*counted[0], *counted[1]]))
    theirs, mine = course(control, rows[0], point), course(others, rows[1], point)
    reached = _reached(theirs, mine)
    assert reached is not None  # both arms have a trial that counts, beyond the reference
    spent = theirs.seconds[reached[0] - 1] - mine.seconds[reached[1] - 1]
    interval, higher = _resampled([*rows[0], *rows[1]], point)
    return ArmsComparison(
        trials=size,
        control_levels=theirs.levels,
        main_levels=mine.levels,
        level=min(theirs.levels[-1], mine.levels[-1]),
        control_reached=reached[0],
        main_reached=reached[1],
        trials_saved=reached[0] - reached[1],
        hours_saved=None if cost is None else cost.hours(spent),
        interval=interval,
        higher=higher,
        stopped=sum(trial.state == "stopped" for trial in (*control, *others)),
    )


def arms_sentence(arms: ArmsComparison, cost: Cost | None) -> str:
    """What the arms show, and how far that can be trusted."""
    text = (
        f"Against its own control arm, {arms.trials} trials without history beside {arms.trials} "
        f"with it, history {saved_in_words(arms.trials_saved, arms.hours_saved, cost)}: the level "
        f"that both arms reached took {_trials(arms.main_reached)} with it and "
        f"{_trials(arms.control_reached)} without"
    )
    if arms.interval is None or arms.higher is None:
        return f"{text}. The arms are too short for an interval."
    low, high = arms.interval
    text += (
        f" (95 % {low:+g} to {high:+g} when pairs of trials are resampled; with history the arm "
        f"ended higher in {arms.higher:.0%} of resamples)."
    )
    if low <= 0 <= high:
        text += " So the arms do not tell history from chance."
    return text


def _trials(count: int) -> str:
    return f"{count} trial{'' if count == 1 else 's'}"


def _reached(theirs: Progress, mine: Progress) -> tuple[int, int] | None:
    """Trials of each side to the lower of both ends; None if a side has nothing."""
    level = min(theirs.levels[-1], mine.levels[-1])
    first, second = theirs.trials_to(level), mine.trials_to(level)
    return None if first is None or second is None else (first, second)


def _resampled(
    both: Sequence[NDArray[np.float64] | None], point: NDArray[np.float64]
) -> tuple[tuple[float, float] | None, float | None]:
    """Interval of the trials saved, and how often the arm with history ended higher.

    Args:
        both: Losses of the control arm's trials, then those of the other's; None has none.
        point: The reference point.
    """
    size = len(both) // 2
    if size < FEWEST_PAIRS:
        return None, None
    generator = np.random.default_rng(0)
    saved, wins = [], []
    for _ in range(RESAMPLES):
        drawn = np.sort(generator.integers(0, size, size))
        theirs = Progress((), levels_of([both[index] for index in drawn], point))
        mine = Progress((), levels_of([both[size + index] for index in drawn], point))
        wins.append(0.5 + 0.5 * float(np.sign(mine.levels[-1] - theirs.levels[-1])))
        reached = _reached(theirs, mine)
        if reached is not None:  # else nothing complete was drawn of one arm
            saved.append(reached[0] - reached[1])
    if not saved:
        return None, None
    low, high = np.quantile(saved, (0.025, 0.975), method="inverted_cdf")
    return (float(low), float(high)), float(np.mean(wins))

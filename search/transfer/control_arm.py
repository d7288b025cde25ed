"""The control arm: trials of this search proposed without history, against as many with it.

Both arms ran in one search, on one task, in turns, so only the use of history differs. Compared is
the number of trials each arm took to the level that both reached, over equally many trials.

The interval resamples pairs, the i-th control trial with the i-th other, and keeps their order
(a bootstrap, Efron 1979). Within an arm a trial depends on those before it, which resampling cannot
repeat: so the interval says how far the difference depends on single trials, not what a second
search would find. Not for comparing searches with each other (`cold_baseline.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.history import Search, Trial
from search.history.plurals import counted
from search.history.provenance import CONTROL, read_origin
from search.transfer.costs import Cost, saved_in_words
from search.transfer.progress import (
    Progress,
    beyond_worst,
    counted_losses,
    levels_of,
    progress_of,
)

# At 400 resamples each end of a 95 % interval rests on ten of them.
RESAMPLES = 400
# With fewer pairs, most resamples repeat one another.
FEWEST_PAIRS = 5


@dataclass(frozen=True)
class ArmsComparison:
    """The two arms at equal numbers of trials.

    Attributes:
        trials: Number of trials of each arm that are compared.
        control_levels: Hypervolume of the control arm after each of its trials.
        main_levels: The same for the first trials with history.
        level: The lower of the two final levels.
        control_reached: Number of trials after which the control arm had reached it.
        main_reached: The same for the other arm.
        trials_saved: `control_reached - main_reached`.
        hours_saved: The same in GPU-hours or core-hours; None if the cost is not known.
        interval: 95 % of resampled differences in trials; None with fewer than `FEWEST_PAIRS`.
        higher: Share of resamples in which the arm with history ended higher; ties count half.
        stopped: Number of trials that the scheduler, which ranks both arms together, stopped.
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
    """Compares the arms of a search, from its trials in order; None if either has none complete."""
    control = [trial for trial in trials if read_origin(trial.origin).step == CONTROL]
    others = [trial for trial in trials if read_origin(trial.origin).step != CONTROL]
    size = min(len(control), len(others))
    control, others = control[:size], others[:size]
    rows = counted_losses([control, others], this)
    present = [[row for row in arm if row is not None] for arm in rows]
    if not all(present):
        return None
    point = beyond_worst(np.vstack([*present[0], *present[1]]))
    theirs, mine = progress_of(control, rows[0], point), progress_of(others, rows[1], point)
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
    """A sentence on what the arms show and how far that can be trusted."""
    text = (
        f"Compared with the control arm of this search ({counted(arms.trials, 'trial')} without "
        f"history, as many with it), history "
        f"{saved_in_words(arms.trials_saved, arms.hours_saved, cost)}: the level that both arms "
        f"reached took {counted(arms.main_reached, 'trial')} with history and "
        f"{counted(arms.control_reached, 'trial')} without"
    )
    if arms.interval is None or arms.higher is None:
        return f"{text}. The arms are too short for an interval."
    low, high = arms.interval
    text += (
        f" (95 % {low:+g} to {high:+g} when pairs of trials are resampled; with history the arm "
        f"ended higher in {arms.higher:.0%} of resamples)."
    )
    if low <= 0 <= high:
        text += " So the difference may be due to chance."
    return text


def _reached(theirs: Progress, mine: Progress) -> tuple[int, int] | None:
    """The trials each arm took to the lower final level; None if an arm has nothing complete."""
    level = min(theirs.levels[-1], mine.levels[-1])
    first, second = theirs.trials_to(level), mine.trials_to(level)
    return None if first is None or second is None else (first, second)


def _resampled(
    both: Sequence[NDArray[np.float64] | None], point: NDArray[np.float64]
) -> tuple[tuple[float, float] | None, float | None]:
    """Resamples the trials saved: their interval, and how often the arm with history ended higher.

    Args:
        both: The losses of the control arm's trials, then those of the other arm's.
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
        if reached is not None:  # else no complete trial was drawn from one of the arms
            saved.append(reached[0] - reached[1])
    if not saved:
        return None, None
    low, high = np.quantile(saved, (0.025, 0.975), method="inverted_cdf")
    return (float(low), float(high)), float(np.mean(wins))

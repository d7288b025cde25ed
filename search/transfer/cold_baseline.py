"""One search against the earlier cold searches of its task: trials to each one's final level.

Not a test of significance for this search, which is one run. The interval is over the cold
searches.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, median, stdev

from scipy.stats import t as student

from search.history import Search
from search.history.plurals import counted
from search.transfer.costs import Cost, saved_in_words
from search.transfer.progress import Progress

# Fewer cold searches than this support no range and no interval.
FEWEST_SEARCHES = 3
# Trials are whole numbers, so searches that agree still have a rounding error, uniform over one.
ROUNDING = 1 / math.sqrt(12)


@dataclass(frozen=True)
class Comparison:
    """This search against one cold search.

    Attributes:
        search: Id of the cold search.
        level: Hypervolume the cold search ended with, its final level.
        cold_trials: Number of its trials.
        cold_reached: Number of its trials after which it had reached its final level.
        cold_epochs: Epochs it had trained by then.
        reached: Trials after which this search had reached that level; None if never.
        epochs: Epochs this search had trained by then; None if never.
        trials_saved: `cold_reached - reached`; negative if this search took longer.
        hours_saved: The same in GPU-hours, or core-hours without a GPU, both searches at this one's
            resources for a trial; None if never reached, or if these are not known.
    """

    search: str
    level: float
    cold_trials: int
    cold_reached: int
    cold_epochs: int
    reached: int | None
    epochs: int | None
    trials_saved: int | None
    hours_saved: float | None = None


@dataclass(frozen=True)
class Saved:
    """What was saved against all cold searches together.

    Attributes:
        trials: Median number of trials; None without cold searches, or if half of them or more
            ended at a level that was never reached.
        hours: Median of the hours; None if a level was never reached or the cost is not known.
        interval: Student's 95 % interval of the mean number of trials over the cold searches; None
            if a level was never reached, or with fewer than `FEWEST_SEARCHES`.
    """

    trials: float | None = None
    hours: float | None = None
    interval: tuple[float, float] | None = None


def compare_with_cold(
    cold: Search, theirs: Progress, mine: Progress, cost: Cost | None
) -> Comparison:
    """Counts the trials of both searches to the level that the cold search ended with."""
    level = theirs.levels[-1]
    by_itself = theirs.trials_to(level)
    assert by_itself is not None  # a cold search has a complete trial, beyond the reference
    reached = mine.trials_to(level)
    hours = None
    if reached is not None and cost is not None:
        hours = cost.hours(theirs.seconds[by_itself - 1] - mine.seconds[reached - 1])
    return Comparison(
        search=cold.id,
        level=level,
        cold_trials=len(theirs.levels),
        cold_reached=by_itself,
        cold_epochs=theirs.epochs[by_itself - 1],
        reached=reached,
        epochs=None if reached is None else mine.epochs[reached - 1],
        trials_saved=None if reached is None else by_itself - reached,
        hours_saved=hours,
    )


def saved_over(comparisons: Sequence[Comparison]) -> Saved:
    """Summarizes what was saved over all comparisons."""
    counts = [each.trials_saved for each in comparisons if each.trials_saved is not None]
    never = [-math.inf] * (len(comparisons) - len(counts))
    middle = median([*counts, *never]) if comparisons else -math.inf
    if not math.isfinite(middle):
        return Saved()
    hours = [each.hours_saved for each in comparisons if each.hours_saved is not None]
    middle_hours = median(hours) if len(hours) == len(comparisons) else None
    # A level that was never reached has no number of trials: with one, there is no mean.
    if never or len(counts) < FEWEST_SEARCHES:
        return Saved(float(middle), middle_hours)
    center, spread = mean(counts), max(stdev(counts), ROUNDING)
    half = float(student.ppf(0.975, len(counts) - 1)) * spread / math.sqrt(len(counts))
    return Saved(float(middle), middle_hours, (center - half, center + half))


def cold_sentence(
    trials: int, comparisons: Sequence[Comparison], saved: Saved, cost: Cost | None
) -> str:
    """A sentence on one or more comparisons of a search with this many trials."""
    if len(comparisons) == 1:
        return _sentence_of_one(trials, comparisons[0], cost)
    counts = sorted(each.trials_saved for each in comparisons if each.trials_saved is not None)
    text = (
        f"This search reached the final level of {len(counts) or 'none'} of {len(comparisons)} "
        f"cold searches of this task"
    )
    if saved.trials is None:
        return f"{text}, so at the median no trial was saved."
    text = f"{text}; at the median it {saved_in_words(saved.trials, saved.hours, cost)}"
    if saved.interval is not None:
        low, high = saved.interval
        text += (
            f" ({counts[0]:+d} to {counts[-1]:+d} over the {len(counts)}; mean {mean(counts):+.1f},"
            f" 95 % t-interval {low:+.1f} to {high:+.1f})"
        )
    return text + "."


def _sentence_of_one(trials: int, only: Comparison, cost: Cost | None) -> str:
    theirs = (
        f"the level that the cold search {only.search} reached after {only.cold_reached} of "
        f"its {counted(only.cold_trials, 'trial')} ({counted(only.cold_epochs, 'epoch')})"
    )
    if only.reached is None or only.epochs is None or only.trials_saved is None:
        return f"In {counted(trials, 'trial')} this search did not reach {theirs}."
    return (
        f"This search needed {counted(only.reached, 'trial')} ({counted(only.epochs, 'epoch')}) to "
        f"reach {theirs}: it {saved_in_words(only.trials_saved, only.hours_saved, cost)}."
    )


def cold_caveats(this: Search, colds: Sequence[Search], given: int) -> tuple[str, ...]:
    """What weakens the comparison, a sentence each; `given` counts trials of the user's own."""
    texts = []
    if given:
        theirs = counted(given, "configuration")
        texts.append(f"This search was given {theirs} to try first, which are not from history.")
    if not this.warm:
        texts.append("This search started cold too, so the difference does not come from history.")
    if len(colds) == 1:
        texts.append("This compares just two searches, so the difference may be due to chance.")
    elif len(colds) < FEWEST_SEARCHES:
        texts.append(f"{len(colds)} cold searches are too few to state a range.")
    else:
        texts.append("This search was run once: the range is that of the cold searches alone.")
    epochs = {cold.epochs for cold in colds}
    if epochs != {this.epochs}:
        theirs = ", ".join(str(each) for each in sorted(epochs))
        texts.append(
            f"A full trial trained for {counted(this.epochs, 'epoch')} here and for {theirs} "
            f"there, so trials differ in cost."
        )
    return tuple(texts)

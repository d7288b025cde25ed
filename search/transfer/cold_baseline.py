"""One search against the earlier cold searches of its task: trials to where each of them ended.

Not a test of significance of this search: it is one run. The interval is over the cold searches.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, median, stdev

from scipy.stats import t as student

from search.history import Search
from search.transfer.costs import Cost, saved_in_words
from search.transfer.progress import Progress

# Fewer cold searches than this support no range and no interval.
FEWEST_SEARCHES = 3
# Trials are whole numbers, so even searches that agree leave the rounding: a uniform error of one.
ROUNDING = 1 / math.sqrt(12)


@dataclass(frozen=True)
class Comparison:
    """This search against one cold search.

    Attributes:
        search: Id of the cold search.
        level: Hypervolume the cold search ended with.
        cold_trials: Trials it had in all.
        cold_reached: Trials after which it had reached its end level itself.
        cold_epochs: Epochs it had trained by then.
        reached: Trials after which this search had reached that level; None if never.
        epochs: Epochs this search had trained by then; None if never.
        trials_saved: `cold_reached - reached`; negative if this search took longer.
        hours_saved: The same in GPU-hours, or CPU-hours without a GPU, both sides at this search's
            resources a trial; None if never reached, or if these are not known.
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
        trials: Median; None without cold searches, or if half of them or more ended at a level
            that was never reached.
        hours: Their median; None if any level was never reached or the cost is not known.
        average: Mean number of trials, where every level was reached, of `FEWEST_SEARCHES` or more.
        interval: Student's 95 % interval of that mean over the cold searches.
    """

    trials: float | None = None
    hours: float | None = None
    average: float | None = None
    interval: tuple[float, float] | None = None


def compare_with_cold(
    cold: Search, theirs: Progress, mine: Progress, cost: Cost | None
) -> Comparison:
    """Counts both sides' trials to the level that the cold search ended with."""
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
    """What was saved over all comparisons."""
    counts = [each.trials_saved for each in comparisons if each.trials_saved is not None]
    never = [-math.inf] * (len(comparisons) - len(counts))
    middle = median([*counts, *never]) if comparisons else -math.inf
    if not math.isfinite(middle):
        return Saved()
    hours = [each.hours_saved for each in comparisons if each.hours_saved is not None]
    price = median(hours) if len(hours) == len(comparisons) else None
    # A level that was never reached has no number of trials: with one, there is no mean.
    if never or len(counts) < FEWEST_SEARCHES:
        return Saved(float(middle), price)
    center, spread = mean(counts), max(stdev(counts), ROUNDING)
    half = float(student.ppf(0.975, len(counts) - 1)) * spread / math.sqrt(len(counts))
    return Saved(float(middle), price, float(center), (center - half, center + half))


def cold_sentence(
    trials: int, comparisons: Sequence[Comparison], saved: Saved, cost: Cost | None
) -> str:
    """What the comparisons say; there must be one at least."""
    if len(comparisons) == 1:
        return _sentence_of_one(trials, comparisons[0], cost)
    reached = sum(each.reached is not None for each in comparisons)
    text = (
        f"This search reached the end level of {reached or 'none'} of {len(comparisons)} cold "
        f"searches of this task"
    )
    if saved.trials is None:
        return f"{text}, so at the median no trial was saved."
    numbers = sorted(each.trials_saved for each in comparisons if each.trials_saved is not None)
    text = f"{text}; at the median it {saved_in_words(saved.trials, saved.hours, cost)}"
    if reached == len(comparisons) >= FEWEST_SEARCHES:
        text += f", between {numbers[0]:+d} and {numbers[-1]:+d} over the {reached}"
    if saved.interval is not None and saved.average is not None:
        low, high = saved.interval
        text += f" (mean {saved.average:+.1f}, 95 % t-interval {low:+.1f} to {high:+.1f})"
    return text + "."


def _sentence_of_one(trials: int, only: Comparison, cost: Cost | None) -> str:
    theirs = (
        f"what the cold search {only.search} had after {only.cold_reached} of its "
        f"{only.cold_trials} trials ({only.cold_epochs} epochs)"
    )
    if only.reached is None or only.trials_saved is None:
        return f"In {trials} trials this search did not reach {theirs}."
    return (
        f"After {only.reached} trials ({only.epochs} epochs) this search had {theirs}: it "
        f"{saved_in_words(only.trials_saved, only.hours_saved, cost)}."
    )


def cold_caveats(this: Search, colds: Sequence[Search]) -> tuple[str, ...]:
    """What makes the comparison weaker than it looks, a sentence each."""
    texts = []
    if not this.warm:
        texts.append("This search started cold itself, so the difference owes nothing to history.")
    if len(colds) == 1:
        texts.append("It is one run against one run: chance alone can make such a difference.")
    elif len(colds) < FEWEST_SEARCHES:
        texts.append(f"{len(colds)} cold searches are too few to state a range.")
    else:
        texts.append("It is one run of this search: the range is that of the cold searches alone.")
    epochs = {cold.epochs for cold in colds}
    if epochs != {this.epochs}:
        theirs = ", ".join(str(each) for each in sorted(epochs))
        texts.append(
            f"A full trial trained {this.epochs} epochs here and {theirs} there, so trials are "
            f"not of one price."
        )
    return tuple(texts)

"""Did history help? Compares one search with the earlier cold searches of its task.

First version: it counts how many trials each side needed to reach the level at which the cold
search ended. Not a test of significance: mostly it is one run against one run, and says so. What
warm starts are worth on average is for `benchmarks/` to measure.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median

import numpy as np

from search.extract.measurements import measure
from search.history import History, Search
from search.transfer.progress import (
    REFERENCE_RULE,
    Progress,
    cold_searches,
    find_search,
    progress,
    reference_point,
    trials_of,
)

# Fewer cold searches than this support no range.
FEWEST_SEARCHES = 3


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
    """

    search: str
    level: float
    cold_trials: int
    cold_reached: int
    cold_epochs: int
    reached: int | None
    epochs: int | None
    trials_saved: int | None


@dataclass(frozen=True)
class Verdict:
    """What the comparison says.

    Attributes:
        reference: The point that bounds the hypervolume, one value an objective, in the
            objectives' own units; empty without complete trials.
        level: Hypervolume this search ended with.
        trials_saved: Median over the cold searches; None if there are none, or if half of them
            or more ended at a level that was never reached.
        caveats: What makes the comparison weaker than it looks, one sentence each.
        sentence: All of it for a person.
    """

    search: str
    is_warm: bool
    objectives: tuple[str, ...]
    trials: int
    reference: tuple[float, ...]
    reference_rule: str
    level: float
    comparisons: tuple[Comparison, ...]
    trials_saved: float | None
    caveats: tuple[str, ...]
    sentence: str

    def to_json(self) -> str:
        """The verdict as JSON."""
        return json.dumps(asdict(self), indent=2)


def verdict(history: History, search: str) -> Verdict:
    """Compares a search with the earlier cold searches of its task.

    Raises:
        ValueError: History does not know the search.
    """
    this = find_search(history, search)
    colds = cold_searches(history, search)
    trials = trials_of(history, search)
    own = measure(trials, this.objectives, this.directions)
    others = {cold.id: trials_of(history, cold.id) for cold in colds}
    parts = [own, *(measure(each, this.objectives, this.directions) for each in others.values())]
    losses = np.vstack([part.losses for part in parts])
    if not len(losses):
        return _verdict(this, len(trials), (), 0.0, ())
    point = reference_point(losses)
    mine = progress(trials, this, point)
    comparisons = tuple(
        _compare(cold, progress(others[cold.id], this, point), mine) for cold in colds
    )
    signs = [1.0 if direction == "minimize" else -1.0 for direction in this.directions]
    reference = tuple(float(each) for each in point * np.array(signs))
    level = mine.levels[-1] if mine.levels else 0.0
    caveats = _caveats(this, colds) if comparisons and len(own) else ()
    return _verdict(this, len(trials), reference, level, comparisons, caveats, bool(len(own)))


def _compare(cold: Search, theirs: Progress, mine: Progress) -> Comparison:
    level = theirs.levels[-1]
    by_itself = theirs.trials_to(level)
    assert by_itself is not None  # a cold search has a complete trial, beyond the reference
    reached = mine.trials_to(level)
    return Comparison(
        search=cold.id,
        level=level,
        cold_trials=len(theirs.levels),
        cold_reached=by_itself,
        cold_epochs=theirs.epochs[by_itself - 1],
        reached=reached,
        epochs=None if reached is None else mine.epochs[reached - 1],
        trials_saved=None if reached is None else by_itself - reached,
    )


def _verdict(
    this: Search,
    trials: int,
    reference: tuple[float, ...],
    level: float,
    comparisons: tuple[Comparison, ...],
    caveats: tuple[str, ...] = (),
    is_measured: bool = False,
) -> Verdict:
    saved: float | None = None
    if comparisons:
        middle = median(
            -math.inf if each.trials_saved is None else each.trials_saved for each in comparisons
        )
        saved = float(middle) if math.isfinite(middle) else None
    sentence = _sentence(trials, comparisons, saved, is_measured)
    return Verdict(
        search=this.id,
        is_warm=this.warm,
        objectives=this.objectives,
        trials=trials,
        reference=reference,
        reference_rule=REFERENCE_RULE,
        level=level,
        comparisons=comparisons,
        trials_saved=saved,
        caveats=caveats,
        sentence=" ".join([sentence, *caveats]),
    )


def _sentence(
    trials: int, comparisons: Sequence[Comparison], saved: float | None, is_measured: bool
) -> str:
    if not is_measured:
        return "No trial of this search is complete, so there is nothing to judge."
    if not comparisons:
        return "There is no cold search of this task to compare with."
    if len(comparisons) == 1:
        return _sentence_of_one(trials, comparisons[0])
    reached = sum(each.reached is not None for each in comparisons)
    text = (
        f"This search reached the end level of {reached or 'none'} of {len(comparisons)} cold "
        f"searches of this task"
    )
    if saved is None:
        return f"{text}, so at the median no trial was saved."
    numbers = sorted(each.trials_saved for each in comparisons if each.trials_saved is not None)
    text = f"{text}; at the median it {_saved(saved)}"
    if reached == len(comparisons) >= FEWEST_SEARCHES:
        text += f", between {numbers[0]:+d} and {numbers[-1]:+d} over the {reached}"
    return text + "."


def _sentence_of_one(trials: int, only: Comparison) -> str:
    theirs = (
        f"what the cold search {only.search} had after {only.cold_reached} of its "
        f"{only.cold_trials} trials ({only.cold_epochs} epochs)"
    )
    if only.reached is None or only.trials_saved is None:
        return f"In {trials} trials this search did not reach {theirs}."
    return (
        f"After {only.reached} trials ({only.epochs} epochs) this search had {theirs}: it "
        f"{_saved(only.trials_saved)}."
    )


def _saved(number: float) -> str:
    if number == 0:
        return "saved no trial"
    unit = "trial" if abs(number) == 1 else "trials"
    return f"{'saved' if number > 0 else 'lost'} {abs(number):g} {unit}"


def _caveats(this: Search, colds: Sequence[Search]) -> tuple[str, ...]:
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

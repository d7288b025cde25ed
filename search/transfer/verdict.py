"""Did history help? What a search saved against cold searches, and how well that is known.

There are two kinds of evidence, the better one first: earlier cold searches of the same task
(cold_baseline.py), and this search's own control arm (control_arm.py). Without either, the verdict
says how to get one. The guard's record (guard_record.py) is added. Not a test of significance of
warm starts: their average effect is measured in `benchmarks/`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

import numpy as np

from search.history import History, Search, Trial
from search.objectives.roles import judging_indices
from search.transfer.cold_baseline import (
    Comparison,
    cold_caveats,
    cold_sentence,
    compare_with_cold,
    saved_over,
)
from search.transfer.control_arm import ArmsComparison, arms_sentence, compare_arms
from search.transfer.costs import Cost
from search.transfer.guard_record import GuardRecord, guard_record, guard_sentence
from search.transfer.objective_text import conditions
from search.transfer.progress import REFERENCE_RULE, compared, find_search, given, trials_of

NOTHING = "No trial of this search is complete, so there is nothing to compare."
NO_COLD = "There is no earlier cold search of this task to compare with."
ALL_GIVEN = "All configurations of this search were given to it, so it says nothing about history."
NO_EVIDENCE = (
    "There is nothing to compare with; fix: run the spec once with --cold, or with a control arm "
    "(--set sampler.options.control=5)."
)


@dataclass(frozen=True)
class Verdict:
    """The result of the comparison.

    Attributes:
        reference: The point that bounds the hypervolume, one value an objective, in the
            objectives' own units; empty without complete trials.
        level: Hypervolume this search ended with.
        trials_saved: Median over the cold searches; None if there are none, or if half of them
            or more ended at a level that this search never reached.
        hours_saved: The same in `hours_unit`; None too if the cost of a trial is not known.
        interval: 95 % interval of the mean number of trials saved, over the cold searches; None
            with fewer than three, or if a level was never reached.
        hours_unit: "GPU-hours", "core-hours", or "".
        control: The control arm against the rest; None if there was none.
        guard: What the guard did.
        caveats: What weakens the comparison, one sentence each.
        sentence: The verdict in words.
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
    hours_saved: float | None = None
    interval: tuple[float, float] | None = None
    hours_unit: str = ""
    control: ArmsComparison | None = None
    guard: GuardRecord = field(default_factory=GuardRecord)

    def to_json(self) -> str:
        """The verdict as JSON."""
        return json.dumps(asdict(self), indent=2, allow_nan=False)


def verdict(history: History, search: str, cost: Cost | None = None) -> Verdict:
    """Compares a search with the best evidence available.

    Args:
        history: The trials of this search and the earlier ones.
        search: Id of the search.
        cost: What one trial occupies; without it the verdict gives no hours.

    Raises:
        ValueError: history does not contain the search.
    """
    this, trials = find_search(history, search), trials_of(history, search)
    found, guard = compared(history, this), guard_record(trials)
    is_all_given = bool(trials) and given(trials) == len(trials)
    reference: tuple[float, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    caveats: tuple[str, ...] = ()
    level, control, texts = 0.0, None, []
    if found is not None:
        level = max(found.mine.levels, default=0.0)
        maximized = [this.objectives[i].is_maximized for i in judging_indices(this.objectives)]
        reference = tuple(np.where(maximized, -found.reference, found.reference).tolist())
        colds = () if is_all_given else found.theirs
        comparisons = tuple(
            compare_with_cold(cold, theirs, found.mine, cost) for cold, theirs in colds
        )
    saved, counting = saved_over(comparisons), " ".join(conditions(this))
    rule = REFERENCE_RULE + (f", of those that count: {counting}" if counting else "")
    if found is not None and level > 0:
        control = compare_arms(trials, this, cost)
        if comparisons:
            caveats = cold_caveats(this, [cold for cold, _ in found.theirs], given(trials))
            texts += [cold_sentence(len(trials), comparisons, saved, cost), *caveats]
        if control is not None:
            texts.append(arms_sentence(control, cost))
        none = ALL_GIVEN if is_all_given else NO_EVIDENCE if this.warm else NO_COLD
        texts = [*(texts or [none]), guard_sentence(guard)]
    return Verdict(
        search=this.id, is_warm=this.warm, objectives=this.metrics, trials=len(trials),
        reference=reference, reference_rule=rule, level=level,
        comparisons=comparisons, trials_saved=saved.trials, caveats=caveats,
        sentence=" ".join(filter(None, texts)) or _nothing(this, trials),
        hours_saved=saved.hours, interval=saved.interval,
        hours_unit=f"{cost.unit}-hours" if cost else "", control=control, guard=guard,
    )  # fmt: skip


def _nothing(this: Search, trials: Sequence[Trial]) -> str:
    counting = " and ".join(conditions(this))
    if not counting or not any(trial.state == "complete" for trial in trials):
        return NOTHING
    return f"No complete trial of this search counts ({counting}), so there is nothing to compare."

"""Did history help? The end of a search: what it saved against cold, and how that is known.

Two kinds of evidence, the better one first: earlier cold searches of the same task
(cold_baseline.py), and this search's own control arm (control_arm.py). Without either the verdict
says how to get one. Beside them stands what the guard did (guard_record.py). Not a test of
significance of warm starts: what they are worth on average is for `benchmarks/` to measure.
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
    Saved,
    cold_caveats,
    cold_sentence,
    compare_with_cold,
    saved_over,
)
from search.transfer.control_arm import ArmsComparison, arms_sentence, compare_arms
from search.transfer.costs import Cost
from search.transfer.guard_record import GuardRecord, guard_record, guard_sentence
from search.transfer.objective_text import conditions
from search.transfer.progress import REFERENCE_RULE, compared, find_search, trials_of

NOTHING = "No trial of this search is complete, so there is nothing to judge."
NO_COLD = "There is no cold search of this task to compare with."
NO_EVIDENCE = (
    "There is nothing to compare with; run it once with --cold, or with a control arm "
    "(--set sampler.options.control=5)."
)


@dataclass(frozen=True)
class Verdict:
    """What the comparison says.

    Attributes:
        reference: The point that bounds the hypervolume, one value an objective, in the
            objectives' own units; empty without complete trials.
        level: Hypervolume this search ended with.
        trials_saved: Median over the cold searches; None if there are none, or if half of them
            or more ended at a level that was never reached.
        hours_saved: The same in `hours_unit`; None too if the cost of a trial is not known.
        interval: 95 % interval of the mean number of trials saved, over the cold searches; None
            with fewer than three, or if a level was never reached.
        hours_unit: "GPU-hours", "CPU-hours", or "".
        control: The control arm against the rest; None if there was none.
        guard: What the guard did.
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
    hours_saved: float | None = None
    interval: tuple[float, float] | None = None
    hours_unit: str = ""
    control: ArmsComparison | None = None
    guard: GuardRecord = field(default_factory=GuardRecord)

    def to_json(self) -> str:
        """The verdict as JSON."""
        return json.dumps(asdict(self), indent=2, allow_nan=False)


@dataclass(frozen=True)
class _Evidence:
    """What is known, before it is put in words."""

    reference: tuple[float, ...] = ()
    level: float = 0.0
    comparisons: tuple[Comparison, ...] = ()
    caveats: tuple[str, ...] = ()
    control: ArmsComparison | None = None


def verdict(history: History, search: str, cost: Cost | None = None) -> Verdict:
    """Judges a search by the best evidence there is.

    Args:
        history: The trials of this search and the earlier ones.
        search: Its id.
        cost: What one trial occupies; without it nothing is said of hours.

    Raises:
        ValueError: History does not know the search.
    """
    this = find_search(history, search)
    trials = trials_of(history, search)
    evidence = _evidence(history, this, trials, cost)
    saved = saved_over(evidence.comparisons)
    done = guard_record(trials)
    return Verdict(
        search=this.id,
        is_warm=this.warm,
        objectives=this.metrics,
        trials=len(trials),
        reference=evidence.reference,
        reference_rule=_reference_rule(this),
        level=evidence.level,
        comparisons=evidence.comparisons,
        trials_saved=saved.trials,
        caveats=evidence.caveats,
        sentence=_sentence(evidence, saved, done, cost, this.warm, len(trials))
        if evidence.level > 0
        else _nothing(this, trials),
        hours_saved=saved.hours,
        interval=saved.interval,
        hours_unit=f"{cost.unit}-hours" if cost else "",
        control=evidence.control,
        guard=done,
    )


def _evidence(
    history: History,
    this: Search,
    trials: Sequence[Trial],
    cost: Cost | None,
) -> _Evidence:
    found = compared(history, this)
    if found is None:
        return _Evidence()
    colds = [cold for cold, _ in found.theirs]
    level = found.mine.levels[-1] if found.mine.levels else 0.0
    has_own = level > 0
    comparisons = tuple(
        compare_with_cold(cold, theirs, found.mine, cost) for cold, theirs in found.theirs
    )
    judging = judging_indices(this.objectives)
    signs = [-1.0 if this.objectives[index].is_maximized else 1.0 for index in judging]
    control = compare_arms(trials, this, cost) if has_own else None
    return _Evidence(
        reference=tuple(float(each) for each in found.reference * np.array(signs)),
        level=level,
        comparisons=comparisons,
        caveats=cold_caveats(this, colds) if comparisons and has_own else (),
        control=control,
    )


def _reference_rule(this: Search) -> str:
    counting = " ".join(conditions(this))
    return REFERENCE_RULE + (f", of those that count: {counting}" if counting else "")


def _nothing(this: Search, trials: Sequence[Trial]) -> str:
    if not any(trial.state == "complete" for trial in trials) or not conditions(this):
        return NOTHING
    counting = " and ".join(conditions(this))
    return f"No complete trial of this search counts ({counting}), so there is nothing to judge."


def _sentence(
    evidence: _Evidence,
    saved: Saved,
    done: GuardRecord,
    cost: Cost | None,
    is_warm: bool,
    trials: int,
) -> str:
    parts = []
    if evidence.comparisons:
        parts += [cold_sentence(trials, evidence.comparisons, saved, cost), *evidence.caveats]
    if evidence.control is not None:
        parts.append(arms_sentence(evidence.control, cost))
    if not parts:
        parts.append(NO_EVIDENCE if is_warm else NO_COLD)
    return " ".join(part for part in [*parts, guard_sentence(done)] if part)

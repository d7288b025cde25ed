"""The goals of the transfer benchmark, a line each, and whether they hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.harness.statistics import Estimate
from benchmarks.transfer.comparisons import difference, level, ratio, trials_to_cold
from benchmarks.transfer.curves import StoredCurves
from benchmarks.transfer.scenarios import MISLEADING

# A 113-line recipe, as published in the README of the recorded searches; it was not run here.
RECIPE = {5: 0.095, 10: 0.079, 20: 0.058, 50: 0.037, 100: 0.027}
RECIPE_TRIALS_TO_COLD = 54
# Cold TPE's regret after 100 trials, published with it.
PUBLISHED_COLD = 0.035
MISLEADING_SEEDS = 30
ALLOWED_HARM = 0.01
CHECKED_AT = (20, 50, 100)


@dataclass(frozen=True)
class Gate:
    """One goal.

    Attributes:
        goal: As text.
        limit: What the measured value must not exceed.
        measured: With its interval.
        is_upper: Whether the interval's upper end must be within the limit, not just the value.
        seeds: How many were run.
        needed: How many the goal asks for.
    """

    goal: str
    limit: float
    measured: Estimate
    is_upper: bool
    seeds: int
    needed: int = 10

    @property
    def verdict(self) -> str:
        """Return whether the goal holds, and whether its interval is within the limit too."""
        middle, _, high = self.measured
        if self.seeds < self.needed:
            return f"not decided: {self.seeds} of {self.needed} seeds"
        if self.is_upper:
            return "holds" if high <= self.limit else "**does not hold**"
        if middle > self.limit:
            return "**does not hold**"
        return "holds, interval included" if high <= self.limit else "holds, interval not"


def gates(curves: StoredCurves) -> list[Gate]:
    """Return every goal that there are results for."""
    return [*_related(curves), *_two(curves), *_misleading(curves), *_without(curves)]


def _related(curves: StoredCurves) -> Iterator[Gate]:
    pair, cold = curves.pair("twentieth", "tpe", "related"), curves.get("tpe", "none")
    if pair is None or cold is None:
        return
    count = pair[0].shape[1]
    # Cold TPE is weaker on our seeds than published, which makes the goal easier; so it is also set
    # where it was published, every task's by the same factor.
    published = cold.values * (PUBLISHED_COLD / cold.values[..., -1].mean())
    reached = level(pair[0], 20)
    for goal, measured in (
        ("cold TPE of the same seeds", trials_to_cold(*pair)),
        ("cold TPE as published, .035", trials_to_cold(pair[0], published)),
    ):
        text = f"trials to cold@100 ({goal})"
        yield Gate(f"{text}: fewer than the recipe's published {RECIPE_TRIALS_TO_COLD}, "
                   "interval too", RECIPE_TRIALS_TO_COLD - 0.5, measured, True, count)  # fmt: skip
        yield Gate(f"{text}: at most 30", 30, measured, False, count)
    yield Gate("regret@20 below the recipe's published .058, interval too", 0.058, reached, True,
               count)  # fmt: skip
    yield Gate("regret@20 at most .045", 0.045, reached, False, count)
    for trial in (20, 100):
        yield Gate(f"half of cold TPE's regret @{trial}, same seeds", 0.5, ratio(*pair, trial),
                   False, count)  # fmt: skip


def _two(curves: StoredCurves) -> Iterator[Gate]:
    own = curves.get("twentieth", "two")
    if own is None:
        return
    for trial, limit in ((20, 0.25), (100, 0.12)):
        yield Gate(f"two objectives: lost hypervolume @{trial} at most {limit}", limit,
                   level(own.values, trial), False, len(own.seeds))  # fmt: skip


def _misleading(curves: StoredCurves) -> Iterator[Gate]:
    for scenario in MISLEADING:
        pair = curves.pair("twentieth", "tpe", scenario)
        if pair is None:
            continue
        for trial in CHECKED_AT:
            yield Gate(f"{scenario}: regret less cold TPE's @{trial}, upper bound at most .01",
                       ALLOWED_HARM, difference(*pair, trial), True, pair[0].shape[1],
                       MISLEADING_SEEDS)  # fmt: skip


def _without(curves: StoredCurves) -> Iterator[Gate]:
    """Compare with the better of cold TPE and GP at that trial, on the seeds of both."""
    rivals = curves.pair("gp", "tpe", "none")
    for trial in CHECKED_AT:
        if rivals is None:
            return
        gp, tpe = (each[..., trial - 1].mean() for each in rivals)
        best = "gp" if gp < tpe else "tpe"
        pair = curves.pair("twentieth-cold", best, "none")
        if pair is not None:
            yield Gate(f"no history: regret less that of the better of cold TPE and GP ({best}) "
                       f"@{trial}, upper bound at most .01", ALLOWED_HARM,
                       difference(*pair, trial), True, pair[0].shape[1],
                       MISLEADING_SEEDS)  # fmt: skip

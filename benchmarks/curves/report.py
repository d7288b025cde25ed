"""The report of the curves benchmark: tables of relative cost, and paired differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.curves.costs import GOALS, Goal
from benchmarks.harness import provenance, tables
from benchmarks.harness.statistics import Floats, bootstrap

# A method: history, number of earlier searches, stopping.
Method = tuple[str, int, str]


def report(
    costs: Mapping[Method, Mapping[int, Floats]],
    goals: Mapping[int, Mapping[str, Goal]],
    first: int,
    command: str,
) -> None:
    """Write results/reference/curves.md and .json.

    Args:
        costs: By method and goal, one a sequence; the first method is what others are paired to.
        goals: By the number of cold trials that set them.
        first: The number of the first sequence.
        command: What was typed.
    """
    count = len(next(iter(costs.values()))[GOALS[0]])
    own = {n: float(np.mean([g.own for g in each.values()])) for n, each in goals.items()}
    trials = {
        n: float(np.mean([g.epochs for g in each.values()])) / 50 for n, each in goals.items()
    }
    body = [
        "# What a warm search costs in epochs", "",
        f"{count} sequences on TaskSet's recorded learning curves, each of the 12 tasks equally "
        "often the target. Epochs of all trials until one shows the value that cold TPE has after "
        f"{GOALS[0]} ({GOALS[1]}) full trials, by cold TPE's mean ({trials[GOALS[0]]:.1f} and "
        f"{trials[GOALS[1]]:.1f} trials), at most 1. Cold TPE itself: {own[GOALS[0]]:.2f} and "
        f"{own[GOALS[1]]:.2f}. Means with 95 % bootstrap intervals over sequences.", "",
        *tables.table(
            ["history", "earlier searches", "early stopping",
             *(text for n in GOALS for text in (f"mean at {n}", "median", "never")),
             f"less the first, at {GOALS[0]}"],
            _rows(costs),
        ),
    ]  # fmt: skip
    raw: dict[str, Any] = {
        "costs": {" ".join(map(str, method)): {str(n): values.round(4).tolist()
                  for n, values in each.items()} for method, each in costs.items()},
        "goals": {str(n): {task: [goal.loss, goal.epochs] for task, goal in each.items()}
                  for n, each in goals.items()},
    }  # fmt: skip
    seeds = f"sequences {first} to {first + count - 1}; all seeds follow from the number"
    provenance.write("curves", body, raw, command=command, seeds=seeds)


def _rows(costs: Mapping[Method, Mapping[int, Floats]]) -> Sequence[Sequence[Any]]:
    start = next(iter(costs.values()))[GOALS[0]]
    rows = []
    for place, (method, each) in enumerate(costs.items()):
        cells = []
        for goal in GOALS:
            values = each[goal]
            mean = tables.with_interval(bootstrap(values, np.mean))
            cells += [mean, f"{np.median(values):.3f}", int((values >= 1).sum())]
        gap = bootstrap(each[GOALS[0]] - start, np.mean)
        rows.append([*method, *cells, tables.with_interval(gap) if place else ""])
    return rows

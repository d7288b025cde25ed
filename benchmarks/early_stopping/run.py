"""Replays the real scheduler on recorded learning curves, in random orders of the trials."""

from __future__ import annotations

import bisect
import heapq
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchmarks.early_stopping.curves import CONFIGURATIONS, Curve
from search.objectives import Objective, pareto
from search.optimize.scheduler import MultiObjectiveASHA
from search.spec import Spec

ORDERS, WORKERS = 200, 2
REFERENCE_POINT = (0.5, 0.0)  # clean, robust
GOALS = (Objective("clean", "maximize"), Objective("robust", "maximize"))
METHODS = ("both objectives", "clean accuracy alone", "no early stopping", "both, grace 5")
# Looked at after the others had been seen, and marked so in the report: no claim rests on it.
EXPLORED = METHODS[3]
LATER_GRACE = 5
GRACE, REDUCTION = 3, 3  # the defaults of a spec


def replay(
    spec: Spec, recorded: Sequence[Curve], order: Sequence[int], method: str
) -> list[tuple[int, int]]:
    """Run trials in this order on asynchronous workers.

    Returns:
        (epochs spent by all workers so far, trial) for every trial that ran to its end.
    """
    epochs = spec.budget.epochs
    metrics = list(recorded[0].seen[0])
    count = 1 if method == "clean accuracy alone" else 2
    grace = LATER_GRACE if method == EXPLORED else GRACE
    scheduler = MultiObjectiveASHA(
        [Objective(metric, "maximize") for metric in metrics[:count]], grace, epochs,
        reduction_factor=REDUCTION,
    )  # fmt: skip
    waiting, spent, finished = list(order), 0, []
    # (time at which the epoch ends, trial, epoch)
    running = [(recorded[n].seconds[0], n, 1) for n in waiting[:WORKERS]]
    del waiting[:WORKERS]
    heapq.heapify(running)
    while running:
        now, number, epoch = heapq.heappop(running)
        curve, spent = recorded[number], spent + 1
        is_last = epoch == len(curve.seen)
        result = {"epoch": epoch, **curve.seen[epoch - 1]}
        trial = SimpleNamespace(trial_id=f"trial{number}")
        # Ray asks a scheduler nothing about a trial's last result: the trial has ended.
        is_stopped = (
            method != "no early stopping"
            and not is_last
            and scheduler.on_trial_result(None, trial, result) == scheduler.STOP
        )
        if is_last and epoch == epochs:
            finished.append((spent, number))
        if not (is_last or is_stopped):
            heapq.heappush(running, (now + curve.seconds[epoch], number, epoch + 1))
        elif waiting:
            following = waiting.pop(0)
            heapq.heappush(running, (now + recorded[following].seconds[0], following, 1))
    return [*finished, (spent, -1)]


def scores(recorded: Sequence[Curve], numbers: Sequence[int]) -> tuple[float, float, int]:
    """Return the hypervolume of complete trials (validation; test of the front), and how many."""
    losses = pareto.losses([recorded[n].values for n in numbers], GOALS)
    point = pareto.losses([REFERENCE_POINT], GOALS)[0]
    chosen = [n for n, is_best in zip(numbers, pareto.front(losses), strict=True) if is_best]
    test = pareto.losses([recorded[n].test for n in chosen], GOALS)
    return pareto.hypervolume(losses, point), pareto.hypervolume(test, point), len(numbers)


def scores_at(
    recorded: Sequence[Curve], finished: Sequence[tuple[int, int]], budgets: Sequence[int]
) -> list[tuple[float, float, int]]:
    """Return the scores of what was complete within each budget."""
    ends = [spent for spent, number in finished if number >= 0]
    numbers = [number for _, number in finished if number >= 0]
    after = [scores(recorded, numbers[:count]) for count in range(len(numbers) + 1)]
    return [after[bisect.bisect_right(ends, budget)] for budget in budgets]


def compare(spec: Spec, recorded: Sequence[Curve]) -> dict[str, Any]:
    """Replay all methods on the same orders; scores of shape (orders, budgets) by method."""
    every = list(range(5, 15 * CONFIGURATIONS + 1, 5))
    generator = np.random.default_rng(0)
    orders = [generator.permutation(len(recorded)).tolist() for _ in range(ORDERS)]
    found: dict[str, Any] = {"epochs": every}
    for method in METHODS:
        runs = [replay(spec, recorded, order, method) for order in orders]
        volumes = np.array([scores_at(recorded, run, every) for run in runs])
        found[method] = {
            "validation": volumes[..., 0], "test": volumes[..., 1], "complete": volumes[..., 2],
            "exhausted": np.array([run[-1][0] for run in runs]),
        }  # fmt: skip
    return found

"""What the inheritance benchmark compares: everything is paired by target and seed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.harness.statistics import Estimate, mean_interval
from benchmarks.inheritance.cells import BOTH, CONTROL, HISTORY, SCRATCH, SHUFFLED, Cell
from benchmarks.inheritance.training import OBJECTIVE

ARMS = (SCRATCH, HISTORY, BOTH, CONTROL)
CONTRASTS = (
    (HISTORY, SCRATCH), (BOTH, SCRATCH), (BOTH, HISTORY), (CONTROL, SCRATCH), (BOTH, CONTROL),
)  # fmt: skip

Pair = tuple[str, int]  # target, seed
Records = Mapping[Cell, Mapping[str, Any]]
Values = Mapping[str, Mapping[Pair, float]]


def arm_name(arm: str) -> str:
    """Return an arm's name for people."""
    return arm.replace("_", " ")


def differences(values: Values, arm: str, other: str) -> dict[Pair, float]:
    """Return `arm` less `other` wherever both are known, in the order of the pairs."""
    mine, theirs = values.get(arm, {}), values.get(other, {})
    return {pair: mine[pair] - theirs[pair] for pair in sorted(mine.keys() & theirs.keys())}


def intervals(apart: Mapping[Pair, float]) -> tuple[Estimate, Estimate]:
    """Return the mean difference and its 95 % interval, over pairs and over targets' means.

    Seeds of a target share its data and are not independent, so the second is the safe one.
    """
    targets: dict[str, list[float]] = {}
    for (target, _), difference in apart.items():
        targets.setdefault(target, []).append(difference)
    means = [float(np.mean(each)) for each in targets.values()]
    return mean_interval(list(apart.values())), mean_interval(means)


def best_so_far(record: Mapping[str, Any]) -> list[float]:
    """Return the best validation F1 after each trial; a diverged trial counts as 0."""
    values = np.nan_to_num([trial["validation"][OBJECTIVE] for trial in record["trials"]])
    return [float(value) for value in np.maximum.accumulate(values)]


def source_seconds(records: Records, cell: Cell) -> float:
    """Return CPU-seconds of all a cell was given: other searches, and a shuffled source."""
    if cell.arm == SCRATCH:
        return 0.0
    past = [each for each in records if each.arm == SCRATCH and each.seed == cell.seed]
    needed = [each for each in past if each.target != cell.target]
    if cell.arm == CONTROL:
        needed.append(Cell(str(records[cell]["source"]), cell.seed, SHUFFLED))
    return sum(cpu_seconds(records[each]) for each in needed)


def cpu_seconds(record: Mapping[str, Any]) -> float:
    """Return CPU-seconds of a cell's trainings."""
    return float(sum(trial["cpu_seconds"] for trial in record["trials"]))


def tested(records: Records, metric: str = OBJECTIVE) -> dict[str, dict[Pair, float]]:
    """Return arm -> (target, seed) -> a test metric; a diverged best trial counts as 0."""
    return {
        arm: {
            (cell.target, cell.seed): float(np.nan_to_num(record["test"][metric]))
            for cell, record in records.items()
            if cell.arm == arm
        }
        for arm in ARMS
    }


def complete(records: Records) -> list[Pair]:
    """Return the pairs of which every arm is done."""
    found = [{(cell.target, cell.seed) for cell in records if cell.arm == arm} for arm in ARMS]
    return sorted(set.intersection(*found))

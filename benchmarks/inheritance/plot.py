"""The picture of the inheritance benchmark: paired differences, and validation F1 by trials."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.harness import plots
from benchmarks.inheritance.cells import BOTH, CONTROL, HISTORY, SCRATCH, Cell
from benchmarks.inheritance.comparisons import (
    ARMS,
    CONTRASTS,
    Records,
    arm_name,
    best_so_far,
    complete,
    differences,
    intervals,
    tested,
)

COLOURS = {SCRATCH: plots.BLUE, HISTORY: plots.GREEN, BOTH: plots.ORANGE, CONTROL: plots.PINK}


def draw(records: Records, path: Path, missing: int) -> None:
    """Write a PNG: paired differences left, best validation F1 by trials right."""
    title = "Do history and weights help? Five entity domains, two seeds"
    if missing:
        title = f"Do history and weights help? Not complete: {missing} searches missing"
    figure, (left, right) = plots.new_figure(title, columns=2, height=4.4)
    values = tested(records)
    names = []
    for place, (arm, other) in enumerate(reversed(CONTRASTS)):
        apart = differences(values, arm, other)
        names.append(f"{arm_name(arm)}\n- {arm_name(other)}")
        if apart:
            spots = np.linspace(-0.18, 0.18, len(apart)) + place
            left.scatter(list(apart.values()), spots, s=14, color=plots.GREY)
            middle, low, high = intervals(apart)[1]
            if np.isfinite(low):
                left.plot([low, high], [place, place], color=COLOURS[arm], linewidth=3)
            left.plot([middle], [place], "o", color=COLOURS[arm], markersize=8)
    left.axvline(0.0, color="black", linewidth=1)
    left.set_yticks(range(len(names)), names, fontsize=9)
    left.set_xlabel("difference of test F1: pairs, and 95 %\ninterval over the targets' means")
    pairs = complete(records)
    for arm in ARMS if pairs else ():
        curves = np.array([best_so_far(records[Cell(*pair, arm)]) for pair in pairs])
        count = np.arange(1, curves.shape[1] + 1)
        right.plot(count, curves.mean(axis=0), color=COLOURS[arm], marker="o", label=arm_name(arm))
        right.set_xticks(count)
    right.set_xlabel("trials")
    right.set_ylabel(f"best validation F1 so far (mean of {len(pairs)} pairs)")
    low, high = right.get_ylim()
    right.set_ylim(low, high + 0.4 * (high - low))  # room for the legend above the curves
    if pairs:
        right.legend(frameon=False, fontsize=9, loc="upper left")
    plots.save(figure, path)

"""The picture of benchmarks/inheritance.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.inheritance_cells import BOTH, CONTROL, HISTORY, SCRATCH, Cell
from benchmarks.inheritance_statistics import (
    ARMS,
    CONTRASTS,
    Records,
    best_so_far,
    complete,
    differences,
    intervals,
    said_arm,
    tested,
)
from search.report import style

COLOURS = {SCRATCH: style.BLUE, HISTORY: style.GREEN, BOTH: style.ORANGE, CONTROL: style.PINK}


def draw(records: Records, path: Path, missing: int) -> None:
    """Writes a PNG: paired differences left, best validation F1 by trials right."""
    title = "Do history and weights help? Five entity domains, two seeds"
    if missing:
        title = f"Do history and weights help? Not complete: {missing} searches missing"
    figure, (left, right) = style.new_figure(title, columns=2, height=4.4)
    values = tested(records)
    names = []
    for place, (arm, other) in enumerate(reversed(CONTRASTS)):
        apart = differences(values, arm, other)
        names.append(f"{said_arm(arm)}\n- {said_arm(other)}")
        if apart:
            spots = np.linspace(-0.18, 0.18, len(apart)) + place
            left.scatter(list(apart.values()), spots, s=14, color=style.GREY)
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
        right.plot(count, curves.mean(axis=0), color=COLOURS[arm], marker="o", label=said_arm(arm))
        right.set_xticks(count)
    right.set_xlabel("trials")
    right.set_ylabel(f"best validation F1 so far (mean of {len(pairs)} pairs)")
    low, high = right.get_ylim()
    right.set_ylim(low, high + 0.4 * (high - low))  # room for the legend above the curves
    if pairs:
        right.legend(frameon=False, fontsize=9, loc="upper left")
    style.save(figure, path)

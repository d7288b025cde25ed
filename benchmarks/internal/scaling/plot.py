"""The picture of the scaling benchmark: what was delivered, and how late."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import plots

GOAL_RESULTS = 20.0
TICKS, DECADES = (0.5, 1, 2, 5, 10, 20, 50), (0.001, 0.01, 0.1, 1, 10, 100)


def draw(
    path: Path,
    rows: Sequence[dict[str, Any]],
    is_behind: Sequence[bool],
    limits: Mapping[str, float],
) -> None:
    """Draw delivered against asked, and delays against asked with the `limits` of each."""
    figure, (left, right) = plots.new_figure(
        "One driver: results a second, and how late they are", columns=2, height=3.8
    )
    asked = np.array([row["asked"] for row in rows])
    delivered = np.array([row["delivered"] for row in rows])
    ends = [0.8 * asked.min(), 1.25 * asked.max()]
    left.plot(ends, ends, color=plots.GREY, linewidth=1, label="all that is asked")
    left.axhline(GOAL_RESULTS, color=plots.GREEN, linestyle="--", linewidth=1.2, label="goal")
    late = np.array(is_behind)
    for is_late, colour, label in (
        (False, plots.BLUE, "keeps up"),
        (True, plots.ORANGE, "behind"),
    ):
        chosen = late == is_late
        if chosen.any():
            left.scatter(asked[chosen], delivered[chosen], color=colour, label=label, zorder=3)
    left.set(xscale="log", yscale="log", ylabel="results a second, delivered")
    for row, x, y in zip(rows, asked, delivered, strict=True):
        left.annotate(
            str(row["concurrent"]), (x, y), xytext=(4, -12), textcoords="offset points", fontsize=9
        )
    left.set_title("numbers: trials at once", fontsize=10)
    left.legend(frameon=False, fontsize=9)
    for name, colour in (("store", plots.PINK), ("journal", plots.BLUE)):
        # A logarithmic axis, and journal times are whole milliseconds.
        slow = [np.quantile(row[f"to_{name}"], 0.95) for row in rows]
        right.plot(asked, np.maximum(slow, 1e-3), "o", color=colour, label=f"to the {name}")
        right.axhline(limits[name], color=colour, linestyle="--", linewidth=1)
    right.set(xscale="log", yscale="log", ylabel="seconds, 95th percentile")
    right.set_title("dashed: the limit", fontsize=10)
    right.legend(frameon=False, fontsize=9)
    for axes in (left, right):
        axes.set_xlabel("results a second, asked")
        for axis, ticks in ((axes.xaxis, TICKS), (axes.yaxis, TICKS if axes is left else DECADES)):
            axis.set_ticks(ticks, [f"{tick:g}" for tick in ticks])
            axis.set_ticks([], minor=True)
        axes.set_xlim(*ends)
    left.set_ylim(*ends)
    plots.save(figure, path)

"""The report of the early-stopping benchmark: tables and a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from benchmarks.early_stopping.curves import Curve
from benchmarks.early_stopping.run import (
    EXPLORED,
    METHODS,
    ORDERS,
    REFERENCE_POINT,
    WORKERS,
    scores,
)
from benchmarks.harness import plots, provenance, tables
from benchmarks.harness.statistics import bootstrap

SEEN_AT = (1, 2, 3, 5, 7, 9, 12)
BUDGETS = (60, 120, 240)  # epochs spent


def report(
    found: dict[str, Any],
    recorded: Sequence[Curve],
    command: str,
) -> None:
    """Write results/reference/early_stopping.md, .json and .png."""
    at = [found["epochs"].index(budget) for budget in BUDGETS]
    rows, differences = [], []
    for method in METHODS:
        for score in ("validation", "test"):
            cells = [
                tables.with_interval(bootstrap(found[method][score][:, index])) for index in at
            ]
            rows.append([method, score, *cells])
    for other in METHODS[1:]:
        for score in ("validation", "test"):
            cells = []
            for index in at:
                gap = found[METHODS[0]][score][:, index] - found[other][score][:, index]
                estimate = tables.with_interval(bootstrap(gap, np.mean))
                cells.append(f"{estimate}; ahead in {np.mean(gap > 0):.0%}, behind in "
                             f"{np.mean(gap < 0):.0%}")  # fmt: skip
            differences.append([f"both, less {other}", score, *cells])
    complete = [
        [method, *(f"{np.median(found[method]['complete'][:, index]):.0f}" for index in at),
         f"{np.median(found[method]['exhausted']):.0f}"]
        for method in METHODS
    ]  # fmt: skip
    whole = scores(recorded, range(len(recorded)))
    header = ["", "split", *(f"{budget} epochs" for budget in BUDGETS)]
    body = [
        "# Early stopping by both objectives, by one, or not at all", "",
        f"{len(recorded)} random configurations of `benchmarks/digits.yaml`, {ORDERS} orders, "
        f"{WORKERS} workers, grace 3 epochs, reduction 3. Hypervolume above clean "
        f"{REFERENCE_POINT[0]}, robust {REFERENCE_POINT[1]} (at most 0.5) of trials that ran to "
        f"their end, all configurations together {whole[0]:.3f} (validation), {whole[1]:.3f} "
        "(test of its front). Median over orders and 95 % bootstrap interval:", "",
        *tables.table(header, rows), "",
        "Paired by order, mean difference and its interval:", "",
        *tables.table(header, differences), "",
        "Complete trials (median), and epochs after which all configurations were used up:", "",
        *tables.table(["", *(f"{b} epochs" for b in BUDGETS), "used up"], complete), "",
        "Rank correlation (Spearman) of what the scheduler sees at an epoch with the final metric:",
        "", *tables.table(["", *(f"epoch {e}" for e in SEEN_AT)], correlations(recorded, SEEN_AT)),
        "", f"*{EXPLORED}* was tried after the others had been seen; no claim rests on it.", "",
        "![hypervolume against epochs](early_stopping.png)",
    ]  # fmt: skip
    raw = {
        method: {
            score: {
                str(b): found[method][score][:, i].tolist()
                for b, i in zip(BUDGETS, at, strict=True)
            }
            for score in ("validation", "test", "complete")
        }
        for method in METHODS
    }
    seeds = f"2026 of the configurations, 0 of the trainings, 0 of the {ORDERS} orders"
    provenance.write("early_stopping", body, raw, command=command, seeds=seeds)
    draw(found)


def draw(found: dict[str, Any]) -> None:
    """Draw median and quartiles over orders, validation and test next to each other."""
    figure, axes = plots.new_figure("What early stopping is worth on digits", columns=2, height=4.2)
    colours = (plots.BLUE, plots.ORANGE, plots.GREY, plots.GREEN)
    for place, score in zip(axes, ("validation", "test"), strict=True):
        for method, colour in zip(METHODS, colours, strict=True):
            last = found["epochs"].index(400)
            low, middle, high = np.percentile(found[method][score][:, :last], [25, 50, 75], axis=0)
            epochs = found["epochs"][:last]
            place.plot(epochs, middle, color=colour, label=method)
            if method != EXPLORED:
                place.fill_between(epochs, low, high, color=colour, alpha=0.12, linewidth=0)
        place.set_xlabel("epochs spent by all trials")
        place.set_title(f"{score} split", fontsize=11)
        place.set_ylim(0.33, 0.45)
    axes[0].set_ylabel("hypervolume of complete trials")
    axes[0].legend(frameon=False, title="stopping by (median, quartiles)", fontsize=9)
    plots.save(figure, provenance.REFERENCE / "early_stopping.png")


def correlations(recorded: Sequence[Curve], epochs: Sequence[int]) -> list[list[str]]:
    """Return rank correlations: how well an epoch's order of trials predicts the final one."""
    rows = []
    for index, name in enumerate(("clean", "robust")):
        final = [curve.values[index] for curve in recorded]
        cells = []
        for epoch in epochs:
            seen = [list(curve.seen[epoch - 1].values())[index] for curve in recorded]
            cells.append(f"{spearmanr(seen, final).statistic:.2f}")
        rows.append([name, *cells])
    return rows

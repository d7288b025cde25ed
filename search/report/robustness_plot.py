"""The plot of robustness: accuracy against epsilon, and cheap against confirmed accuracies.

Drawn as a figure, the same for the same values. Not for tables (robustness_section.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from search.report.robustness_values import ConfirmedTrial, EvaluatedTrial
from search.report.style import BLUE, GREEN, GREY, ORANGE, PINK, new_figure
from search.transfer.best import wilson_interval

# More curves than this cannot be told apart; the trials are sorted by the first objective.
CURVES_SHOWN = 5
# Readers compare at most a dozen pairs; those with the largest gaps are shown.
PAIRS_SHOWN = 12
# About six standard errors of an accuracy on 128 images.
LEAST_WIDTH = 0.25
_COLOURS = (BLUE, ORANGE, GREEN, PINK, "#56B4E9")
_MARKERS = ("o", "s", "^", "D", "v")


def draw_robustness(
    evaluated: Sequence[EvaluatedTrial],
    confirmed: Sequence[ConfirmedTrial],
    search: str,
) -> Figure | None:
    """Draws a curve for each of the best trials, and a pair of points for each confirmed one.

    Returns:
        The figure; None if there is nothing to draw.
    """
    curves = [each for each in evaluated if len(each.curve) > 1][:CURVES_SHOWN]
    if not curves and not confirmed:
        return None
    columns = bool(curves) + bool(confirmed)
    figure, panels = new_figure(f"Robustness of {search}", columns=columns, height=4.8)
    if curves:
        _draw_curves(panels[0], curves)
    if confirmed:
        _draw_pairs(panels[-1], confirmed)
    return figure


def _draw_curves(axes: Axes, evaluated: Sequence[EvaluatedTrial]) -> None:
    for each, colour, marker in zip(evaluated, _COLOURS, _MARKERS, strict=False):
        sizes = [point.epsilon for point in each.curve]
        bounds = np.array([wilson_interval(point.share, point.examples) for point in each.curve])
        axes.plot(sizes, [point.share for point in each.curve], color=colour, marker=marker,
                  markersize=4, linewidth=1.8, label=f"trial {each.number}")  # fmt: skip
        axes.fill_between(sizes, bounds[:, 0], bounds[:, 1], color=colour, alpha=0.12, linewidth=0)
        final = next((point for point in each.test if point.attack == "autoattack"), None)
        if final is not None:
            axes.scatter([final.epsilon], [final.share], color=colour, marker="*", s=120,
                         edgecolors="black", linewidths=0.6, zorder=4)  # fmt: skip
    if any(point.attack == "autoattack" for each in evaluated for point in each.test):
        axes.scatter([], [], color="white", marker="*", s=120, edgecolors="black",
                     linewidths=0.6, label="AutoAttack")  # fmt: skip
    axes.axvline(evaluated[0].epsilon, color=GREY, linestyle=":", linewidth=1.2,
                 label="epsilon of the search")  # fmt: skip
    axes.set_ylim(0.0, 1.02)
    axes.set_xlim(left=0.0)
    examples = max(point.examples for each in evaluated for point in each.curve)
    axes.set_title(f"Accuracy on {examples} test images (95 % bands)", fontsize=11)
    axes.set_xlabel("epsilon (pixels are in [0, 1])")
    axes.set_ylabel("accuracy under PGD (higher is better)")
    axes.legend(loc="upper right", frameon=True, framealpha=0.9, fontsize=9)


def _draw_pairs(axes: Axes, confirmed: Sequence[ConfirmedTrial]) -> None:
    shown = sorted(confirmed, key=lambda each: -each.gap)[:PAIRS_SHOWN]
    shown = sorted(shown, key=lambda each: each.kept)
    attacks = max((each.attacks for each in shown), key=len)
    for at, each in enumerate(shown):
        colour = ORANGE if each.is_replaced else GREY
        axes.plot([each.before, each.stronger], [at, at], color=colour, linewidth=2, zorder=2)
    rows = np.arange(len(shown))
    # The ring is larger, so that it shows where both are the same.
    axes.scatter([each.before for each in shown], rows, s=90, color="white", edgecolors=BLUE,
                 linewidths=1.8, zorder=3, label="cheap: PGD")  # fmt: skip
    axes.scatter([each.stronger for each in shown], rows, s=40, color=BLUE, zorder=4,
                 label=f"confirmed: with {attacks}, same images")  # fmt: skip
    if any(each.is_replaced for each in shown):
        axes.plot([], [], color=ORANGE, linewidth=2, label="gap too large: replaced")
    axes.set_yticks(rows, [f"{each.number}{' *' if each.is_best else ''}" for each in shown])
    axes.set_ylim(-0.7, len(shown) + 0.6 + 0.18 * len(shown))
    low, high = axes.get_xlim()
    if high - low < LEAST_WIDTH:  # else a gap of one image would look large
        middle = (low + high) / 2
        axes.set_xlim(middle - LEAST_WIDTH / 2, middle + LEAST_WIDTH / 2)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set_title("Cheap and confirmed accuracies (* best)", fontsize=11)
    axes.set_xlabel("robust accuracy")
    axes.set_ylabel("trial")
    axes.legend(loc="upper left", frameon=True, framealpha=0.9, fontsize=8)

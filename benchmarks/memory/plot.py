"""The pictures of the memory benchmark: hypervolume by repetition, and against trials."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from benchmarks.harness import plots
from benchmarks.harness.statistics import Floats
from benchmarks.memory.protocol import SOURCE, TARGET


def draw_same(scores: Mapping[str, Floats], trials: int, path: Path) -> None:
    """Write a PNG: every repetition's test hypervolume, arms next to each other."""
    figure, (axes,) = plots.new_figure(
        f"Same task: {trials} warm trials against {2 * trials} cold ones, by repetition", height=4.0
    )
    arms = ("cold, first half", "warm", "past and warm", "cold")
    for gap in range(len(scores["cold"])):
        axes.plot(range(4), [scores[arm][gap] for arm in arms], color=plots.GREY, linewidth=0.7)
    for place, arm in enumerate(arms):
        colour = plots.ORANGE if "warm" in arm else plots.BLUE
        axes.scatter([place] * len(scores["cold"]), scores[arm], color=colour, s=24, zorder=3)
        axes.hlines(np.median(scores[arm]), place - 0.2, place + 0.2, color=colour, linewidth=3)
    names = [f"cold, {trials}", f"warm, {trials}", f"past and warm, {2 * trials}",
             f"cold, {2 * trials}"]  # fmt: skip
    axes.set_xticks(range(4), names)
    axes.set_ylabel("hypervolume on test, fresh training")
    plots.save(figure, path)


def draw_related(volumes: Mapping[str, Floats], goal: float, trials: int, path: Path) -> None:
    """Write a PNG: validation hypervolume against trials by arm, and the `goal`."""
    figure, (axes,) = plots.new_figure(
        f"A search on {TARGET} that knows {trials} trials on {SOURCE}", height=4.4
    )
    colours = {"cold": plots.BLUE, "warm": plots.ORANGE, "copied": plots.GREEN}
    for arm, colour in colours.items():
        low, middle, high = np.percentile(volumes[arm], [25, 50, 75], axis=0)
        count = np.arange(1, middle.size + 1)
        axes.plot(count, middle, color=colour, label=arm, marker="o", markersize=3)
        axes.fill_between(count, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.axhline(goal, color=plots.GREY, linestyle="--", linewidth=1)
    axes.set_xlabel("trials")
    axes.set_ylabel("hypervolume on validation")
    axes.legend(frameon=False, title="median and quartiles")
    plots.save(figure, path)

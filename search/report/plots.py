"""The plots of the report: progress, learning curves, importance.

The Pareto front has its own file, `pareto_plot.py`. Not for exploring: `interactive.py` makes a
page for that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from models.scores.metric_names import MetricName, on_split
from search.history import History, Trial
from search.objectives.roles import judging_indices
from search.report.style import (
    BLUE,
    GREY,
    OBJECTIVE_COLOURS,
    ORANGE,
    axis_label,
    new_figure,
    short,
)
from search.transfer.best import best_trials
from search.transfer.objective_text import conditions
from search.transfer.progress import Progress, compared, find_search, trials_of
from search.transfer.totals import totals

_BARS_SHOWN = 12


def draw_history(history: History, search: str) -> Figure | None:
    """Draws the progress of the search after each trial, and that of its task's cold ones in grey.

    Progress is the hypervolume relative to the best known of the task, as in the totals; with one
    objective it is the best value itself.

    Returns:
        The figure; None without a trial that counts.
    """
    this = find_search(history, search)
    found = compared(history, this)
    if found is None or not any(found.mine.levels):
        return None
    counting = judging_indices(this.objectives)
    is_single, objective = len(counting) == 1, this.objectives[counting[0]]
    name = f"Best {objective.metric}" if is_single else "Hypervolume"
    title = " ".join([name, *conditions(this), "after each trial,", this.id])
    figure, (axes,) = new_figure(title)
    sign = -1.0 if objective.is_maximized else 1.0
    best_known = totals(history, search).best_known

    def draw(progress: Progress, **style: Any) -> float:
        """Draws a search's progress, from its first complete trial; returns where it ends."""
        levels = np.array(progress.levels, dtype=np.float64)
        levels[levels <= 0] = np.nan
        heights = sign * (found.reference[0] - levels) if is_single else levels / best_known
        axes.step(np.arange(1, len(heights) + 1), heights, where="post", **style)
        return float(heights[-1])

    # Matplotlib leaves a label with a leading underscore out of the legend.
    labels = f"cold searches ({len(found.theirs)})", "final level of a cold search"
    for _, theirs in found.theirs:
        end = draw(theirs, color=GREY, linewidth=1.6, label=labels[0])
        axes.axhline(end, color=GREY, linewidth=1.1, linestyle=":", label=labels[1])
        labels = "_", "_"
    label = "this search" + (", warm" if this.warm else ", cold")
    draw(found.mine, color=BLUE, linewidth=2.4, label=label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("trials that have ended, stopped and failed ones included")
    unit = axis_label(objective.metric, objective.direction)
    axes.set_ylabel(unit if is_single else "hypervolume, best known of the task = 1")
    is_falling = is_single and not objective.is_maximized
    axes.legend(loc="upper right" if is_falling else "lower right", frameon=True, framealpha=0.9)
    return figure


def draw_curves(history: History, search: str) -> Figure | None:
    """Draws the learning curves of the first objective and of the cheap robustness metric.

    The best trials are marked; those stopped early are dashed.

    Returns:
        The figure; None unless a metric was reported for two epochs or more.
    """
    this = find_search(history, search)
    trials = [trial for trial in trials_of(history, search) if trial.state != "failed"]
    metrics = curve_metrics(trials, this.metrics)
    if not metrics:
        return None
    best = {each.run_id for each in best_trials(history, search)}
    figure, panels = new_figure(f"Learning curves of {this.id}", columns=len(metrics), height=4.6)
    for axes, metric in zip(panels, metrics, strict=True):
        _draw_metric(axes, metric, trials, best)
    handles = [
        Line2D([], [], color=ORANGE, linewidth=2, label="best"),
        Line2D([], [], color=BLUE, linewidth=1.2, label="complete"),
        Line2D([], [], color=GREY, linewidth=1.2, linestyle="--", label="stopped early"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
    return figure


def curve_metrics(trials: Sequence[Trial], objectives: Sequence[str]) -> list[str]:
    """The first objective and the robustness metric with the most points, if they have curves.

    The full robustness of a trial is measured once, at its end, so it has no curve; a cheap one is
    reported every epoch. On images the same holds for the first objective (`selection.*`).
    """
    points: dict[str, int] = {}
    for trial in trials:
        for metric, curve in trial.curves.items():
            if len(curve) > 1 and MetricName.parse(metric).split != "test":
                points[metric] = points.get(metric, 0) + len(curve)
    robust = sorted(
        (metric for metric in points if MetricName.parse(metric).attack in ("pgd", "fgsm")),
        key=lambda metric: (-points[metric], MetricName.parse(metric).attack != "pgd", metric),
    )
    others = [metric for metric in objectives[1:] if metric in points]
    first = [on_split("selection", name) if name not in points else name for name in objectives[:1]]
    wanted = [*first, *(robust or others)[:1]]
    return list(dict.fromkeys(metric for metric in wanted if metric in points))


def draw_importance(shares: Mapping[str, Mapping[str, float]], search: str) -> Figure | None:
    """Draws bars for objective -> (hyperparameter -> share of its variation, 0 to 1).

    Returns:
        The figure; None without a share.
    """
    known = {objective: found for objective, found in shares.items() if found}
    names = {name for found in known.values() for name in found}
    most = {name: max(found.get(name, 0.0) for found in known.values()) for name in names}
    shown = sorted(names, key=lambda name: (-most[name], name))[:_BARS_SHOWN]
    if not shown:
        return None
    figure, (axes,) = new_figure(
        f"What moved the objectives, {search}", height=1.9 + 0.42 * len(shown)
    )
    thickness = 0.8 / len(known)
    for index, (objective, found) in enumerate(known.items()):
        at = np.arange(len(shown)) + (index - (len(known) - 1) / 2) * thickness
        widths = [100 * found.get(name, 0.0) for name in shown]
        colour = OBJECTIVE_COLOURS[index % len(OBJECTIVE_COLOURS)]
        bars = axes.barh(at, widths, thickness * 0.92, color=colour, label=short(objective))
        axes.bar_label(bars, fmt="%.0f %%", padding=3, fontsize=9)
    axes.set_yticks(np.arange(len(shown)), [short(name) for name in shown])
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("share of the objective's variation that it alone explains (%)")
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


def _draw_metric(axes: Axes, metric: str, trials: Sequence[Trial], best: set[str]) -> None:
    # The best last, so that no other line covers them.
    for trial in sorted(trials, key=lambda each: (each.run_id in best, each.number)):
        curve = sorted(trial.curves.get(metric, {}).items())
        if not curve:
            continue
        epochs, values = zip(*curve, strict=True)
        is_best = trial.run_id in best
        is_full = trial.state == "complete"
        axes.plot(
            epochs,
            values,
            color=ORANGE if is_best else BLUE if is_full else GREY,
            linestyle="-" if is_full else "--",
            linewidth=2.0 if is_best else 1.2,
            alpha=0.9 if is_best else 0.55,
            marker="o" if len(curve) == 1 else None,
            markersize=3,
        )
    axes.set_title(short(metric), fontsize=11)
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))

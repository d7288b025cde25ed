"""The plots of the report as PNG: Pareto front, progress, learning curves, importance.

Not for exploring: `interactive.py` makes a page for that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from models.scores.metric_names import MetricName, on_split
from search.extract.objective_matrix import ObjectiveMatrix, objective_matrix
from search.history import History, Search, Trial
from search.history.plurals import counted
from search.objectives.roles import (
    best,
    constrained_losses,
    is_plain,
    judging_indices,
    lexicographic_of,
)
from search.report.style import (
    BLUE,
    GREEN,
    GREY,
    OBJECTIVE_COLOURS,
    ORANGE,
    axis_label,
    label_points,
    new_figure,
    save,
    short,
)
from search.transfer.best import best_trials
from search.transfer.objective_text import bound_in_words, conditions, tolerance_in_words
from search.transfer.progress import Progress, compared, find_search, trials_of

_BARS_SHOWN = 12


def draw_pareto(history: History, search: str, path: Path) -> bool:
    """Draws the search's complete trials, the best marked, and the task's earlier ones in grey.

    The first two objectives are the axes. With one objective, the trial's number is the other axis.
    Bounds and tolerances are lines.

    Returns:
        Whether there was a complete trial to draw; the file is written only then.
    """
    this = find_search(history, search)
    measured = objective_matrix(trials_of(history, search), this.objectives)
    if not len(measured):
        return False
    shown = f", the first two of {len(this.objectives)} objectives"
    title = f"Complete trials of {this.id}" + (shown if len(this.objectives) > 2 else "")
    figure, (axes,) = new_figure(title)
    mask = best(measured.values, this.objectives)
    x, y = _coordinates(measured)
    earlier = _earlier(history, this)
    if len(earlier):
        axes.scatter(*_coordinates(earlier), s=22, color=GREY, alpha=0.55, linewidths=0,
                     label=f"earlier searches ({counted(len(earlier), 'trial')})")  # fmt: skip
    axes.scatter(x[~mask], y[~mask], s=34, color=BLUE, alpha=0.75, linewidths=0,
                 label=f"this search ({counted(len(measured), 'trial')})")  # fmt: skip
    is_front = len(this.objectives) > 1 and is_plain(this.objectives)
    word = "Pareto front" if is_front else "best"
    axes.scatter(x[mask], y[mask], s=64, color=ORANGE, edgecolors="white", zorder=4,
                 label=f"{word} of this search ({int(mask.sum())})")  # fmt: skip
    _draw_limits(axes, this, measured)
    if is_front and len(this.objectives) == 2:
        order = np.argsort(x[mask], kind="stable")
        is_max = this.objectives[0].is_maximized
        axes.plot(x[mask][order], y[mask][order], color=ORANGE, linewidth=1.4, alpha=0.8, zorder=3,
                  drawstyle="steps-pre" if is_max else "steps-post")  # fmt: skip
    labels = [axis_label(each.metric, each.direction) for each in this.objectives]
    x_label, y_label, *_ = labels if len(labels) > 1 else ["trial", *labels]
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.legend(loc="best", frameon=True, framealpha=0.9)
    numbers = [
        str(trial.number) for trial, is_best in zip(measured.trials, mask, strict=True) if is_best
    ]
    label_points(figure, axes, x[mask], y[mask], numbers)
    save(figure, path)
    return True


def draw_history(history: History, search: str, path: Path) -> bool:
    """Draws the progress of the search after each trial, and that of its task's cold ones in grey.

    Progress is the hypervolume against the verdict's reference point; with one objective it is the
    best value itself.

    Returns:
        Whether there was a trial that counts; the file is written only then.
    """
    this = find_search(history, search)
    found = compared(history, this)
    if found is None or not any(found.mine.levels):
        return False
    point, colds = found.reference, found.theirs
    counting = judging_indices(this.objectives)
    is_single, objective = len(counting) == 1, this.objectives[counting[0]]
    name = f"Best {objective.metric}" if is_single else "Hypervolume"
    title = " ".join([name, *conditions(this), "after each trial,", this.id])
    figure, (axes,) = new_figure(title)
    # Matplotlib leaves a label with a leading underscore out of the legend.
    labels = f"cold searches ({len(colds)})", "final level of a cold search"
    for _, theirs in colds:
        heights = _draw_progress(axes, theirs, this, point,
                                 color=GREY, linewidth=1.6, label=labels[0])  # fmt: skip
        axes.axhline(heights[-1], color=GREY, linewidth=1.1, linestyle=":", label=labels[1])
        labels = "_", "_"
    label = "this search" + (", warm" if this.warm else ", cold")
    _draw_progress(axes, found.mine, this, point, color=BLUE, linewidth=2.4, label=label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("trials that have ended, stopped and failed ones included")
    unit = axis_label(objective.metric, objective.direction)
    axes.set_ylabel(unit if is_single else "hypervolume (higher is better)")
    is_falling = is_single and not objective.is_maximized
    axes.legend(loc="upper right" if is_falling else "lower right", frameon=True, framealpha=0.9)
    save(figure, path)
    return True


def _draw_limits(axes: Axes, this: Search, measured: ObjectiveMatrix) -> None:
    """Draws the bound of the second objective, and the tolerance of the first."""
    objectives = this.objectives
    style: dict[str, Any] = {"color": GREEN, "linestyle": "--", "linewidth": 1.4}
    if len(objectives) > 1 and objectives[1].role.bound is not None:
        label = bound_in_words(objectives[1])
        axes.axhline(objectives[1].role.bound, label=short(label, 60), **style)
    index = lexicographic_of(objectives)
    keeps_bounds = constrained_losses(measured.values, objectives).violation == 0
    if index is not None and keeps_bounds.any():
        tolerance = objectives[index].role.tolerance or 0.0
        furthest = measured.losses[keeps_bounds, 0].min() + tolerance
        sign = -1.0 if objectives[0].is_maximized else 1.0
        axes.axvline(sign * furthest, label=short(tolerance_in_words(this), 60), **style)


def _earlier(history: History, this: Search) -> ObjectiveMatrix:
    """The complete trials of the task's earlier searches, cold and warm."""
    trials = [
        trial
        for other in sorted(history.searches.values(), key=lambda each: each.id)
        if other.id != this.id and other.task == this.task and other.started <= this.started
        for trial in trials_of(history, other.id)
    ]
    return objective_matrix(trials, this.objectives)


def _coordinates(measured: ObjectiveMatrix) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if measured.values.shape[1] > 1:
        return measured.values[:, 0], measured.values[:, 1]
    return np.array([float(trial.number) for trial in measured.trials]), measured.values[:, 0]


def _draw_progress(
    axes: Axes, theirs: Progress, this: Search, point: NDArray[np.float64], **style: Any
) -> NDArray[np.float64]:
    """Draws a search's progress; returns the heights drawn, NaN before the first complete trial."""
    heights = np.array(theirs.levels, dtype=np.float64)
    heights[heights <= 0] = np.nan
    counting = judging_indices(this.objectives)
    if len(counting) == 1:
        sign = -1.0 if this.objectives[counting[0]].is_maximized else 1.0
        heights = sign * (point[0] - heights)
    axes.step(np.arange(1, len(heights) + 1), heights, where="post", **style)
    return heights


def draw_curves(history: History, search: str, path: Path) -> bool:
    """Draws the learning curves of the first objective and of the cheap robustness metric.

    The best trials are marked; those stopped early are dashed.

    Returns:
        Whether a metric was reported for two epochs or more; the file is written only then.
    """
    this = find_search(history, search)
    trials = [trial for trial in trials_of(history, search) if trial.state != "failed"]
    metrics = curve_metrics(trials, this.metrics)
    if not metrics:
        return False
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
    save(figure, path)
    return True


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


def draw_importance(shares: Mapping[str, Mapping[str, float]], search: str, path: Path) -> bool:
    """Draws bars for objective -> (hyperparameter -> share of its variation, 0 to 1).

    Returns:
        Whether there was a share to draw; the file is written only then.
    """
    known = {objective: found for objective, found in shares.items() if found}
    names = {name for found in known.values() for name in found}
    most = {name: max(found.get(name, 0.0) for found in known.values()) for name in names}
    shown = sorted(names, key=lambda name: (-most[name], name))[:_BARS_SHOWN]
    if not shown:
        return False
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
    save(figure, path)
    return True


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

"""The plots of the report: Pareto front, progress, learning curves, importances.

For reading, as PNG; `interactive.py` makes the page to explore.
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
from search.objectives.roles import aims, best, is_plain, judging_indices, lexicographic_of
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
from search.transfer.objective_text import bound_in_words, conditions
from search.transfer.progress import Progress, compared, find_search, trials_of


def draw_pareto(history: History, search: str, path: Path) -> bool:
    """Draws the search's complete trials, the best marked, earlier searches of the task in grey.

    The first two objectives are the axes. With one objective the trial number is the other axis.
    A bound and a tolerance are lines.

    Returns:
        Whether there was a complete trial to draw; the file is written only then.
    """
    this = find_search(history, search)
    measured = objective_matrix(trials_of(history, search), this.objectives)
    if not len(measured):
        return False
    figure, (axes,) = new_figure(_title(this))
    mask = best(measured.values, this.objectives)
    x, y = _coordinates(measured)
    earlier = _earlier(history, this)
    if len(earlier):
        axes.scatter(*_coordinates(earlier), s=22, color=GREY, alpha=0.55, linewidths=0,
                     label=f"earlier searches ({len(earlier)} trials)")  # fmt: skip
    axes.scatter(x[~mask], y[~mask], s=34, color=BLUE, alpha=0.75, linewidths=0,
                 label=f"this search ({len(measured)} trials)")  # fmt: skip
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
    _name_axes(axes, this)
    axes.legend(loc="best", frameon=True, framealpha=0.9)
    numbers = [
        str(trial.number) for trial, is_best in zip(measured.trials, mask, strict=True) if is_best
    ]
    label_points(figure, axes, x[mask], y[mask], numbers)
    save(figure, path)
    return True


def draw_history(history: History, search: str, path: Path) -> bool:
    """Draws how far the search had come after each trial, cold searches of the task in grey.

    Hypervolume against the verdict's reference point; with one objective the best value itself.

    Returns:
        Whether there was a trial that counts to draw; the file is written only then.
    """
    this = find_search(history, search)
    found = compared(history, this)
    if found is None or not any(found.mine.levels):
        return False
    point, colds = found.reference, found.theirs
    judging = judging_indices(this.objectives)
    is_single, objective = len(judging) == 1, this.objectives[judging[0]]
    name = f"Best {objective.metric}" if is_single else "Hypervolume"
    title = " ".join([name, *conditions(this), "after each trial,", this.id])
    figure, (axes,) = new_figure(title)
    for index, (_, theirs) in enumerate(colds):
        label = f"cold searches ({len(colds)})" if index == 0 else None
        _draw_progress(axes, theirs, this, point, color=GREY, linewidth=1.6, label=label)
        ending = _heights(theirs, this, point)[-1]
        label = "level a cold search ended with" if index == 0 else None
        axes.axhline(ending, color=GREY, linewidth=1.1, linestyle=":", label=label)
    label = "this search" + (", warm" if this.warm else ", cold")
    _draw_progress(axes, found.mine, this, point, color=BLUE, linewidth=2.4, label=label)
    axes.set_xlabel("trials ended, stopped and failed ones counted")
    unit = axis_label(objective.metric, objective.direction)
    axes.set_ylabel(unit if is_single else "hypervolume (higher is better)")
    is_falling = is_single and not objective.is_maximized
    axes.legend(loc="upper right" if is_falling else "lower right", frameon=True, framealpha=0.9)
    save(figure, path)
    return True


def _draw_limits(axes: Axes, this: Search, measured: ObjectiveMatrix) -> None:
    """The bound of the second objective, and how far the first may be from its best."""
    objectives = this.objectives
    style: dict[str, Any] = {"color": GREEN, "linestyle": "--", "linewidth": 1.4}
    if len(objectives) > 1 and objectives[1].role.bound is not None:
        label = bound_in_words(objectives[1])
        axes.axhline(objectives[1].role.bound, label=short(label, 60), **style)
    index = lexicographic_of(objectives)
    is_keeping = aims(measured.values, objectives).violation == 0
    if index is None or not is_keeping.any():
        return
    tolerance = objectives[index].role.tolerance or 0.0
    furthest = measured.losses[is_keeping, 0].min() + tolerance
    label = f"within {tolerance:g} of the best {objectives[0].metric}"
    sign = -1.0 if objectives[0].is_maximized else 1.0
    axes.axvline(sign * furthest, label=short(label, 60), **style)


def _title(this: Search) -> str:
    shown = f", the first two of {len(this.objectives)} objectives"
    return f"Complete trials of {this.id}" + (shown if len(this.objectives) > 2 else "")


def _name_axes(axes: Axes, this: Search) -> None:
    labels = [axis_label(each.metric, each.direction) for each in this.objectives]
    if len(labels) == 1:
        labels.insert(0, "number of the trial")
    axes.set_xlabel(labels[0])
    axes.set_ylabel(labels[1])


def _earlier(history: History, this: Search) -> ObjectiveMatrix:
    """Complete trials of the task's earlier searches, cold and warm."""
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


def _heights(theirs: Progress, this: Search, point: NDArray[np.float64]) -> NDArray[np.float64]:
    """What is drawn after each trial; NaN before the first complete one."""
    levels = np.array(theirs.levels, dtype=np.float64)
    levels[levels <= 0] = np.nan
    judging = judging_indices(this.objectives)
    if len(judging) > 1:
        return levels
    sign = -1.0 if this.objectives[judging[0]].is_maximized else 1.0
    return np.asarray(sign * (point[0] - levels))


def _draw_progress(
    axes: Axes, theirs: Progress, this: Search, point: NDArray[np.float64], **style: Any
) -> None:
    heights = _heights(theirs, this, point)
    axes.step(np.arange(1, len(heights) + 1), heights, where="post", **style)


_BARS_SHOWN = 12


def draw_curves(history: History, search: str, path: Path) -> bool:
    """Draws the learning curves of the first objective and of the cheap robustness metric.

    The best trials are marked, those stopped early dashed.

    Returns:
        Whether any metric was reported for two epochs or more; the file is written only then.
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
    """The first objective, and the robustness metric with the most points; only drawable ones.

    The full robustness of a trial is measured once, at its end, so it has no curve to draw; its
    cheap stand-in is reported every epoch. On images so is the first objective's: `selection.*`.
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
    """Draws objective -> (hyperparameter -> share of its variation, 0 to 1) as bars.

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
    # The front last, so that no other line covers it.
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

"""Pictures of what a search reached: its Pareto front, and its progress against cold searches.

Each picture is written as PNG, the same bytes for the same history. Not interactive: that is
interactive.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from search.extract.measurements import Measured, measure
from search.history import History, Search
from search.objectives.roles import aims, best, is_plain, judging_indices, lexicographic_of
from search.transfer.canvas import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    axis_label,
    label_points,
    new_figure,
    save,
    short,
)
from search.transfer.goals import bound_in_words, conditions
from search.transfer.progress import Progress, compared, find_search, trials_of


def draw_pareto(history: History, search: str, path: Path) -> bool:
    """Draws the search's complete trials, the best marked, earlier searches of the task in grey.

    The first two objectives are the axes. With one objective the trial number is the other axis.
    A bound and a tolerance are lines.

    Returns:
        Whether there was a complete trial to draw; the file is written only then.
    """
    this = find_search(history, search)
    measured = measure(trials_of(history, search), this.objectives)
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


def _draw_limits(axes: Axes, this: Search, measured: Measured) -> None:
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


def _earlier(history: History, this: Search) -> Measured:
    """Complete trials of the task's earlier searches, cold and warm."""
    trials = [
        trial
        for other in sorted(history.searches.values(), key=lambda each: each.id)
        if other.id != this.id and other.task == this.task and other.started <= this.started
        for trial in trials_of(history, other.id)
    ]
    return measure(trials, this.objectives)


def _coordinates(measured: Measured) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
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

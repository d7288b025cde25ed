"""The plot of the Pareto front: on validation, which chose it, and on the test split.

Not for the other plots (`plots.py`), nor for tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from search.extract.objective_matrix import ObjectiveMatrix, objective_matrix
from search.history import History, Search, Trial
from search.history.plurals import counted
from search.objectives.roles import best, constrained_losses, is_plain, lexicographic_of
from search.report.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    axis_label,
    label_points,
    new_figure,
    short,
)
from search.transfer.best import TestValue, values_on_test
from search.transfer.objective_text import bound_in_words, tolerance_in_words
from search.transfer.progress import find_search, seen_trials, trials_of

Floats = NDArray[np.float64]


def draw_pareto(history: History, search: str) -> Figure | None:
    """Draws the search's complete trials, the best marked, and the task's earlier ones in grey.

    Where the best were evaluated on the test split, a second panel shows them there, with 95 %
    intervals. The first two objectives are the axes. With one objective, the trial's number is the
    other axis. Bounds and tolerances are lines; a Pareto front of two objectives is joined by the
    edge of what it dominates.

    Returns:
        The figure; None without a complete trial.
    """
    this = find_search(history, search)
    measured = objective_matrix(trials_of(history, search), this.objectives)
    if not len(measured):
        return None
    mask = best(measured.values, this.objectives)
    chosen = [trial for trial, is_best in zip(measured.trials, mask, strict=True) if is_best]
    tested = [values_on_test(trial) for trial in chosen]
    panels = 2 if any(each.keys() & set(this.metrics[:2]) for each in tested) else 1
    shown = f", the first two of {len(this.objectives)} objectives"
    title = f"Complete trials of {this.id}" + (shown if len(this.objectives) > 2 else "")
    figure, axes = new_figure(title, columns=panels)
    x, y = _coordinates(measured)
    others = np.vstack([np.column_stack([x, y]), _along(dominated_edge(this, x[mask], y[mask]))])
    _draw_all(axes[0], this, measured, mask, _earlier(history, this))
    if panels == 2:
        axes[0].set_title("on validation, which chose the best", fontsize=11)
        axes[1].set_title("the best on the test split", fontsize=11)
        points, bars = _draw_tested(axes[1], this, (x[mask], y[mask]), chosen, tested)
    handles = {
        label: handle
        for panel in axes
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True)
    }
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=2,
                  frameon=False, fontsize=9)  # fmt: skip
    numbers = [str(trial.number) for trial in chosen]
    label_points(figure, axes[0], x[mask], y[mask], numbers, others)
    if panels == 2:
        label_points(figure, axes[1], *points, numbers, np.vstack([others, bars]))
    return figure


def _draw_all(
    axes: Axes, this: Search, measured: ObjectiveMatrix, mask: NDArray[np.bool_],
    earlier: ObjectiveMatrix,
) -> None:  # fmt: skip
    """Draws all complete trials on validation."""
    x, y = _coordinates(measured)
    if len(earlier):
        axes.scatter(*_coordinates(earlier), s=22, color=GREY, alpha=0.55, linewidths=0,
                     label=f"earlier searches ({counted(len(earlier), 'trial')})")  # fmt: skip
    axes.scatter(x[~mask], y[~mask], s=34, color=BLUE, alpha=0.75, linewidths=0,
                 label=f"this search ({counted(len(measured), 'trial')})")  # fmt: skip
    word = "Pareto front" if _is_front(this) else "best"
    axes.scatter(x[mask], y[mask], s=64, color=ORANGE, edgecolors="white", zorder=4,
                 label=f"{word} of this search ({int(mask.sum())})")  # fmt: skip
    _draw_limits(axes, this, measured)
    _join(axes, this, x[mask], y[mask])
    _name_axes(axes, this)


def _draw_tested(
    axes: Axes, this: Search, chosen_at: tuple[Floats, Floats], chosen: Sequence[Trial],
    tested: Sequence[dict[str, TestValue]],
) -> tuple[tuple[Floats, Floats], Floats]:  # fmt: skip
    """Draws the best trials on the test split, next to their validation values in pale.

    Returns:
        Where they were drawn, NaN for a trial without a test value of both axes; and points along
        their intervals (n, 2).
    """
    x, y = chosen_at
    axes.scatter(x, y, s=40, facecolors="none", edgecolors=ORANGE, alpha=0.6, zorder=3,
                 label="the same on validation")  # fmt: skip
    _join(axes, this, x, y, alpha=0.35)
    names = this.metrics[:2]
    values = [_bars(tested, name) for name in names]
    if len(names) == 1:
        numbers = np.array([float(trial.number) for trial in chosen])
        values.insert(0, (numbers, np.zeros((2, len(numbers)))))
    (test_x, x_error), (test_y, y_error) = values
    axes.errorbar(test_x, test_y, xerr=x_error, yerr=y_error, fmt="o", color="black",
                  markersize=5, elinewidth=1.1, capsize=2.5, zorder=5,
                  label="on the test split, 95 % intervals")  # fmt: skip
    for ends in zip(zip(x, test_x, strict=True), zip(y, test_y, strict=True), strict=True):
        axes.plot(*ends, color=GREY, linewidth=0.9, linestyle=":", zorder=2)
    _name_axes(axes, this)
    bars = [
        _along(np.array(ends))
        for at_x, at_y, left, right, low, high in zip(
            test_x, test_y, *x_error, *y_error, strict=True
        )
        for ends in (
            [[at_x - left, at_y], [at_x + right, at_y]],
            [[at_x, at_y - low], [at_x, at_y + high]],
        )
    ]
    return (test_x, test_y), np.vstack(bars)


def _bars(tested: Sequence[dict[str, TestValue]], metric: str) -> tuple[Floats, Floats]:
    """Test values (n,) and their distances (2, n) to both ends of their intervals."""
    missing = TestValue(np.nan)
    found = [each.get(metric, missing) for each in tested]
    rows = [
        (each.value, *(0.0 if bound is None else abs(bound - each.value) for bound in ends))
        for each in found
        for ends in [(each.low, each.high)]
    ]
    values, low, high = np.array(rows, dtype=np.float64).T
    return values, np.vstack([low, high])


def _is_front(this: Search) -> bool:
    return len(this.objectives) > 1 and is_plain(this.objectives)


def _name_axes(axes: Axes, this: Search) -> None:
    labels = [axis_label(each.metric, each.direction) for each in this.objectives]
    x_label, y_label, *_ = labels if len(labels) > 1 else ["trial", *labels]
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.margins(0.1)  # room for labels


def _join(axes: Axes, this: Search, x: Floats, y: Floats, alpha: float = 0.8) -> None:
    axes.plot(*dominated_edge(this, x, y).T, color=ORANGE, linewidth=1.4, alpha=alpha, zorder=3)


def dominated_edge(this: Search, x: Floats, y: Floats) -> Floats:
    """The edge of what a front of two objectives dominates, a staircase: its corners (n, 2).

    Empty where the best trials are no such front.
    """
    if not _is_front(this) or len(this.objectives) > 2:
        return np.empty((0, 2))
    return staircase(x, y, is_maximized=this.objectives[0].is_maximized)


def staircase(x: Floats, y: Floats, *, is_maximized: bool) -> Floats:
    """The edge of what points of a front in a plane dominate: its corners (n, 2).

    `is_maximized` says whether larger x are better.
    """
    order = np.argsort(x, kind="stable")
    corners = np.repeat(np.column_stack([x, y])[order], 2, axis=0)
    # Between two trials the edge runs through what both dominate: one's x and the other's y.
    kept = 1 if is_maximized else 0
    corners[1:-1:2, kept] = corners[2::2, kept]
    return corners[:-1]


def _along(corners: Floats) -> Floats:
    """Points on the lines between corners, close enough for a label not to fit in between."""
    steps = np.linspace(0.0, 1.0, 20)[:, None]
    lines = [start + steps * (end - start) for start, end in pairwise(corners)]
    return np.vstack([np.empty((0, 2)), *lines])


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
    others = [
        other
        for other in sorted(history.searches.values(), key=lambda each: each.id)
        if other.id != this.id and other.task == this.task and other.started <= this.started
    ]
    trials = chain.from_iterable(seen_trials(history, this, others))
    return objective_matrix([*trials], this.objectives)


def _coordinates(measured: ObjectiveMatrix) -> tuple[Floats, Floats]:
    if measured.values.shape[1] > 1:
        return measured.values[:, 0], measured.values[:, 1]
    return np.array([float(trial.number) for trial in measured.trials]), measured.values[:, 0]

"""The plot of a front of three objectives: the third is the colour of a trial and its label.

Not for two objectives, nor for values on the test split: `pareto_plot.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from search.extract.objective_matrix import ObjectiveMatrix, objective_matrix
from search.history import History, Search
from search.history.plurals import counted
from search.objectives import pareto
from search.objectives.objective import Objective
from search.objectives.roles import best, is_plain
from search.report.pareto_plot import staircase
from search.report.style import GREY, axis_label, label_points, new_figure, short
from search.transfer.progress import find_search, trials_of

# A marker for the best trial of each objective; circles are the rest of the front.
_MARKERS = ("^", "s", "D")
# Above this ratio most values would share one colour of a linear scale.
_RATIO_OF_LOG = 8.0

# Shares of the front that keep the limits whose edges are drawn.
_LEVELS = (0.33, 0.67, 1.0)
# Of so many steps of the range of its values a label tells one from another.
_STEPS = 40

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def draw_front_of_three(history: History, search: str) -> Figure | None:
    """Draws the front of a search with three Pareto objectives, and in grey what it dominates.

    Position is the first two objectives, colour the third: dark is better. Each trial of the front
    has the value of the third next to it, the best of each objective a marker of its own.

    Returns:
        The figure; None without three such objectives or a complete trial.
    """
    this = find_search(history, search)
    if len(this.objectives) != 3 or not is_plain(this.objectives):
        return None
    measured = objective_matrix(trials_of(history, search), this.objectives)
    if not len(measured):
        return None
    on_front = best(measured.values, this.objectives)
    figure, (axes,) = new_figure(f"Pareto front of three objectives, {this.id}", height=6.0)
    dominated = measured.values[~on_front]
    axes.scatter(dominated[:, 0], dominated[:, 1], s=30, color=GREY, alpha=0.5, linewidths=0,
                 label=f"dominated ({counted(len(dominated), 'trial')})")  # fmt: skip
    drawn = _draw_front(axes, this, measured, on_front)
    third = this.objectives[2]
    bar = figure.colorbar(drawn, ax=axes, pad=0.02)
    bar.set_label(axis_label(third.metric, third.direction))
    if not third.is_maximized:
        bar.ax.invert_yaxis()  # so that better is up here, too
    _name_axes(axes, this.objectives)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    front = measured.values[on_front]
    texts = [_text(value, front[:, 2]) for value in front[:, 2]]
    label_points(figure, axes, front[:, 0], front[:, 1], texts, dominated[:, :2])
    return figure


def _draw_front(
    axes: Axes, this: Search, measured: ObjectiveMatrix, on_front: Flags
) -> PathCollection:
    """Draws the front; returns what its colours are of."""
    values = measured.values[on_front]
    numbers = [
        trial.number for trial, is_on in zip(measured.trials, on_front, strict=True) if is_on
    ]
    third = this.objectives[2]
    losses = measured.losses[on_front]
    best_in: dict[int, list[str]] = {}
    for index, objective in enumerate(this.objectives):
        # Among equals the one that is best in the other objectives.
        others = [losses[:, other] for other in (2, 1, 0) if other != index]
        winner = int(np.lexsort((*others, losses[:, index]))[0])
        best_in.setdefault(winner, []).append(short(objective.metric, 30))
    rest = np.setdiff1d(np.arange(len(values)), [*best_in])
    style: dict[str, Any] = {
        "norm": _norm(values[:, 2]), "cmap": "viridis_r" if third.is_maximized else "viridis",
        "edgecolors": "black", "linewidths": 0.7, "zorder": 4,
    }  # fmt: skip
    count = counted(len(values), "trial")
    label = f"on the front ({count}); the number is {short(third.metric, 30)}"
    drawn = axes.scatter(
        values[rest, 0], values[rest, 1], 90, values[rest, 2], label=label, **style
    )
    for marker, (at, metrics) in zip(_MARKERS, best_in.items(), strict=False):
        label = f"best {' and '.join(metrics)}: trial {numbers[at]}"
        x, y, value = values[[at]].T
        axes.scatter(x, y, s=150, c=value, marker=marker, label=label, **style)
    worst = np.where(
        [each.is_maximized for each in this.objectives],
        measured.values.min(axis=0), measured.values.max(axis=0),
    )  # fmt: skip
    _draw_levels(axes, this, (values, losses, worst), drawn)
    return drawn


def _draw_levels(
    axes: Axes, this: Search, found: tuple[Floats, Floats, Floats], colours: PathCollection
) -> None:
    """Draws the edge of what is reached within a limit of the third objective.

    `found` is the front's values and losses (n, 3), and the worst values of all trials (3,).
    """
    third = this.objectives[2]
    sign = -1.0 if third.is_maximized else 1.0
    values, losses, worst = found
    is_up = this.objectives[0].is_maximized
    for share in _LEVELS:
        limit = float(np.quantile(losses[:, 2], share, method="lower"))
        within = losses[:, 2] <= limit
        reached = values[within, :2][pareto.front(losses[within, :2])]
        corners = staircase(*reached.T, is_maximized=is_up)
        # On to the worst values of all trials, so that the edge of one trial is seen, too.
        (first_x, first_y), (last_x, last_y) = corners[0], corners[-1]
        ends = [(worst[0], first_y), (last_x, worst[1])]
        if not is_up:
            ends = [(first_x, worst[1]), (worst[0], last_y)]
        corners = np.vstack([ends[0], corners, ends[1]])
        word = "at least" if third.is_maximized else "at most"
        text = _text(sign * limit, values[:, 2])
        label = f"reached with {short(third.metric, 30)} {word} {text}"
        (colour,) = colours.to_rgba(np.array([sign * limit]))
        axes.plot(*corners.T, color=colour, linewidth=1.6, alpha=0.8, zorder=2, label=label)


def _text(value: float, others: Floats) -> str:
    """Returns a value with the digits that tell it from the others of its kind."""
    width = float(np.ptp(others)) or abs(value) or 1.0
    return f"{value:.{int(np.clip(np.ceil(-np.log10(width / _STEPS)), 0, 4))}f}"


def _norm(values: NDArray[np.float64]) -> Normalize:
    """Returns the scale of the colours, which one value alone has, too."""
    low, high = float(values.min()), float(values.max())
    if low > 0 and high / low > _RATIO_OF_LOG:
        return LogNorm(low, high)
    return Normalize(low, high if high > low else low + 1.0)


def _name_axes(axes: Axes, objectives: tuple[Objective, ...]) -> None:
    labels = [axis_label(each.metric, each.direction) for each in objectives[:2]]
    axes.set_xlabel(f"{labels[0]} →" if objectives[0].is_maximized else f"← {labels[0]}")
    axes.set_ylabel(f"{labels[1]} →" if objectives[1].is_maximized else f"← {labels[1]}")
    axes.margins(0.1)

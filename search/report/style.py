"""The style of the report's plots: size, colours, labels, and text that comes from users.

Matplotlib is used without its global state and needs no display. Not for what is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

# Colours that colour-blind readers can tell apart: Okabe and Ito 2008, "Color universal design".
BLUE, ORANGE, GREEN, PINK, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#9A9A9A"
OBJECTIVE_COLOURS = (BLUE, ORANGE, GREEN, PINK)

_DOTS_PER_INCH = 150
_LONGEST_NAME = 40
_LABEL_OFFSETS = ((7, 5), (7, -13), (-16, 5), (-16, -13))


def new_figure(title: str, *, columns: int = 1, height: float = 5.0) -> tuple[Figure, list[Axes]]:
    """Makes a figure 8 inches wide with `columns` axes side by side; `height` in inches."""
    figure = Figure(figsize=(8.0, height), layout="constrained")
    figure.suptitle(short(title, 90), fontsize=13)
    found = figure.subplots(1, columns, squeeze=False)[0]
    for axes in found:
        axes.grid(alpha=0.25, linewidth=0.8)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=10)
    return figure, list(found)


def save(figure: Figure, path: Path) -> None:
    """Writes a PNG 1200 pixels wide, without the version of the library in it."""
    figure.savefig(path, dpi=_DOTS_PER_INCH, metadata={"Software": None})


def short(text: str, longest: int = _LONGEST_NAME) -> str:
    """Text of users for a plot: cut, on one line, and with no dollar read as a formula."""
    line = " ".join(text.split())
    if len(line) > longest:
        line = line[: longest - 1] + "…"
    return line.replace("$", r"\$")


def axis_label(objective: str, direction: str) -> str:
    """An objective's name, and which end is better."""
    return f"{short(objective)} ({'higher' if direction == 'maximize' else 'lower'} is better)"


def label_points(
    figure: Figure,
    axes: Axes,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    texts: Sequence[str],
) -> None:
    """Writes a text next to each point where there is room, and leaves out the others."""
    figure.draw_without_rendering()  # fixes the layout, so that the texts' sizes are known
    points = axes.transData.transform(np.column_stack([x, y]))
    # A marker covers about 5 pixels around its point at 100 dots an inch.
    taken = [Bbox.from_extents(px - 5, py - 5, px + 5, py + 5) for px, py in points]
    for index, text in enumerate(texts):
        for offset in _LABEL_OFFSETS:
            label = axes.annotate(
                text, (x[index], y[index]), xytext=offset, textcoords="offset points", fontsize=9
            )
            box = label.get_window_extent()
            is_inside = axes.bbox.contains(*box.min) and axes.bbox.contains(*box.max)
            others = taken[:index] + taken[index + 1 :]
            if is_inside and not any(box.fully_overlaps(other) for other in others):
                taken.append(box)
                break
            label.remove()

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

Floats = NDArray[np.float64]

_DOTS_PER_INCH = 150
_LONGEST_NAME = 40
# Near a point first, then further away; the text begins or ends there.
_LABEL_OFFSETS = tuple(
    ((sign * dx, dy), "left" if sign > 0 else "right")
    for dx, dys in ((6, (5, -12)), (12, (12, -19)), (18, (-3, 22, -29)))
    for sign in (1, -1)
    for dy in dys
)


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
    figure: Figure, axes: Axes, x: Floats, y: Floats, texts: Sequence[str], others: Floats
) -> None:
    """Writes a text next to each point where there is room, and leaves out the rest.

    Points at the same place share one label. No label covers another, a point, or one of `others`,
    (n, 2), what else is drawn.
    """
    figure.draw_without_rendering()  # fixes the layout, so that the texts' sizes are known
    names: dict[tuple[float, float], list[str]] = {}
    for at, text in zip(zip(x.tolist(), y.tolist(), strict=True), texts, strict=True):
        if np.isfinite(at).all():
            names.setdefault(at, []).append(text)
    # A marker covers about 5 pixels around its point at 100 dots an inch, a line one.
    taken = _boxes(axes, np.array([*names]).reshape(-1, 2), 5) + _boxes(axes, others, 2)
    for index, (at, each) in enumerate(names.items()):
        for offset, alignment in _LABEL_OFFSETS:
            label = axes.annotate(
                ", ".join(each), at, xytext=offset, textcoords="offset points", fontsize=9,
                ha=alignment, zorder=6,
            )  # fmt: skip
            box = label.get_window_extent()
            is_inside = axes.bbox.contains(*box.min) and axes.bbox.contains(*box.max)
            rest = taken[:index] + taken[index + 1 :]
            if is_inside and not any(box.fully_overlaps(other) for other in rest):
                taken.append(box)
                break
            label.remove()


def _boxes(axes: Axes, points: Floats, size: float) -> list[Bbox]:
    return [
        Bbox.from_extents(px - size, py - size, px + size, py + size)
        for px, py in axes.transData.transform(points)
    ]

"""The picture of the transfer benchmark: regret against trials, a panel a scenario."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from benchmarks.harness.plots import BLACK, BLUE, GREEN, GREY, ORANGE, PINK, SKY, YELLOW
from benchmarks.harness.statistics import mean_interval
from benchmarks.transfer.curves import Curves, StoredCurves
from benchmarks.transfer.gates import RECIPE

_STYLES = {
    "twentieth": ("Twentieth, warm", ORANGE, "-", 2.6),
    "twentieth-cold": ("Twentieth, no history", ORANGE, "--", 1.8),
    "tpe": ("cold TPE", BLUE, "-", 2.0),
    "gp": ("cold GP", GREEN, "-", 1.2),
    "random": ("random", GREY, ":", 1.4),
    "enqueue-1": ("enqueue each source's best", PINK, "--", 1.2),
    "enqueue-3": ("enqueue best three", PINK, "-", 1.2),
    "add-trial-all": ("add_trial of all", BLACK, "-", 1.2),
    "syne-bounding-box": ("Syne Tune bounding box", SKY, "-", 1.2),
    "syne-quantile": ("Syne Tune quantile (CTS)", YELLOW, "-", 1.2),
    "syne-zero-shot": ("Syne Tune zero-shot", YELLOW, "--", 1.2),
}
_PANELS = {
    "related": "related history: regret",
    "two": "two objectives: lost hypervolume",
    "none": "no history: regret",
    "inverted": "inverted history: regret",
    "shuffled": "shuffled history: regret",
    "half": "half inverted: regret",
}
# Methods without history that a panel shows in addition to those that were run in it.
_COLD_SHOWN = {
    "none": ("tpe", "gp", "random", "twentieth-cold"),
    "related": ("tpe", "gp", "random"),
}
_REGRETS = (0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)


def draw(curves: StoredCurves, path: Path) -> None:
    """Write the picture as a PNG file."""
    figure = Figure(figsize=(12.0, 8.2), layout="constrained")
    panels = figure.subplots(2, 3, sharex=True)
    handles: dict[str, Artist] = {}
    for axes, (scenario, title) in zip(panels.flat, _PANELS.items(), strict=True):
        for method, (label, colour, dash, width) in _STYLES.items():
            own = curves.get(method, scenario)
            if own is None or not _is_shown(curves, method, scenario):
                continue
            (line,) = axes.plot(*_line(own), color=colour, linestyle=dash, linewidth=width,
                                zorder=3 if method.startswith("twentieth") else 2)  # fmt: skip
            handles.setdefault(label, line)
            if method in ("twentieth", "tpe") or (scenario, method) == ("none", "twentieth-cold"):
                _band(axes, own, colour)
        if scenario == "related":
            mark = axes.scatter(list(RECIPE), list(RECIPE.values()), marker="D", s=26,
                                color=BLACK, zorder=4, clip_on=False)  # fmt: skip
            handles["113-line recipe, as published"] = mark
        _dress(axes, title)
    for axes in panels[1]:
        axes.set_xlabel("trials")
    figure.suptitle(
        "Recorded searches of HPOBench-MLP: mean of 8 left-out tasks; bands: 95 % over seeds",
        fontsize=13,
    )
    figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=4,
                  frameon=False, fontsize=10)  # fmt: skip
    figure.savefig(path, dpi=120, metadata={"Software": None})


def _is_shown(curves: StoredCurves, method: str, scenario: str) -> bool:
    return curves.has(method, scenario) or method in _COLD_SHOWN.get(scenario, ("tpe",))


def _line(own: Curves) -> tuple[np.ndarray, np.ndarray]:
    means = own.values.mean(axis=(0, 1))
    return np.arange(1, len(means) + 1), means


def _band(axes: Axes, own: Curves, colour: str) -> None:
    by_seed = own.values.mean(axis=0)
    ends = np.array([mean_interval(column)[1:] for column in by_seed.T])
    if np.isfinite(ends).all():
        axes.fill_between(np.arange(1, len(ends) + 1), ends[:, 0].clip(1e-3), ends[:, 1],
                          color=colour, alpha=0.15, linewidth=0)  # fmt: skip


def _dress(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=11, loc="left")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(1, 100)
    axes.xaxis.set_major_locator(FixedLocator([1, 2, 5, 10, 20, 50, 100]))
    axes.yaxis.set_major_locator(FixedLocator(_REGRETS))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    lowest = min((np.min(line.get_ydata()) for line in axes.get_lines()), default=0.02)
    axes.set_ylim(max(0.8 * lowest, 1e-3), 1.0)
    axes.grid(alpha=0.25, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=10)

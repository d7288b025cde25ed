"""The picture of the adaptation benchmark: test metrics against what trains, a panel a task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from benchmarks.adaptation.training import TASKS, quality
from benchmarks.harness import plots
from models.catalog import TextThreat
from models.hyperparameters.transformer import METHODS

_COLOURS = dict(
    zip(
        METHODS,
        (plots.BLACK, plots.BLUE, plots.SKY, plots.GREEN, plots.PINK, plots.YELLOW, plots.ORANGE),
        strict=True,
    )
)


def draw(
    tests: Sequence[Mapping[str, Any]], cells: Sequence[Mapping[str, Any]], path: Path
) -> None:
    """Write the picture of what is tested as a PNG file."""
    trained = {
        (cell["task"], cell["method"]): cell["curve"][-1]["parameters.trainable"] for cell in cells
    }
    figure, panels = plots.new_figure(
        "Quality and robustness against trainable parameters (test split, one seed)",
        columns=len(TASKS), height=4.6,
    )  # fmt: skip
    for axes, task in zip(panels, TASKS, strict=True):
        clean, robust = f"test.{quality(task)}", f"test.{TextThreat().metric(TASKS[task])}"
        for test in tests:
            if test["task"] == task:
                metrics, count = test["metrics"], trained[task, test["method"]]
                _mark(axes, count, metrics[clean], metrics[robust], _COLOURS[test["method"]])
        axes.set_xscale("log")
        axes.set_ylim(0, min(1.0, 1.15 * axes.dataLim.ymax) if axes.lines else 1.0)
        axes.set_xlabel("trainable parameters, head included")
        axes.set_ylabel("accuracy" if TASKS[task] == "classification" else "F1 of entities")
        axes.set_title(task, fontsize=11, loc="left")
    marks = [Line2D([], [], color=colour, marker="s", linestyle="", label=method)
             for method, colour in _COLOURS.items()]  # fmt: skip
    marks += [
        Line2D([], [], color=plots.GREY, marker="o", linestyle="", label="clean test split"),
        Line2D([], [], color=plots.GREY, marker="v", linestyle="", markerfacecolor="white",
               label="100 under typos"),
    ]  # fmt: skip
    figure.legend(handles=marks, loc="outside lower center", ncols=5, frameon=False, fontsize=9)
    plots.save(figure, path)


def _mark(axes: Axes, count: float, clean: float, robust: float, colour: str) -> None:
    axes.plot([count, count], [robust, clean], color=colour, linewidth=1.0, alpha=0.5)
    axes.plot(count, clean, color=colour, marker="o", markersize=8)
    axes.plot(count, robust, color=colour, marker="v", markersize=8, markerfacecolor="white",
              markeredgewidth=1.6)  # fmt: skip

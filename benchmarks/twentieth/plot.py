"""The picture of the project's promise: the compute that the k-th search costs.

It shows the two results as they are kept, recorded tasks and real training, so that each can be
measured again alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from benchmarks.harness import plots, provenance
from benchmarks.harness.statistics import Floats, bootstrap, bootstrap_ratio
from benchmarks.twentieth.costs import COMPUTE, TRIALS, trained_costs
from search.history.plurals import counted

# Names of the results, and the rules by which a task that was searched before counts: whether its
# best known trial is trained again -> the key of the costs.
RECORDED, TRAINING = "twentieth", "twentieth_training"
RULES = {False: "repetitions count for nothing", True: "the known best counts"}
PICTURE = provenance.ROOT / "docs" / "twentieth.png"
_TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


def draw() -> None:
    """Draw both results, one next to the other; one that was not measured is left out."""
    recorded, trained = _result(RECORDED), _result(TRAINING)
    count = sum(each is not None for each in (recorded, trained))
    figure, axes = plots.new_figure(
        "What the k-th search costs, against a search that knows nothing",
        columns=max(count, 1), height=4.2,
    )  # fmt: skip
    if recorded is not None:
        _draw_recorded(axes[0], *(np.array(recorded[rule]) for rule in RULES.values()))
    if trained is not None:
        _draw_trained(axes[-1], trained_costs(trained["repetitions"]))
    plots.save(figure, PICTURE)


def _result(name: str) -> dict[str, Any] | None:
    path = provenance.REFERENCE / f"{name}.json"
    found: dict[str, Any] | None = json.loads(path.read_text()) if path.exists() else None
    return found


def _draw_recorded(axes: Axes, costs: Floats, again: Floats) -> None:
    count = np.arange(1, costs.shape[1] + 1)
    ends = np.array([bootstrap(column, np.mean) for column in costs[..., COMPUTE].T])
    axes.fill_between(count, ends[:, 1], ends[:, 2], color=plots.ORANGE, alpha=0.2, linewidth=0)
    axes.plot(count, ends[:, 0], color=plots.ORANGE, marker="o", markersize=4,
              label="seconds of training")  # fmt: skip
    axes.plot(count, again[..., COMPUTE].mean(axis=0), color=plots.GREEN, marker="s", markersize=3,
              linewidth=1.2, label="seconds, the known best counts")  # fmt: skip
    axes.plot(count, costs[..., TRIALS].mean(axis=0), color=plots.GREY, linewidth=1.0,
              label="trials")  # fmt: skip
    _scale(axes)
    axes.set_xticks([1, 5, 10, 15, 20])
    axes.set_xlabel("k-th search")
    axes.set_ylabel("cost to cold TPE's value, relative to cold TPE")
    axes.set_title(f"recorded tasks, {counted(len(costs), 'sequence')}", fontsize=11, loc="left")
    axes.legend(frameon=False, fontsize=9, loc="lower left")


def _draw_trained(axes: Axes, costs: Mapping[str, Floats]) -> None:
    warm, cold = costs["warm"], costs["cold"]
    count = np.arange(1, warm.shape[1] + 1)
    ends = np.array([
        bootstrap_ratio(warm[:, place, COMPUTE], cold[:, place, COMPUTE])
        for place in range(warm.shape[1])
    ])  # fmt: skip
    spread = np.abs(ends[:, 1:] - ends[:, :1]).T
    axes.errorbar(count, ends[:, 0], yerr=spread, color=plots.ORANGE, marker="o", markersize=5,
                  capsize=3, label="work (FLOP)")  # fmt: skip
    trials = warm[..., TRIALS].mean(axis=0) / cold[..., TRIALS].mean(axis=0)
    axes.plot(count, trials, color=plots.GREY, linewidth=1.0, label="trials")
    _scale(axes)
    axes.set_xticks(count)
    axes.set_xlabel("k-th search (digits, MNIST, KMNIST, Fashion)")
    axes.set_ylabel("cost to a cold search's hypervolume, relative")
    axes.set_title(f"real training, {counted(len(warm), 'repetition')}", fontsize=11, loc="left")
    axes.legend(frameon=False, fontsize=9, loc="lower left")


def _scale(axes: Axes) -> None:
    axes.set_yscale("log")
    axes.axhline(1.0, color=plots.BLUE, linewidth=1.5, label="cold search")
    axes.axhline(0.05, color=plots.BLACK, linestyle=":", linewidth=1.2, label="a twentieth")
    axes.set_yticks(_TICKS, [f"{tick:g}" for tick in _TICKS])
    axes.minorticks_off()
    # Room for the legend below; a band of few sequences may end below the axis.
    axes.set_ylim(0.0005, max(axes.get_ylim()[1], 1.5))

"""The report of the twentieth benchmark: tables, and the picture of the README."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from benchmarks.harness import plots, provenance, tables
from benchmarks.harness.statistics import Floats, bootstrap
from benchmarks.memory.protocol import RELATED_POINT
from benchmarks.twentieth.costs import Recorded, trained_costs

PICTURE = provenance.ROOT / "docs" / "twentieth.png"
_PLACES = ((1, 1), (2, 5), (6, 10), (11, 15), (16, 20))
_LEAST_SEQUENCES = 2


def report(found: Recorded, done: list[dict[str, Any]], command: str) -> None:
    """Write results/reference/twentieth.md and .json, and the picture."""
    body = ["# The cost of the k-th search", ""]
    raw: dict[str, Any] = {"training": done}
    has_recorded = len(found.regret) >= _LEAST_SEQUENCES
    if has_recorded:
        body += _recorded_part(found)
        raw["recorded"] = {"tasks": found.tasks, "relative_cost": found.costs().round(4).tolist(),
                           "own_cold": found.own_cold()}  # fmt: skip
    if done:
        body += _trained_part(done)
    body += ["![cost against k](../../docs/twentieth.png)"]
    seeds = (f"{len(found.regret)} sequences and {len(done)} repetitions, numbered from 0; all "
             "seeds follow from the numbers")  # fmt: skip
    provenance.write("twentieth", body, raw, command=command, seeds=seeds)
    figure, (left, right) = plots.new_figure(
        "What the k-th search costs, against a search that knows nothing", columns=2, height=4.2
    )
    if has_recorded:
        _draw_recorded(left, found)
    if done:
        _draw_trained(right, done)
    plots.save(figure, PICTURE)


def _recorded_part(found: Recorded) -> list[str]:
    costs, recurs, reached = found.costs(), found.recurs(), found.reached()
    rows = []
    for first, last in _PLACES:
        part = np.s_[:, first - 1 : last]
        mean = bootstrap(costs[part].mean(axis=1), np.mean)
        rows.append([
            f"{first} to {last}" if first < last else first, tables.with_interval(mean, 2),
            _mean_of(costs[part], ~recurs[part]), _mean_of(costs[part], recurs[part]),
            f"{1 - reached[part].mean():.2f}",
        ])  # fmt: skip
    late = bootstrap(costs[:, 15:].mean(axis=1), np.mean)
    trials = found.regret.shape[2]
    return [
        "## On recorded tasks", "",
        f"{len(costs)} sequences of {costs.shape[1]} searches of {trials} trials, each of a task "
        "drawn from the eight of HPOBench-MLP; history is what the earlier searches of the "
        "sequence found. Cost: trials to the regret that cold TPE has after "
        f"{trials} trials ({trials + 1} if it is not reached), by cold TPE's mean cost on the "
        "same task. Means, 95 % bootstrap intervals over sequences.", "",
        f"**The 16th to 20th search cost {tables.with_interval(late, 2)} of a cold TPE search; the "
        f"promise is 0.05.** Without any history our sampler costs {found.own_cold():.2f}.", "",
        *tables.table(
            ["k", "relative cost", "task not searched before", "task searched before",
             "goal not reached"], rows,
        ), "",
    ]  # fmt: skip


def _trained_part(done: list[dict[str, Any]]) -> list[str]:
    costs = trained_costs(done)
    rows = []
    for place in range(costs["warm"].shape[1]):
        warm, cold = (costs[arm][:, place] for arm in ("warm", "cold"))
        rows.append([
            place + 1, tables.with_interval(bootstrap(warm, np.mean), 1),
            tables.with_interval(bootstrap(cold, np.mean), 1),
            tables.with_interval(bootstrap(cold - warm, np.mean), 1) if place else "the same",
        ])  # fmt: skip
    later = (costs["cold"] - costs["warm"])[:, 1:].mean(axis=1)
    trials = len(done[0]["volumes"]["cold"][0])
    return [
        "## In real training", "",
        f"Digits, MNIST, KMNIST and Fashion-MNIST, small (`benchmarks/memory/related.yaml`), "
        f"{trials} trials a search, {len(done)} repetitions, each with another order: few, so the "
        "intervals are wide, and percentile intervals of so few are too narrow. Cost: trials to "
        f"the hypervolume (above clean {RELATED_POINT[0]}, robust {RELATED_POINT[1]}) that the "
        f"task's cold searches have in the end, {trials + 1} if it is not reached. Warm and cold "
        "have the same seeds.", "",
        f"**Second to fourth search: {tables.with_interval(bootstrap(later, np.mean), 1)} "
        "trials fewer than cold.**", "",
        *tables.table(["k", "warm", "cold", "cold less warm"], rows), "",
    ]  # fmt: skip


def _mean_of(costs: Floats, chosen: NDArray[np.bool_]) -> str:
    return f"{costs[chosen].mean():.2f} ({chosen.sum()})" if chosen.any() else ""


def _draw_recorded(axes: Axes, found: Recorded) -> None:
    costs = found.costs()
    count = np.arange(1, costs.shape[1] + 1)
    ends = np.array([bootstrap(column, np.mean) for column in costs.T])
    axes.fill_between(count, ends[:, 1], ends[:, 2], color=plots.ORANGE, alpha=0.2, linewidth=0)
    axes.plot(count, ends[:, 0], color=plots.ORANGE, marker="o", markersize=4, label="with history")
    axes.axhline(1.0, color=plots.BLUE, linewidth=1.5, label="cold TPE")
    if np.isfinite(found.own_cold()):
        axes.axhline(found.own_cold(), color=plots.ORANGE, linestyle="--", linewidth=1.2,
                     label="the same sampler, no history")  # fmt: skip
    axes.axhline(0.05, color=plots.GREY, linestyle=":", linewidth=1.5, label="a twentieth")
    axes.set_xticks([1, 5, 10, 15, 20])
    axes.set_xlabel("k-th search of a sequence")
    axes.set_ylabel("trials to what cold TPE ends with,\nrelative to cold TPE")
    axes.set_ylim(0, None)
    axes.set_title(f"recorded tasks, {len(costs)} sequences", fontsize=11, loc="left")
    axes.legend(frameon=False, fontsize=9)


def _draw_trained(axes: Axes, done: list[dict[str, Any]]) -> None:
    costs = trained_costs(done)
    count = np.arange(1, costs["warm"].shape[1] + 1)
    for arm, colour, shift in (("cold", plots.BLUE, -0.06), ("warm", plots.ORANGE, 0.06)):
        ends = np.array([bootstrap(column, np.mean) for column in costs[arm].T])
        spread = np.abs(ends[:, 1:] - ends[:, :1]).T
        label = "no history" if arm == "cold" else "with history"
        axes.errorbar(count + shift, ends[:, 0], yerr=spread, color=colour, marker="o",
                      markersize=5, capsize=3, label=label)  # fmt: skip
    axes.set_xticks(count)
    axes.set_ylim(0, None)
    axes.set_xlabel("k-th search (digits, MNIST, KMNIST, Fashion)")
    axes.set_ylabel("trials to a cold search's hypervolume")
    axes.set_title(f"real training, {len(done)} repetitions", fontsize=11, loc="left")
    axes.legend(frameon=False, fontsize=9)

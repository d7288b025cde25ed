"""The report of benchmarks/twentieth.py: tables, and the picture of the README."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from benchmarks import reference
from benchmarks.memory_report import RELATED_POINT, trials_to
from search.report import style

PICTURE = reference.ROOT / "docs" / "twentieth.png"
_PLACES = ((1, 1), (2, 5), (6, 10), (11, 15), (16, 20))
_LEAST_SEQUENCES = 2

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Recorded:
    """What was measured on recorded tasks.

    Attributes:
        tasks: Of every sequence, in order.
        regret: Shape `(sequences, searches, trials)`.
        cold: "tpe" or "twentieth-cold" -> task -> regret, shape `(seeds, trials)`.
    """

    tasks: Sequence[Sequence[str]]
    regret: Floats
    cold: Mapping[str, Mapping[str, Floats]]

    def goal(self, task: str) -> float:
        """What cold TPE has at its end, the mean of its seeds."""
        return float(self.cold["tpe"][task][:, -1].mean())

    def costs(self) -> Floats:
        """Trials to the goal by cold TPE's mean trials to it, shape `(sequences, searches)`."""
        usual = {task: self._cost_of("tpe", task) for task in self.cold["tpe"]}
        return np.array(
            [
                [
                    first_at_most(curve, self.goal(task)) / usual[task]
                    for task, curve in zip(tasks, curves, strict=True)
                ]
                for tasks, curves in zip(self.tasks, self.regret, strict=True)
            ]
        )

    def own_cold(self) -> float:
        """The same of our sampler without history, the mean of tasks; NaN if it was not run."""
        tasks = self.cold["tpe"]
        if not all(len(curves) for curves in self.cold["twentieth-cold"].values()):
            return float("nan")
        return float(
            np.mean([self._cost_of("twentieth-cold", t) / self._cost_of("tpe", t) for t in tasks])
        )

    def recurs(self) -> NDArray[np.bool_]:
        """Whether a search's task was searched before in its sequence."""
        return np.array([[t in tasks[:k] for k, t in enumerate(tasks)] for tasks in self.tasks])

    def reached(self) -> Floats:
        """Whether a search reached its goal at all."""
        goals = np.array([[self.goal(task) for task in tasks] for tasks in self.tasks])
        return (self.regret.min(axis=2) <= goals + 1e-12).astype(np.float64)

    def _cost_of(self, method: str, task: str) -> float:
        goal = self.goal(task)
        return float(np.mean([first_at_most(c, goal) for c in self.cold[method][task]]))


def first_at_most(curve: Floats, goal: float) -> int:
    """The first trial (from 1) with at most `goal`; one more than there are if there is none."""
    reached = np.flatnonzero(np.asarray(curve) <= goal + 1e-12)
    return int(reached[0]) + 1 if len(reached) else len(curve) + 1


def trained_costs(done: Sequence[Mapping[str, Any]]) -> dict[str, Floats]:
    """Trials to the goal in real searches by arm, shape `(repetitions, places)`.

    A task's goal is the median, over repetitions, of its cold searches' last hypervolume.
    """
    last: dict[str, list[float]] = {}
    for each in done:
        for task, volumes in zip(each["tasks"], each["volumes"]["cold"], strict=True):
            last.setdefault(task, []).append(volumes[-1])
    goals = {task: float(np.median(values)) for task, values in last.items()}
    return {
        arm: np.array(
            [
                [
                    trials_to(volumes, goals[task])
                    for task, volumes in zip(each["tasks"], each["volumes"][arm], strict=True)
                ]
                for each in done
            ],
            dtype=np.float64,
        )
        for arm in ("warm", "cold")
    }


def report(found: Recorded, done: list[dict[str, Any]], command: str) -> None:
    """Writes results/reference/twentieth.md and .json, and the picture."""
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
    reference.write("twentieth", command, body, raw)
    figure, (left, right) = style.new_figure(
        "What the k-th search costs, against a search that knows nothing", columns=2, height=4.2
    )
    if has_recorded:
        _draw_recorded(left, found)
    if done:
        _draw_trained(right, done)
    style.save(figure, PICTURE)


def _recorded_part(found: Recorded) -> list[str]:
    costs, recurs, reached = found.costs(), found.recurs(), found.reached()
    rows = []
    for first, last in _PLACES:
        part = np.s_[:, first - 1 : last]
        mean = reference.interval(costs[part].mean(axis=1), np.mean)
        rows.append([
            f"{first} to {last}" if first < last else first, reference.said(mean, 2),
            _mean_of(costs[part], ~recurs[part]), _mean_of(costs[part], recurs[part]),
            f"{1 - reached[part].mean():.2f}",
        ])  # fmt: skip
    late = reference.interval(costs[:, 15:].mean(axis=1), np.mean)
    trials = found.regret.shape[2]
    return [
        "## On recorded tasks", "",
        f"{len(costs)} sequences of {costs.shape[1]} searches of {trials} trials, each of a task "
        "drawn from the eight of HPOBench-MLP; history is what the earlier searches of the "
        "sequence found. Cost: trials to the regret that cold TPE has after "
        f"{trials} trials ({trials + 1} if it is not reached), by cold TPE's mean cost on the "
        "same task. Means, 95 % bootstrap intervals over sequences.", "",
        f"**The 16th to 20th search cost {reference.said(late, 2)} of a cold TPE search; the "
        f"promise is 0.05.** Without any history our sampler costs {found.own_cold():.2f}.", "",
        *reference.table(
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
            place + 1, reference.said(reference.interval(warm, np.mean), 1),
            reference.said(reference.interval(cold, np.mean), 1),
            reference.said(reference.interval(cold - warm, np.mean), 1) if place else "the same",
        ])  # fmt: skip
    later = (costs["cold"] - costs["warm"])[:, 1:].mean(axis=1)
    trials = len(done[0]["volumes"]["cold"][0])
    return [
        "## In real training", "",
        f"Digits, MNIST, KMNIST and Fashion-MNIST, small (`benchmarks/related.yaml`), {trials} "
        f"trials a search, {len(done)} repetitions, each with another order: few, so the "
        "intervals are wide, and percentile intervals of so few are too narrow. Cost: trials to "
        f"the hypervolume (above clean {RELATED_POINT[0]}, robust {RELATED_POINT[1]}) that the "
        f"task's cold searches have in the end, {trials + 1} if it is not reached. Warm and cold "
        "have the same seeds.", "",
        f"**Second to fourth search: {reference.said(reference.interval(later, np.mean), 1)} "
        "trials fewer than cold.**", "",
        *reference.table(["k", "warm", "cold", "cold less warm"], rows), "",
    ]  # fmt: skip


def _mean_of(costs: Floats, chosen: NDArray[np.bool_]) -> str:
    return f"{costs[chosen].mean():.2f} ({chosen.sum()})" if chosen.any() else ""


def _draw_recorded(axes: Axes, found: Recorded) -> None:
    costs = found.costs()
    count = np.arange(1, costs.shape[1] + 1)
    ends = np.array([reference.interval(column, np.mean) for column in costs.T])
    axes.fill_between(count, ends[:, 1], ends[:, 2], color=style.ORANGE, alpha=0.2, linewidth=0)
    axes.plot(count, ends[:, 0], color=style.ORANGE, marker="o", markersize=4, label="with history")
    axes.axhline(1.0, color=style.BLUE, linewidth=1.5, label="cold TPE")
    if np.isfinite(found.own_cold()):
        axes.axhline(found.own_cold(), color=style.ORANGE, linestyle="--", linewidth=1.2,
                     label="the same sampler, no history")  # fmt: skip
    axes.axhline(0.05, color=style.GREY, linestyle=":", linewidth=1.5, label="a twentieth")
    axes.set_xticks([1, 5, 10, 15, 20])
    axes.set_xlabel("k-th search of a sequence")
    axes.set_ylabel("trials to what cold TPE ends with,\nrelative to cold TPE")
    axes.set_ylim(0, None)
    axes.set_title(f"recorded tasks, {len(costs)} sequences", fontsize=11, loc="left")
    axes.legend(frameon=False, fontsize=9)


def _draw_trained(axes: Axes, done: list[dict[str, Any]]) -> None:
    costs = trained_costs(done)
    count = np.arange(1, costs["warm"].shape[1] + 1)
    for arm, colour, shift in (("cold", style.BLUE, -0.06), ("warm", style.ORANGE, 0.06)):
        ends = np.array([reference.interval(column, np.mean) for column in costs[arm].T])
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

r"""Checks: stopping by all objectives at once is worth more than stopping by the primary one.

How: 60 random configurations of search/specs/digits.yaml are trained in full, once, and their
learning curves kept (results/reference/early_stopping_curves.parquet). The real scheduler,
`MultiObjectiveASHA`, then meets them again in 200 random orders with two asynchronous workers,
each trial as slow as it was: ranked by both objectives, by clean accuracy alone, or not at all. At
equal numbers of epochs spent, the score is the hypervolume of what ran to its end: of the full
validation metrics, above clean 0.5 and robust 0.0. A second score takes the validation front's
configurations and measures the hypervolume of their test metrics.

Not shown: other tasks, other shares of good configurations, and samplers that learn from what was
stopped. The interval covers the order of trials, not which 60 configurations were drawn.

Cost: ten minutes on two busy CPU cores for the curves, five to ten for the replays.

    python -m benchmarks.early_stopping            # records the curves if they are not there
    python -m benchmarks.early_stopping --record   # records them anew
"""

from __future__ import annotations

import argparse
import bisect
import heapq
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from scipy.stats import spearmanr

from benchmarks import reference
from benchmarks.recorded_curves import CONFIGURATIONS, CURVES, SPEC, Curve, curves, record
from benchmarks.trainings import CACHE
from search.objectives import Objective, pareto
from search.optimize.scheduler import MultiObjectiveASHA
from search.report import style
from search.spec import Spec, load_spec

ORDERS, WORKERS = 200, 2
SEEN_AT = (1, 2, 3, 5, 7, 9, 12)
BUDGETS = (60, 120, 240)  # epochs spent
REFERENCE_POINT = (0.5, 0.0)  # clean, robust
GOALS = (Objective("clean", "maximize"), Objective("robust", "maximize"))
METHODS = ("both objectives", "clean accuracy alone", "no early stopping", "both, grace 5")
# Looked at after the others had been seen, and marked so in the report: no claim rests on it.
EXPLORED = METHODS[3]
LATER_GRACE = 5
GRACE, REDUCTION = 3, 3  # the defaults of a spec


def replay(
    spec: Spec, recorded: Sequence[Curve], order: Sequence[int], method: str
) -> list[tuple[int, int]]:
    """Runs trials in this order on asynchronous workers.

    Returns:
        (epochs spent by all workers so far, trial) for every trial that ran to its end.
    """
    epochs = spec.budget.epochs
    metrics = list(recorded[0].seen[0])
    count = 1 if method == "clean accuracy alone" else 2
    grace = LATER_GRACE if method == EXPLORED else GRACE
    scheduler = MultiObjectiveASHA(
        [Objective(metric, "maximize") for metric in metrics[:count]], grace, epochs,
        reduction_factor=REDUCTION,
    )  # fmt: skip
    waiting, spent, finished = list(order), 0, []
    # (time at which the epoch ends, trial, epoch)
    running = [(recorded[n].seconds[0], n, 1) for n in waiting[:WORKERS]]
    del waiting[:WORKERS]
    heapq.heapify(running)
    while running:
        now, number, epoch = heapq.heappop(running)
        curve, spent = recorded[number], spent + 1
        is_last = epoch == len(curve.seen)
        result = {"epoch": epoch, **curve.seen[epoch - 1]}
        trial = SimpleNamespace(trial_id=f"trial{number}")
        # Ray asks a scheduler nothing about a trial's last result: the trial has ended.
        is_stopped = (
            method != "no early stopping"
            and not is_last
            and scheduler.on_trial_result(None, trial, result) == scheduler.STOP
        )
        if is_last and epoch == epochs:
            finished.append((spent, number))
        if not (is_last or is_stopped):
            heapq.heappush(running, (now + curve.seconds[epoch], number, epoch + 1))
        elif waiting:
            following = waiting.pop(0)
            heapq.heappush(running, (now + recorded[following].seconds[0], following, 1))
    return [*finished, (spent, -1)]


def scores(recorded: Sequence[Curve], numbers: Sequence[int]) -> tuple[float, float, int]:
    """Hypervolume of these complete trials: validation, and test of its front; and their number."""
    losses = pareto.losses([recorded[n].values for n in numbers], GOALS)
    point = pareto.losses([REFERENCE_POINT], GOALS)[0]
    chosen = [n for n, is_best in zip(numbers, pareto.front(losses), strict=True) if is_best]
    test = pareto.losses([recorded[n].test for n in chosen], GOALS)
    return pareto.hypervolume(losses, point), pareto.hypervolume(test, point), len(numbers)


def scores_at(
    recorded: Sequence[Curve], finished: Sequence[tuple[int, int]], budgets: Sequence[int]
) -> list[tuple[float, float, int]]:
    """The scores of what was complete within each budget."""
    ends = [spent for spent, number in finished if number >= 0]
    numbers = [number for _, number in finished if number >= 0]
    after = [scores(recorded, numbers[:count]) for count in range(len(numbers) + 1)]
    return [after[bisect.bisect_right(ends, budget)] for budget in budgets]


def foresight(recorded: Sequence[Curve], epochs: Sequence[int]) -> list[list[str]]:
    """How well an epoch's order of trials foretells the final one: rank correlations."""
    rows = []
    for index, name in enumerate(("clean", "robust")):
        final = [curve.values[index] for curve in recorded]
        cells = []
        for epoch in epochs:
            seen = [list(curve.seen[epoch - 1].values())[index] for curve in recorded]
            cells.append(f"{spearmanr(seen, final).statistic:.2f}")
        rows.append([name, *cells])
    return rows


def compare(spec: Spec, recorded: Sequence[Curve]) -> dict[str, Any]:
    """All methods on the same orders; scores of shape (orders, budgets) under each name."""
    every = list(range(5, 15 * CONFIGURATIONS + 1, 5))
    generator = np.random.default_rng(0)
    orders = [generator.permutation(len(recorded)).tolist() for _ in range(ORDERS)]
    found: dict[str, Any] = {"epochs": every}
    for method in METHODS:
        runs = [replay(spec, recorded, order, method) for order in orders]
        volumes = np.array([scores_at(recorded, run, every) for run in runs])
        found[method] = {
            "validation": volumes[..., 0], "test": volumes[..., 1], "complete": volumes[..., 2],
            "exhausted": np.array([run[-1][0] for run in runs]),
        }  # fmt: skip
    return found


def report(found: dict[str, Any], recorded: Sequence[Curve]) -> None:
    """Writes the reference result and its picture."""
    at = [found["epochs"].index(budget) for budget in BUDGETS]
    rows, differences = [], []
    for method in METHODS:
        for score in ("validation", "test"):
            cells = [
                reference.said(reference.interval(found[method][score][:, index])) for index in at
            ]
            rows.append([method, score, *cells])
    for other in METHODS[1:]:
        for score in ("validation", "test"):
            cells = []
            for index in at:
                gap = found[METHODS[0]][score][:, index] - found[other][score][:, index]
                estimate = reference.said(reference.interval(gap, np.mean))
                cells.append(f"{estimate}; ahead in {np.mean(gap > 0):.0%}, behind in "
                             f"{np.mean(gap < 0):.0%}")  # fmt: skip
            differences.append([f"both, less {other}", score, *cells])
    complete = [
        [method, *(f"{np.median(found[method]['complete'][:, index]):.0f}" for index in at),
         f"{np.median(found[method]['exhausted']):.0f}"]
        for method in METHODS
    ]  # fmt: skip
    whole = scores(recorded, range(len(recorded)))
    header = ["", "split", *(f"{budget} epochs" for budget in BUDGETS)]
    body = [
        "# Early stopping by both objectives, by one, or not at all", "",
        f"{len(recorded)} random configurations of `search/specs/digits.yaml`, {ORDERS} orders, "
        f"{WORKERS} workers, grace 3 epochs, reduction 3. Hypervolume above clean "
        f"{REFERENCE_POINT[0]}, robust {REFERENCE_POINT[1]} (at most 0.5) of trials that ran to "
        f"their end, all configurations together {whole[0]:.3f} (validation), {whole[1]:.3f} "
        "(test of its front). Median over orders and 95 % bootstrap interval:", "",
        *reference.table(header, rows), "",
        "Paired by order, mean difference and its interval:", "",
        *reference.table(header, differences), "",
        "Complete trials (median), and epochs after which all configurations were used up:", "",
        *reference.table(["", *(f"{b} epochs" for b in BUDGETS), "used up"], complete), "",
        "Rank correlation (Spearman) of what the scheduler sees at an epoch with the final metric:",
        "", *reference.table(["", *(f"epoch {e}" for e in SEEN_AT)], foresight(recorded, SEEN_AT)),
        "", f"*{EXPLORED}* was tried after the others had been seen; no claim rests on it.", "",
        "![hypervolume against epochs](early_stopping.png)",
    ]  # fmt: skip
    raw = {
        method: {
            score: {
                str(b): found[method][score][:, i].tolist()
                for b, i in zip(BUDGETS, at, strict=True)
            }
            for score in ("validation", "test", "complete")
        }
        for method in METHODS
    }
    command = "python -m benchmarks.early_stopping " + " ".join(sys.argv[1:])
    reference.write("early_stopping", command.strip(), body, raw)
    draw(found)


def draw(found: dict[str, Any]) -> None:
    """Median and quartiles over orders, validation and test side by side."""
    figure, axes = style.new_figure("What early stopping is worth on digits", columns=2, height=4.2)
    colours = (style.BLUE, style.ORANGE, style.GREY, style.GREEN)
    for place, score in zip(axes, ("validation", "test"), strict=True):
        for method, colour in zip(METHODS, colours, strict=True):
            last = found["epochs"].index(400)
            low, middle, high = np.percentile(found[method][score][:, :last], [25, 50, 75], axis=0)
            epochs = found["epochs"][:last]
            place.plot(epochs, middle, color=colour, label=method)
            if method != EXPLORED:
                place.fill_between(epochs, low, high, color=colour, alpha=0.12, linewidth=0)
        place.set_xlabel("epochs spent by all trials")
        place.set_title(f"{score} split", fontsize=11)
        place.set_ylim(0.33, 0.45)
    axes[0].set_ylabel("hypervolume of complete trials")
    axes[0].legend(frameon=False, title="stopping by (median, quartiles)", fontsize=9)
    style.save(figure, reference.REFERENCE / "early_stopping.png")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--record", action="store_true", help="train the configurations anew")
    parser.add_argument("--cache", type=Path, default=CACHE, help="folder of finished trainings")
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    spec = load_spec(SPEC)
    if given.record or not CURVES.exists():
        table = record(spec, given.cache, given.processes)
    else:
        table = pq.read_table(CURVES)
    recorded = curves(spec, table)
    report(compare(spec, recorded), recorded)


if __name__ == "__main__":
    main()

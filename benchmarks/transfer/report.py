"""The report of the transfer benchmark: the goals, a table a scenario, raw data."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.harness import provenance, tables
from benchmarks.harness.statistics import Estimate
from benchmarks.transfer import peers
from benchmarks.transfer.comparisons import difference, level, ratio, trials_to_cold
from benchmarks.transfer.curves import StoredCurves
from benchmarks.transfer.gates import (
    PUBLISHED_COLD,
    RECIPE,
    RECIPE_TRIALS_TO_COLD,
    gates,
)
from benchmarks.transfer.plot import draw
from benchmarks.transfer.scenarios import MISLEADING, SCENARIOS

MARKS = (5, 10, 20, 50, 100)
_KEPT_MARKS = (1, 2, 3, 5, 7, 10, 15, 20, 30, 40, 50, 70, 100)
_TITLES = {
    "related": "Related history",
    "inverted": "Misleading: values reflected from best to worst",
    "shuffled": "Misleading: values permuted",
    "half": "Misleading: every second source inverted",
    "none": "No history",
    "two": "Two objectives (accuracy, time of training): lost share of the best hypervolume",
}


def show(curves: StoredCurves) -> None:
    """Print what there is, the goals last."""
    for scenario in SCENARIOS:
        lines = scenario_table(curves, scenario)
        if lines:
            print("\n".join([f"\n{_TITLES[scenario]}", *lines]))
    print("\n".join(["", *gate_table(curves)]))


def write(curves: StoredCurves, command: str) -> None:
    """Write results/reference/transfer.md, .json and .png."""
    body = [
        "# What history is worth, next to every peer", "",
        "HPOBench-MLP, one of eight tasks left out at a time, the other seven's past searches as "
        "history, 100 trials, every trial looked up. Regret: 0 is the best of 30,000 "
        "configurations, 1 the median one; means over eight tasks. Brackets hold 95 % intervals "
        "over seeds (Student's t for means and differences, bootstrap for ratios and for trials "
        "to cold@100: the first trial at which a task's seed-mean regret is what cold TPE's is "
        "after 100, median over tasks), paired with cold TPE on the same seeds. They say how far "
        "other seeds would differ, not other tasks.", "",
        "## Goals", "", *gate_table(curves), "",
        "*holds, interval not*: the mean is within the limit and the interval reaches beyond it. "
        "The recipe was not run here: its numbers are those published in the README of the "
        f"recorded searches ({_published()}; trials to cold@100 {RECIPE_TRIALS_TO_COLD}).", "",
    ]  # fmt: skip
    for scenario in SCENARIOS:
        lines = scenario_table(curves, scenario)
        if lines:
            body += [f"## {_TITLES[scenario]}", "", *lines, ""]
    body += [*_remarks(curves), "", "![regret against trials](transfer.png)"]
    raw = {"scenarios": _raw(curves)}
    seeds = "0 to one less than the number in brackets, the same for every method"
    written = provenance.write("transfer", body, raw, command=command, seeds=seeds)
    draw(curves, written.with_suffix(".png"))


def gate_table(curves: StoredCurves) -> list[str]:
    """Return a line for every goal."""
    rows = [
        [gate.goal, _estimate(gate.measured), gate.seeds, gate.verdict] for gate in gates(curves)
    ]
    return tables.table(["goal", "measured", "seeds", ""], rows) if rows else []


def scenario_table(curves: StoredCurves, scenario: str) -> list[str]:
    """Return every method that has results there, cold ones too; nothing if none has."""
    if not any(curves.has(method, scenario) for method in peers.METHODS):
        return []
    rows = []
    for method in peers.METHODS:
        own = curves.get(method, scenario)
        is_cold_only = (
            scenario in MISLEADING and not curves.has(method, scenario) and method != "tpe"
        )
        if own is None or is_cold_only:
            continue
        row = [f"{method} ({len(own.seeds)})"]
        row += [_short(level(own.values, trial)[0]) for trial in MARKS]
        pair = curves.pair(method, "tpe", scenario)
        if pair is None or method == "tpe":
            row += [""] * 6
        else:
            row += [_counted(trials_to_cold(*pair))]
            row += [tables.with_interval(ratio(*pair, trial), 2) for trial in (20, 100)]
            row += [_signed(difference(*pair, trial)) for trial in (20, 50, 100)]
        rows.append([*row, f"{own.seconds:.1f}"])
    header = ["method (seeds)", *(f"@{trial}" for trial in MARKS), "trials to cold@100",
              "by cold TPE @20", "by it @100", *(f"less it @{trial}" for trial in (20, 50, 100)),
              "seconds a search"]  # fmt: skip
    return tables.table(header, rows)


def _remarks(curves: StoredCurves) -> list[str]:
    errors = [
        f"- {method} did not run: {error}"
        for method in peers.METHODS
        for error in curves.errors(method, "related")[:1]
    ]
    return [
        "Seconds are of one core that did other work too, and include everything. Misleading "
        "scenarios use past *random* searches. Seeds from 10 on have no recorded past searches; "
        "theirs were drawn by the benchmark. Bounding box searches within the box by BORE. Syne "
        f"Tune {peers.SYNE_TUNE_VERSION} has no RUSH any more. {_cold_of_goal(curves)}",
        *errors,
    ]


def _cold_of_goal(curves: StoredCurves) -> str:
    cold = curves.get("tpe", "none")
    if cold is None:
        return ""
    text = tables.with_interval(level(cold.values, 100))
    few = cold.values[:, :10, -1].mean()
    return (
        f"Trials to cold@100 depend on what cold TPE happens to have after 100 trials: {few:.4f} "
        f"on the first 10 seeds, {text} on all {len(cold.seeds)}, {PUBLISHED_COLD} as published; "
        "the tables take the same seeds. With two objectives cold TPE was published as .320 @20 "
        "and .153 @100, and the recorded searches have .339 and .157; the definition of the "
        "hypervolume is the same to the last digit, so the lower value here comes from the "
        "seeds or the settings."
    )


def _raw(curves: StoredCurves) -> dict[str, Any]:
    """Return means after every trial, and the mean over tasks of every seed at some trials."""
    raw: dict[str, Any] = {}
    for scenario in SCENARIOS:
        for method in peers.METHODS:
            own = curves.get(method, scenario) if curves.has(method, scenario) else None
            if own is not None:
                by_seed = own.values.mean(axis=0)
                raw.setdefault(scenario, {})[method] = {
                    "seeds": list(own.seeds),
                    "mean": np.round(by_seed.mean(axis=0), 5).tolist(),
                    "by_seed": {
                        str(mark): np.round(by_seed[:, mark - 1], 4).tolist()
                        for mark in _KEPT_MARKS
                    },
                }
    return raw


def _published() -> str:
    return ", ".join(f"{_short(value)}@{trial}" for trial, value in RECIPE.items())


def _short(value: float) -> str:
    return f"{value:.3f}".removeprefix("0")


def _signed(estimate: Estimate) -> str:
    middle, low, high = (f"{value:+.3f}".replace("0.", ".", 1) for value in estimate)
    return f"{middle} [{low}, {high}]"


def _estimate(estimate: Estimate) -> str:
    return _counted(estimate) if estimate[0] >= 2 else tables.with_interval(estimate)


def _counted(estimate: Estimate) -> str:
    middle, low, high = (">100" if value > 100 else f"{round(value, 1):g}" for value in estimate)
    return f"{middle} [{low}, {high}]"

"""The report of benchmarks/transfer.py: tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks import peers, reference
from benchmarks.recorded_tasks import Family
from benchmarks.stored_results import StoredResults
from benchmarks.transfer_curves import StoredCurves
from benchmarks.transfer_scenarios import SCENARIOS
from benchmarks.transfer_statistics import Estimate, difference, level, ratio, trials_to_cold

MARKS = (5, 10, 20, 50, 100)


def report(family: Family, store: StoredResults, job: Callable[..., Any], *, full: bool) -> None:
    """Prints the tables; `full` writes results/reference/transfer.* besides."""
    curves = StoredCurves(family, store, job)
    if full:
        raise NotImplementedError
    for scenario in SCENARIOS:
        lines = scenario_table(curves, scenario)
        if lines:
            print("\n".join([f"\n{scenario}", *lines]))


def scenario_table(curves: StoredCurves, scenario: str) -> list[str]:
    """Every method that has results; nothing if none has."""
    rows = []
    if not any(curves.has(method, scenario) for method in peers.METHODS):
        return []
    for method in peers.METHODS:
        own = curves.get(method, scenario)
        if own is None:
            continue
        row = [f"{method} ({len(own.seeds)})"]
        row += [_short(level(own.values, trial)[0]) for trial in MARKS]
        pair = curves.pair(method, "tpe", scenario)
        if pair:
            row += [_counted(trials_to_cold(*pair))]
            row += [reference.said(ratio(*pair, trial), 2) for trial in (20, 100)]
            row += [_signed(difference(*pair, trial)) for trial in (20, 50, 100)]
        else:
            row += [""] * 6
        rows.append([*row, f"{own.seconds:.1f}"])
    header = ["method (seeds)", *(f"@{trial}" for trial in MARKS), "trials to cold@100",
              "ratio @20", "ratio @100", *(f"less TPE @{trial}" for trial in (20, 50, 100)),
              "seconds"]  # fmt: skip
    return reference.table(header, rows) if rows else []


def _short(value: float) -> str:
    return f"{value:.3f}".removeprefix("0")


def _signed(estimate: Estimate) -> str:
    middle, low, high = (f"{value:+.3f}".replace("0.", ".", 1) for value in estimate)
    return f"{middle} [{low}, {high}]"


def _counted(estimate: Estimate) -> str:
    middle, low, high = (">100" if value > 100 else f"{value:g}" for value in estimate)
    return f"{middle} [{low}, {high}]"

"""The report of the gradient-masking benchmark: what was caught by which check, false alarms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.harness import provenance, tables
from tests.support.broken_defences import CAUSES


def report(
    found: Mapping[str, Any],
    threats: list[str],
    command: str,
) -> None:
    """Write results/reference/gradient_masking.*."""
    broken = tables.table(["defence", "clean", *threats], _broken_rows(found["broken"], threats))
    honest = tables.table(["network", "clean", *threats], _honest_rows(found["honest"], threats))
    costs = [[name, f"{value:.2f}"] for name, value in found["seconds"].items()]
    lines = [
        "# Checks against gradient masking", "", *_summary(found, threats), "",
        "## Broken defences", "",
        "How many of the seeds 0, 1, 2 raised each warning; bold where it names the cause.", "",
        *broken, "",
        "## Honest networks", "", *honest, "",
        "## Cost: seconds for 128 images of 8x8 pixels, one core", "",
        *tables.table(["check", "seconds"], costs), "",
        f"All of `check` under {threats[0]}: median {_median_seconds(found):.1f} s over the honest "
        "networks.",
    ]  # fmt: skip
    seeds = "0 to 19 of the honest networks, 0 to 2 of the broken ones, 0 of the attacks"
    provenance.write("gradient_masking", lines, dict(found), command=command, seeds=seeds)


def _summary(found: Mapping[str, Any], threats: list[str]) -> list[str]:
    lines = []
    for threat in threats:
        alarms = sum(len(model[threat]["warnings"]) for model in found["honest"].values())
        caught = [
            sum(bool(causes(name) & set(model[threat]["warnings"])) for model in models)
            for name, models in found["broken"].items()
        ]
        lines.append(
            f"- {threat}: {sum(caught)} of {3 * len(caught)} broken defences are caught by a "
            f"warning that names the cause; {alarms} warnings over {len(found['honest'])} honest "
            "networks (goal: at most 1)"
        )
    return lines


def causes(name: str) -> frozenset[str]:
    """Return the warnings that name the cause of a broken defence."""
    return CAUSES[name.removesuffix(", batch")]


def _broken_rows(broken: Mapping[str, list[Any]], threats: list[str]) -> list[list[str]]:
    rows = []
    for name, models in broken.items():
        cells = []
        for threat in threats:
            counts = Counter(raised for model in models for raised in model[threat]["warnings"])
            cells.append(
                "; ".join(
                    f"**{raised}** {count}" if raised in causes(name) else f"{raised} {count}"
                    for raised, count in counts.most_common()
                )
            )
        rows.append([name, _clean(models), *cells])
    return rows


def _honest_rows(models: Mapping[str, Any], threats: list[str]) -> list[list[str]]:
    return [
        [
            name,
            _clean([model]),
            *("; ".join(model[threat]["warnings"]) or "-" for threat in threats),
        ]
        for name, model in models.items()
    ]


def _clean(models: list[Any]) -> str:
    return ", ".join(f"{next(iter(model.values()))['clean']:.3f}" for model in models)


def _median_seconds(found: Mapping[str, Any]) -> float:
    seconds = [next(iter(model.values()))["seconds"] for model in found["honest"].values()]
    return float(np.median(seconds))

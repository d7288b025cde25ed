"""The report of what a search is deceived by: accuracies before and after the confirmation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from benchmarks.harness import provenance, tables

# Largest distance to the adaptive attack's accuracy at which a replaced one counts as right.
NEAR = 0.05


def report_in_search(found: Mapping[str, Any], command: str) -> None:
    """Write results/reference/gradient_masking_in_search.*."""
    masked, honest = found["masked"], found["honest"]
    every = [each for models in masked.values() for each in models]
    warned = sum(bool(each["warnings"]) for each in every)
    excluded = sum(each["is_excluded"] for each in every)
    near = sum(each["kept"] <= each["adaptive"] + NEAR for each in every if not each["is_excluded"])
    alarms = sum(len(each["warnings"]) for each in honest.values())
    replaced = sum(each["is_replaced"] for each in honest.values())
    lines = [
        "# Masked gradients inside the search", "",
        f"- {excluded} of {len(every)} masked networks do not count ({warned} are warned of); "
        f"{near} of the other {len(every) - excluded} have an accuracy within {NEAR} of what an "
        "adaptive attack leaves",
        f"- {alarms} warnings over {len(honest)} honest networks (goal: at most 1), of which "
        f"{replaced} had their accuracy replaced", "",
        "Robust accuracy on the 149 images of the objective part of digits, L-infinity 0.1: under "
        "the search's attack, with targeted APGD (128 of them), after the whole confirmation, and "
        "under an adaptive attack. Seeds 0, 1, 2.", "",
        "## Masked networks", "", *tables.table(*_masked(masked)), "",
        "## Honest networks", "", *tables.table(*_honest(honest)), "",
        "`work` is that of the confirmation relative to the search's attack and evaluation.",
    ]  # fmt: skip
    seeds = "0 to 19 of the honest networks, 0 to 14 of those that are masked, 0 of the attacks"
    provenance.write("gradient_masking_in_search", lines, dict(found), command=command, seeds=seeds)


def _masked(masked: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    rows = []
    for name, models in masked.items():
        raised = Counter(warning for each in models for warning in each["warnings"])
        warnings = "; ".join(f"{warning} {count}" for warning, count in raised.most_common())
        values = (_three(models, key) for key in ("search", "apgd", "kept", "adaptive", "work"))
        rows.append([name, *values, warnings or "-"])
    return ["network", "search", "APGD-T", "confirmed", "adaptive", "work", "warnings"], rows


def _honest(honest: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    rows = [
        [name, *(f"{each[key]:.3f}" for key in ("clean", "search", "apgd", "kept", "work")),
         "; ".join(each["warnings"]) or "-"]
        for name, each in honest.items()
    ]  # fmt: skip
    return ["network", "clean", "search", "APGD-T", "confirmed", "work", "warnings"], rows


def _three(models: list[Any], key: str) -> str:
    return ", ".join(f"{each[key]:.2f}" for each in models)

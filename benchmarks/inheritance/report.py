"""The report of the inheritance benchmark: paired differences, tables and costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from benchmarks.harness import provenance, tables
from benchmarks.harness.statistics import Estimate
from benchmarks.inheritance.cells import (
    BOTH,
    CONTROL,
    HISTORY,
    SCRATCH,
    SHUFFLED,
    Cell,
    Place,
    best_of,
    is_done,
)
from benchmarks.inheritance.comparisons import (
    ARMS,
    CONTRASTS,
    Records,
    arm_name,
    best_so_far,
    complete,
    cpu_seconds,
    differences,
    intervals,
    source_seconds,
    tested,
)
from benchmarks.inheritance.data import Domain, entity_types
from benchmarks.inheritance.plot import draw
from benchmarks.inheritance.training import THREAT

ROBUST = THREAT.metric("entities")


def report(
    place: Place, cells: Sequence[Cell], domains: Mapping[str, Domain], command: str
) -> None:
    """Write results/reference/inheritance.*, from the cells that are done."""
    known = _published(place)
    records = {
        cell: place.read(cell) if is_done(place, cell) else known[cell.name]
        for cell in cells
        if is_done(place, cell) or cell.name in known
    }
    missing = [cell.name for cell in cells if cell not in records]
    if not any(cell.arm == HISTORY for cell in records):
        raise SystemExit(f"nothing to compare yet; missing: {', '.join(missing)}")
    body = [
        "# Do history and weights help?", "", *_setting(place, domains), "",
        *_missing(missing), "## Test F1, paired", "", *_contrasts(records), "",
        "![paired differences, and validation F1 by trials](inheritance.png)", "",
        "## Test F1 by target", "", *_targets(records, domains), "",
        "## By trials", "", *_trials(records), "",
        "## Under attack", "", *_robust(records), "",
        "## Cost", "", *_costs(records), "",
        "## Where trials came from", "", *_steps(records),
    ]  # fmt: skip
    raw = {"missing": missing, "dropped": {name: dict(d.dropped) for name, d in domains.items()},
           "cells": {cell.name: dict(record) for cell, record in records.items()}}  # fmt: skip
    facts = [record["environment"] for record in records.values() if "environment" in record]
    written = provenance.write(
        "inheritance", body, raw, command=command, facts=max(facts, key=lambda each: each["date"]),
        seeds=", ".join(str(seed) for seed in sorted({cell.seed for cell in records})),
    )  # fmt: skip
    draw(records, written.with_suffix(".png"), len(missing))


def _published(place: Place) -> dict[str, Mapping[str, Any]]:
    """Return cells of an earlier report with the same settings, by name."""
    path = provenance.REFERENCE / "inheritance.json"
    cells = provenance.stored("inheritance")["cells"] if path.exists() else {}
    same = asdict(place.settings)
    return {name: record for name, record in cells.items() if record.get("settings") == same}


def _setting(place: Place, domains: Mapping[str, Domain]) -> list[str]:
    shared = place.settings
    sizes = ", ".join(f"{name} {len(domain.splits.train)}" for name, domain in domains.items())
    dropped = "; ".join(
        f"{name}: {', '.join(f'{why} {count}' for why, count in domain.dropped.items() if count)}"
        for name, domain in domains.items()
        if any(domain.dropped.values())
    )
    return [
        f"Five CrossNER domains, each once the target, two seeds; {shared.trials} trials of "
        f"{shared.epochs} epochs of `{shared.base}`, adaptation full or LoRA. The objective is the "
        "entity F1 of the whole validation split, evaluated once, after the last epoch; the result "
        "of a search is the test F1 of its best trial by validation, the only one tested.", "",
        f"- *{arm_name(SCRATCH)}*: the sampler without history, the pretrained weights.",
        f"- *{arm_name(HISTORY)}*: the same sampler with the scratch searches of the other four "
        "domains (same seed).",
        f"- *{arm_name(BOTH)}*: in addition, every trial starts from the best scratch trial of the "
        "one domain with most label names in common (ties by the alphabet).",
        f"- *{arm_name(CONTROL)}*: as before, but that source was trained, with the same "
        "configuration and seed, on shuffled labels: types permuted among entities of the same "
        "length, places permuted within each sentence.", "",
        f"Training sentences: {sizes}. Left out of training in every arm, because they are "
        "repeated, occur in the domain's own validation or test (own), or in that of another "
        f"domain (others): {dropped or 'none'}.",
    ]  # fmt: skip


def _missing(missing: Sequence[str]) -> list[str]:
    if not missing:
        return []
    return [f"**Not complete, cells missing: {len(missing)}** ({', '.join(missing)}). All "
            "numbers are of the pairs that are done.", ""]  # fmt: skip


def _contrasts(records: Records) -> list[str]:
    values = tested(records)
    rows = []
    for arm, other in CONTRASTS:
        apart = differences(values, arm, other)
        if apart:
            pairs, targets = intervals(apart)
            ahead = sum(difference > 0 for difference in apart.values())
            rows.append([f"{arm_name(arm)} - {arm_name(other)}", _text(pairs),
                         _text(targets), f"{ahead} of {len(apart)}"])  # fmt: skip
    header = ["difference", "mean and 95 % interval, over pairs", "over targets' means", "ahead in"]
    return [
        "Pairs have target and seed in common. Intervals by Student's t; seeds of a target are not "
        "independent, so the one over targets' means is the safe one.", "",
        *tables.table(header, rows),
    ]  # fmt: skip


def _text(estimate: Estimate) -> str:
    if not np.isfinite(estimate[1]):
        return f"{estimate[0]:.3f} [one value: no interval]"
    return tables.with_interval(estimate)


def _targets(records: Records, domains: Mapping[str, Domain]) -> list[str]:
    values = tested(records)
    rows = []
    for target in domains:
        for seed in sorted({cell.seed for cell in records}):
            both = records.get(Cell(target, seed, BOTH), {})
            types = len(entity_types(domains[target].splits.label_names))
            carried = len(entity_types(both.get("rows_carried", ())))
            results = [values[arm].get((target, seed)) for arm in ARMS]
            rows.append([
                target, seed, both.get("source", ""),
                f"{carried} of {types}" if both else "", both.get("overlap", ""),
                *("" if value is None else f"{value:.3f}" for value in results),
            ])  # fmt: skip
    header = ["target", "seed", "weights from", "types carried", "overlap", *map(arm_name, ARMS)]
    return [
        "*overlap*: training sentences of the source in the target's validation or test, after "
        "the removal above.", "", *tables.table(header, rows),
    ]  # fmt: skip


def _trials(records: Records) -> list[str]:
    pairs = complete(records)
    rows = []
    for arm in ARMS if pairs else ():
        curves = np.array([best_so_far(records[Cell(*pair, arm)]) for pair in pairs])
        rows.append([arm_name(arm), *(f"{value:.3f}" for value in curves.mean(axis=0))])
    trials = len(rows[0]) - 1 if rows else 0
    return [
        f"Best validation F1 so far, mean of the {len(pairs)} pairs that have every arm.", "",
        *tables.table(["arm", *(f"after trial {n + 1}" for n in range(trials))], rows),
    ]  # fmt: skip


def _robust(records: Records) -> list[str]:
    pairs = complete(records)
    clean, robust = tested(records), tested(records, ROBUST)
    rows = [
        [arm_name(arm), f"{np.mean([clean[arm][pair] for pair in pairs]):.3f}",
         f"{np.mean([robust[arm][pair] for pair in pairs]):.3f}"]
        for arm in ARMS if pairs
    ]  # fmt: skip
    return [
        f"Entity F1 of the whole test split, and of {THREAT.examples} sentences of it under "
        f"greedy typos in at most {THREAT.share:.0%} of the words outside entities; mean of the "
        f"{len(pairs)} pairs that have every arm. It was no objective.", "",
        *tables.table(["arm", "clean", "attacked"], rows),
    ]  # fmt: skip


def _costs(records: Records) -> list[str]:
    rows = []
    for arm in ARMS:
        cells = [cell for cell in records if cell.arm == arm]
        if cells:
            own = np.mean([cpu_seconds(records[cell]) for cell in cells])
            past = np.mean([source_seconds(records, cell) for cell in cells])
            rows.append([arm_name(arm), len(cells), f"{own:.0f}", f"{past:.0f}"])
    total = sum(cpu_seconds(record) for record in records.values())
    sources = sum(cpu_seconds(r) for cell, r in records.items() if cell.arm == SCRATCH)
    shuffles = sum(cpu_seconds(r) for cell, r in records.items() if cell.arm == SHUFFLED)
    header = ["arm", "searches", "CPU-seconds a search", "CPU-seconds of the sources it used"]
    return [
        *tables.table(header, rows), "",
        f"The sources were searched once for all targets: {sources:.0f} CPU-seconds the scratch "
        f"searches, {shuffles:.0f} the trainings on shuffled labels; everything together "
        f"{total:.0f}. One thread a training, evaluation on validation included, the final test "
        "not.",
    ]  # fmt: skip


def _steps(records: Records) -> list[str]:
    lines = []
    for arm in ARMS:
        trials = [trial for cell, r in records.items() if cell.arm == arm for trial in r["trials"]]
        best = [r["trials"][best_of(r)] for cell, r in records.items() if cell.arm == arm]
        steps = [trial["step"] for trial in trials]
        counts = ", ".join(f"{step} {steps.count(step)}" for step in dict.fromkeys(steps))
        full = sum(trial["configuration"]["adaptation"] == "full" for trial in best)
        lines.append(f"- {arm_name(arm)}: {counts}; of {len(best)} best trials {full} were full "
                     "fine-tuning, the others LoRA.")  # fmt: skip
    return lines

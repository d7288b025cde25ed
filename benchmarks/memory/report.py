"""The reports of the memory benchmark: tables, a verdict and a picture for each claim."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.harness import provenance, tables
from benchmarks.harness.statistics import Estimate, bootstrap
from benchmarks.memory.plot import draw_related, draw_same
from benchmarks.memory.protocol import (
    COPIED,
    FRESH_SEEDS,
    MARGIN,
    RELATED_POINT,
    SAME_EPOCHS,
    SAME_POINT,
    SOURCE,
    TARGET,
    trials_to,
)


class Origin(NamedTuple):
    """The command that made a result, and what it depends on; None: this process."""

    command: str
    facts: Mapping[str, str] | None


def report_same(done: list[dict[str, Any]], trials: int, origin: Origin) -> None:
    """Write results/reference/memory_same.*."""
    scores = {
        arm: np.array([each["test"][arm]["hypervolume"] for each in done])
        for arm in done[0]["test"]
    }
    validation = {arm: np.array([each["validation"][arm] for each in done]) for arm in scores}
    rows = [
        [arm, tables.with_interval(bootstrap(scores[arm])), f"{scores[arm].mean():.3f}",
         f"{np.median(validation[arm]):.3f}"]
        for arm in scores
    ]  # fmt: skip
    gaps = {
        f"{arm} less {other}": scores[arm] - scores[other]
        for arm, other in (
            ("warm", "cold"), ("past and warm", "cold"), ("warm", "cold, first half"),
            ("cold, first half", "cold"),
        )
    }  # fmt: skip
    claim = bootstrap(gaps["warm less cold"], np.mean)
    body = [
        f"# The same task again: {trials} warm trials against {2 * trials} cold ones", "",
        f"`benchmarks/digits.yaml` with {SAME_EPOCHS} epochs instead of 15, {len(done)} paired "
        "repetitions, no early stopping, in one process. Hypervolume above clean "
        f"{SAME_POINT[0]}, robust {SAME_POINT[1]} (at most 0.5) of the validation front's "
        f"configurations, trained again with {FRESH_SEEDS} new seeds and measured on the test "
        "split.", "",
        f"**Claim: warm {trials} >= cold {2 * trials} - {MARGIN}: {_verdict(claim, -MARGIN)}** "
        f"Mean difference {tables.with_interval(claim, 4)}. But {trials} cold trials are only "
        f"{-gaps['cold, first half less cold'].mean():.4f} behind {2 * trials} cold ones: the "
        f"evidence for memory is the difference of warm and cold at {trials} trials.", "",
        *tables.table(
            ["arm", "test, median and 95 % interval", "test, mean", "validation, median"], rows
        ), "",
        *tables.table(
            ["paired difference (test)", "mean and 95 % interval", "median", "ahead in"],
            [[name, tables.with_interval(bootstrap(gap, np.mean), 4), f"{np.median(gap):.4f}",
              f"{(gap > 0).sum()} of {len(gap)}"] for name, gap in gaps.items()],
        ), "",
        f"Warm trials that repeated an earlier configuration, and so counted for nothing: "
        f"{sum(each['repeats'] for each in done)} of {trials * len(done)}. Where warm trials came "
        f"from: {_steps(done, 'warm')}.", "",
        "![hypervolume by repetition](memory_same.png)",
    ]  # fmt: skip
    written = _write("memory_same", body, done, origin)
    draw_same(scores, trials, written.with_suffix(".png"))


def report_related(done: list[dict[str, Any]], trials: int, origin: Origin) -> None:
    """Write results/reference/memory_related.*."""
    volumes = {
        arm: np.array([each["volumes"][arm] for each in done]) for arm in ("cold", "warm", "copied")
    }
    own = volumes["cold"][:, -1]
    shared = np.full(len(done), np.median(own))
    rows, gaps = [], []
    for title, goals in (("its own cold search's", own), ("the cold searches' median", shared)):
        needed = {
            arm: np.array([trials_to(v, g) for v, g in zip(volumes[arm], goals, strict=True)])
            for arm in volumes
        }
        for arm, counts in needed.items():
            missed = f"{(counts > trials).sum()} of {len(counts)}"
            rows.append([title, arm, tables.with_interval(bootstrap(counts), 1),
                         f"{counts.mean():.1f}", missed])  # fmt: skip
        for arm in ("warm", "copied"):
            fewer = needed["cold"] - needed[arm]
            gaps.append([title, f"cold less {arm}", tables.with_interval(bootstrap(fewer), 1),
                         tables.with_interval(bootstrap(fewer, np.mean), 1),
                         f"{(fewer > 0).sum()} fewer, {(fewer < 0).sum()} more"])  # fmt: skip
        fewer = needed["copied"] - needed["warm"]
        gaps.append([title, "copied less warm", tables.with_interval(bootstrap(fewer), 1),
                     tables.with_interval(bootstrap(fewer, np.mean), 1),
                     f"{(fewer > 0).sum()} fewer, {(fewer < 0).sum()} more"])  # fmt: skip
    marks = [n for n in (1, 2, 4, 8, 16) if n <= trials]
    after = [
        [arm, *(tables.with_interval(bootstrap(volumes[arm][:, n - 1])) for n in marks)]
        for arm in volumes
    ]
    apart = [
        [
            f"{arm} less {other}",
            *(
                tables.with_interval(
                    bootstrap(volumes[arm][:, n - 1] - volumes[other][:, n - 1], np.mean)
                )
                for n in marks
            ),
        ]
        for arm, other in (("warm", "cold"), ("copied", "cold"), ("warm", "copied"))
    ]
    body = [
        f"# A related task: what {trials} trials on {SOURCE} are worth on {TARGET}", "",
        f"`benchmarks/memory/related.yaml`, {len(done)} paired repetitions, no early stopping, in "
        f"one process. Hypervolume on the validation split above clean {RELATED_POINT[0]}, robust "
        f"{RELATED_POINT[1]} (at most 0.6). *cold*: no history. *warm*: {trials} trials of the "
        f"source as history. *copied*: the source's best {COPIED} first, then as cold.", "",
        f"Trials until the hypervolume is reached that a cold search has after {trials} "
        f"({trials + 1} if it is not within {trials}):", "",
        *tables.table(
            ["goal", "arm", "median and 95 % interval", "mean", "not reached"], rows
        ), "",
        "Paired by repetition (positive: fewer trials than the first):", "",
        *tables.table(["goal", "difference", "median", "mean", "repetitions"], gaps), "",
        "Hypervolume after so many trials, median and 95 % interval:", "",
        *tables.table(["arm", *(f"{n}" for n in marks)], after), "",
        "Paired difference of these, mean and 95 % interval:", "",
        *tables.table(["difference", *(f"{n}" for n in marks)], apart), "",
        f"Where warm trials came from: {_steps(done, 'warm')}.", "",
        "![hypervolume against trials](memory_related.png)",
    ]  # fmt: skip
    written = _write("memory_related", body, done, origin)
    draw_related(volumes, shared[0], trials, written.with_suffix(".png"))


def _write(name: str, body: list[str], done: list[dict[str, Any]], origin: Origin) -> Path:
    numbers = ", ".join(str(each["repetition"]) for each in done)
    return provenance.write(
        name, body, {"repetitions": done}, command=origin.command, facts=origin.facts,
        seeds=f"repetitions {numbers}; each arm has its own seed, which follows from the number",
    )  # fmt: skip


def _verdict(claim: Estimate, margin: float) -> str:
    if claim[1] >= margin:
        return "holds."
    return "refuted." if claim[2] < margin else "not decided by these repetitions."


def _steps(done: list[dict[str, Any]], arm: str) -> str:
    steps = [step for each in done for step in each["searches"][arm]["steps"]]
    return ", ".join(f"{name} {steps.count(name)}" for name in dict.fromkeys(steps))

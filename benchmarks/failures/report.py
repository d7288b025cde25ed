"""The report of the failures benchmark: failures and regret with and without the memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.failures.run import HISTORIES, TRIALS, Job, regrets_of
from benchmarks.harness import provenance, tables
from benchmarks.harness.cells import StoredResults
from benchmarks.harness.statistics import Floats, mean_interval

# What is measured of a search.
COLUMNS = ("failures in 10", f"failures in {TRIALS}", "regret at 10", f"regret at {TRIALS}")
# (history, whether failures count) -> one row a repetition, one column a measure.
Measured = Mapping[tuple[str, bool], Floats]

IN_WORDS = {
    "none": "none",
    "true": "3 other tasks",
    "phantom": "3 other tasks whose failures are not true here: nothing fails",
    "mirrored": "3 other tasks that fail at the other ends",
    "same": "this task",
    "same phantom": "this task, when it failed as it no longer does: nothing fails",
}


def measured(histories: Sequence[str], seeds: Sequence[int], store: StoredResults) -> Measured:
    """Return what is measured of the searches, both sides of each history."""
    return {
        (history, has_memory): np.array(
            [_measures(Job(history, has_memory, seed), store) for seed in seeds]
        )
        for history in histories
        for has_memory in (False, True)
    }


def report(found: Measured, seeds: Sequence[int], command: str) -> None:
    """Write results/reference/failures.md and .json."""
    histories = [history for history in HISTORIES if (history, True) in found]
    rows, gaps = [], []
    for history in histories:
        sides = found[history, False], found[history, True]
        for name, values in zip(("without", "with"), sides, strict=True):
            rows.append([IN_WORDS[history], name, *_cells(values)])
        gaps.append([IN_WORDS[history], *_cells(sides[1] - sides[0])])
    body = [
        "# What a memory of failures is worth", "",
        f"{len(seeds)} repetitions of {TRIALS} trials on simulated trainings of five "
        "hyperparameters, of which .60 of the space runs out of memory or diverges and the best "
        "configuration that trains lies at that edge. Regret: 0 is that configuration, 1 the "
        "median of what trains; 1 while nothing has trained. Means with 95 % intervals "
        "(Student's t).", "",
        *tables.table(["earlier trials", "memory", *COLUMNS], rows), "",
        "With the memory less without, paired by repetition:", "",
        *tables.table(["earlier trials", *COLUMNS], gaps),
    ]  # fmt: skip
    raw: dict[str, Any] = {
        "measures": list(COLUMNS),
        **{f"{history}, {'with' if has_memory else 'without'}": values.round(4).tolist()
           for (history, has_memory), values in found.items()},
    }  # fmt: skip
    said = f"{seeds[0]} to {seeds[-1]}, of tasks, earlier searches and the sampler"
    provenance.write("failures", body, raw, command=command, seeds=said)


def _measures(job: Job, store: StoredResults) -> list[float]:
    result = store.get(job.key())
    assert result is not None, f"{job} was not run"
    failed, regrets = result["failed"], regrets_of(job, result)
    return [sum(failed[:10]), sum(failed), regrets[9], regrets[TRIALS - 1]]


def _cells(values: Floats) -> list[str]:
    digits = (1, 1, 3, 3)
    return [
        tables.with_interval(mean_interval(column), places)
        for column, places in zip(values.T, digits, strict=True)
    ]

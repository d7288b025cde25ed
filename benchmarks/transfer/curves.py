"""Regret curves of the transfer benchmark, from the searches that are stored."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.harness.cells import StoredResults
from benchmarks.harness.statistics import Floats
from benchmarks.transfer import peers
from benchmarks.transfer.recorded_tasks import Family

# No method was run with more; a stored seed beyond is not looked for.
MOST_SEEDS = 100


@dataclass(frozen=True)
class Curves:
    """One method in one scenario, over the seeds for which every task was searched.

    Attributes:
        seeds: Which ones.
        values: Shape `(tasks, seeds, trials)`.
        seconds: Of a search, the median: suggestions and everything else.
    """

    seeds: tuple[int, ...]
    values: Floats
    seconds: float

    def on(self, seeds: Sequence[int]) -> Floats:
        """Return the values of some of its seeds."""
        return self.values[:, [self.seeds.index(seed) for seed in seeds]]


class StoredCurves:
    """Finds curves; methods that use no history have them under the scenario "none"."""

    def __init__(self, family: Family, store: StoredResults, job: Callable[..., Any]) -> None:
        self._family, self._store, self._job = family, store, job

    @functools.cache  # noqa: B019 - one instance a process
    def get(self, method: str, scenario: str) -> Curves | None:
        """Return the curves, or None if no seed is complete."""
        if method in peers.COLD and scenario != "two":
            scenario = "none"
        seeds, values, seconds = [], [], []
        for seed in range(MOST_SEEDS):
            found = [
                self._store.get(self._job(method, scenario, task, seed).key())
                for task in self._family.tasks
            ]
            if not all(result and "rows" in result for result in found):
                continue
            seeds.append(seed)
            values.append(
                [
                    peers.regret_of(scenario, task, result["rows"])
                    for task, result in zip(self._family.tasks.values(), found, strict=True)
                    if result
                ]
            )
            seconds += [result["seconds"] for result in found if result]
        if not seeds:
            return None
        shaped = np.array(values).transpose(1, 0, 2)
        return Curves(tuple(seeds), shaped, float(np.median(seconds)))

    def has(self, method: str, scenario: str) -> bool:
        """Return whether a method was run in this very scenario."""
        is_elsewhere = method in peers.COLD and scenario not in ("two", "none")
        return not is_elsewhere and self.get(method, scenario) is not None

    def pair(self, method: str, other: str, scenario: str) -> tuple[Floats, Floats] | None:
        """Return the curves of two methods on their common seeds, or None."""
        own, cold = self.get(method, scenario), self.get(other, scenario)
        if own is None or cold is None:
            return None
        common = [seed for seed in own.seeds if seed in cold.seeds]
        return (own.on(common), cold.on(common)) if common else None

    def errors(self, method: str, scenario: str) -> list[str]:
        """Return the errors of the searches that failed, each once."""
        found = [
            self._store.get(self._job(method, scenario, task, seed).key())
            for task in self._family.tasks
            for seed in range(MOST_SEEDS)
        ]
        return sorted({result["error"] for result in found if result and "error" in result})

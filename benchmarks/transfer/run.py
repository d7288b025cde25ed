"""Runs the searches of the transfer benchmark in batches, on several processes."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness.cells import StoredResults, in_parallel
from benchmarks.transfer import peers, recorded_tasks, syne_tune_environment
from benchmarks.transfer.recorded_tasks import Family
from benchmarks.transfer.scenarios import past_of

TRIALS = 100
# How often a run says how far it is.
_MESSAGES = 20


@dataclass(frozen=True)
class Job:
    """One search."""

    method: str
    scenario: str
    task: str
    seed: int
    trials: int = TRIALS

    def key(self) -> dict[str, Any]:
        """Return the key of its result."""
        return {**vars(self), "depends_on": peers.key_of(self.method)}


def run_batch(jobs: list[Job], data: Path, python: Path | None) -> list[dict[str, Any]]:
    """Run jobs of one method, scenario and seed; return a result each, with the rows tried.

    `python` is Syne Tune's interpreter, if the method is of Syne Tune.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    family = _family(data)
    past = {job.task: past_of(family, job.task, job.scenario, job.seed) for job in jobs}
    first = jobs[0]
    if python is not None:
        tasks = {job.task: family.tasks[job.task] for job in jobs}
        started = time.perf_counter()
        found = syne_tune_environment.run(
            python, first.method, tasks, past, first.seed, first.trials
        )
        seconds = (time.perf_counter() - started) / len(jobs)
        return [_result(found[job.task], seconds) for job in jobs]
    results = []
    for job in jobs:
        started = time.perf_counter()
        task = family.tasks[job.task]
        rows = peers.run(job.method, job.scenario, task, past[job.task], job.seed, job.trials)
        results.append(_result(rows, time.perf_counter() - started))
    return results


def jobs_of(
    methods: Sequence[str], scenarios: Sequence[str], tasks: Sequence[str], seeds: Iterable[int]
) -> list[Job]:
    """Return the searches, each once; a method without history has one for all scenarios."""
    jobs = [
        Job(method, "none" if method in peers.COLD and scenario != "two" else scenario, task, seed)
        for seed in seeds
        for scenario in scenarios
        for method in methods
        for task in tasks
    ]
    return list(dict.fromkeys(jobs))


def run_all(jobs: list[Job], store: StoredResults, data: Path, cache: Path, workers: int) -> None:
    """Run what is not in the store yet, and keep it there."""
    # Before a worker imports numpy: several processes with several threads each are slower.
    os.environ["OMP_NUM_THREADS"] = "1"
    missing = [job for job in jobs if "rows" not in (store.get(job.key()) or {})]
    python = None
    if any(job.method in peers.SYNE_TUNE for job in missing):
        try:
            python = syne_tune_environment.interpreter(cache)
        except RuntimeError as error:
            print(error, flush=True)
            missing = [job for job in missing if job.method not in peers.SYNE_TUNE]
    print(f"{len(jobs) - len(missing)} of {len(jobs)} searches were run before", flush=True)
    done, started = 0, time.perf_counter()
    batches = [
        (batch, data, python if batch[0].method in peers.SYNE_TUNE else None)
        for batch in _batches(missing)
    ]
    for (batch, *_), results in in_parallel(run_batch, batches, workers):
        for job, result in zip(batch, results, strict=True):
            store.put(job.key(), result)
            if "error" in result:
                print(f"{job}: {result['error']}", flush=True)
        before, done = done, done + len(batch)
        if done * _MESSAGES // len(missing) > before * _MESSAGES // len(missing):
            minutes = (time.perf_counter() - started) / 60
            print(f"{done} of {len(missing)} searches, {minutes:.1f} min", flush=True)


def _batches(jobs: list[Job]) -> Iterator[list[Job]]:
    """Yield eight tasks at once where a method is quick or starts slowly, one where it is slow."""
    groups: dict[tuple[str, ...], list[Job]] = {}
    for job in jobs:
        alone = job.task if job.method in ("gp", *peers.OWN) else ""
        groups.setdefault((job.method, job.scenario, str(job.seed), alone), []).append(job)
    yield from groups.values()


def _result(rows: Any, seconds: float) -> dict[str, Any]:
    if isinstance(rows, str):
        return {"error": rows}
    return {"rows": np.asarray(rows).tolist(), "seconds": round(seconds, 3)}


@functools.cache
def _family(data: Path) -> Family:
    return recorded_tasks.load(data)


def verify(family: Family) -> None:
    """Print what the recorded past searches reach, to compare with their README."""
    print("mean over 8 tasks and 10 seeds    @5     @10    @20    @50    @100")
    for kind, scenario in (("random", "related"), ("tpe", "related"), ("random", "two"),
                           ("tpe2", "two")):  # fmt: skip
        curves = [
            peers.regret_of(scenario, family.tasks[task], rows)
            for (of_kind, task, _), rows in family.recorded.items()
            if of_kind == kind
        ]
        means = np.mean(curves, axis=0)[[4, 9, 19, 49, 99]]
        what = "lost hypervolume" if scenario == "two" else "regret"
        print(f"{kind:8}{what:26}" + " ".join(f"{mean:.3f} " for mean in means))

"""Checks what history is worth to a search, beside every peer: recorded tasks, many seeds.

One task of HPOBench-MLP is left out and searched with 100 trials; history is the past searches of
the other seven. Every trial is looked up in a table, so hundreds of searches take minutes.
Scenarios (benchmarks/transfer_scenarios.py): related history, misleading history of three kinds,
none, and two objectives. Methods: benchmarks/peers.py.

Regret after k trials: 0 is the best configuration of the table, 1 the median one. With two
objectives: the share of the best hypervolume that is missing. All comparisons are paired over
seeds: tasks are averaged first, and intervals are over seeds. Trials to cold@100: the first trial
at which a method's seed-mean regret on a task is what cold TPE's is at trial 100, median of tasks.

`run` keeps every search in `--cache` and goes on where it was killed; results of other code or
another Optuna are not found again. `report` writes results/reference/transfer.* from what is kept.
`verify` shows that the recorded past searches have the regrets that their README tells.

Cost on one idle core, a search: 0.3 s of TPE, 0.7 of enqueue, 1 of add-trial (4 with two
objectives), 4 of GP, 3 of quantile and zero-shot, 25 of bounding box.

    python -m benchmarks.transfer run --methods twentieth tpe --scenarios related --seeds 10
    python -m benchmarks.transfer report
"""

from __future__ import annotations

import argparse
import functools
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import peers, recorded_tasks, syne_tune_environment
from benchmarks.recorded_tasks import TASKS, Family
from benchmarks.stored_results import CACHE, StoredResults
from benchmarks.transfer_curves import StoredCurves
from benchmarks.transfer_report import show, write
from benchmarks.transfer_scenarios import SCENARIOS, past_of

TRIALS = 100
# How often a run says how far it is.
_SAYINGS = 20


@dataclass(frozen=True)
class Job:
    """One search."""

    method: str
    scenario: str
    task: str
    seed: int
    trials: int = TRIALS

    def key(self) -> dict[str, Any]:
        """Where its result is kept."""
        return {**vars(self), "depends_on": peers.key_of(self.method)}


def run_batch(jobs: list[Job], data: Path, python: Path | None) -> list[dict[str, Any]]:
    """Runs jobs of one method, scenario and seed; returns a result each, with the rows tried.

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


def run_all(jobs: list[Job], store: StoredResults, data: Path, cache: Path, workers: int) -> None:
    """Runs what is not in the store yet, and keeps it there."""
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
    print(f"{len(jobs) - len(missing)} of {len(jobs)} searches are there already", flush=True)
    done, started = 0, time.perf_counter()
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        pending = {
            pool.submit(
                run_batch, batch, data, python if batch[0].method in peers.SYNE_TUNE else None
            ): batch
            for batch in _batches(missing)
        }
        try:
            for future in as_completed(pending):
                for job, result in zip(pending[future], future.result(), strict=True):
                    store.put(job.key(), result)
                    if "error" in result:
                        print(f"{job}: {result['error']}", flush=True)
                before, done = done, done + len(pending[future])
                if done * _SAYINGS // len(missing) > before * _SAYINGS // len(missing):
                    minutes = (time.perf_counter() - started) / 60
                    print(f"{done} of {len(missing)} searches, {minutes:.1f} min", flush=True)
        finally:  # a search that fails ends the run at once
            pool.shutdown(cancel_futures=True)


def _batches(jobs: list[Job]) -> Iterator[list[Job]]:
    """Eight tasks at once where a method is quick or starts slowly, one where it is slow."""
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
    """Prints what the recorded past searches reach, to be held against their README."""
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


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=("run", "report", "verify"))
    parser.add_argument("--methods", nargs="+", choices=peers.METHODS, default=["twentieth", "tpe"])
    parser.add_argument("--scenarios", nargs="+", choices=SCENARIOS, default=["related"])
    parser.add_argument("--seeds", type=int, default=10, help="seeds 0 to this less one")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--data", type=Path, default=recorded_tasks.DATA)
    parser.add_argument("--cache", type=Path, default=CACHE, help="folder of finished searches")
    given = parser.parse_args()
    try:
        family = _family(given.data)
    except FileNotFoundError as error:
        sys.exit(str(error))
    if given.action == "verify":
        verify(family)
        return
    store = StoredResults(given.cache, "transfer")
    if given.action == "run":
        jobs = [
            Job(method, "none" if method in peers.COLD and scenario != "two" else scenario,
                task, seed)
            for seed in range(given.first_seed, given.seeds)
            for scenario in given.scenarios
            for method in given.methods
            for task in given.tasks
        ]  # fmt: skip
        run_all(list(dict.fromkeys(jobs)), store, given.data, given.cache, given.workers)
    curves = StoredCurves(family, store, Job)
    if given.action == "report":
        write(curves, "python -m benchmarks.transfer report")
    else:
        show(curves)


if __name__ == "__main__":
    main()

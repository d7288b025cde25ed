"""Runs the sequences of searches of the twentieth benchmark, and finds what was kept of them.

The recorded tasks, the searches on them and the cold searches of TPE are those of the transfer
benchmark; the cold ones are kept in its cells.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna

from benchmarks.harness import provenance
from benchmarks.harness.cells import StoredResults, in_parallel
from benchmarks.harness.code_version import models_version
from benchmarks.transfer import peers, recorded_tasks
from benchmarks.transfer.recorded_tasks import OBJECTIVES, TASKS, Rows
from benchmarks.transfer.run import Job, jobs_of, run_all
from benchmarks.transfer.scenarios import DISTRIBUTIONS, Past, search
from benchmarks.twentieth.costs import COLD_TPE, OWN_COLD, Recorded
from benchmarks.twentieth.training import repetition
from search.apply import WarmStartSampler
from search.apply.proposal_source import seed_of
from search.history import History
from search.space import SearchSpace

SEARCHES, TRIALS = 20, 50
COLD_SEEDS = 10
# The same sequences by the sampler of commit 0acd141, before costs counted.
BASELINE = provenance.REFERENCE / "twentieth_baseline.json"


def tasks_of(sequence: int) -> list[str]:
    """Return the tasks of a sequence, drawn with replacement."""
    generator = np.random.default_rng(seed_of(sequence, "benchmarks.twentieth"))
    return [TASKS[index] for index in generator.integers(0, len(TASKS), SEARCHES)]


def run_sequence(sequence: int, data: Path, trials: int) -> list[list[int]]:
    """Run all searches of a sequence, one after another; return the rows that each tried."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    family = recorded_tasks.load(data)
    space = SearchSpace.from_distributions(DISTRIBUTIONS)
    name, direction = next(iter(OBJECTIVES.items()))
    done: list[Rows] = []
    for place, task in enumerate(tasks_of(sequence)):
        history = _history(tasks_of(sequence), done, family, name, direction)
        known = history.tasks() if history else []
        sampler = WarmStartSampler(
            history, space, seed_of(sequence, place), task=task if task in known else None,
            objectives=[name], confirm=False,  # an exact repetition counts for nothing
        )  # fmt: skip
        done.append(search(family.tasks[task], sampler, trials, 1, tells_seconds=True))
    return [rows.tolist() for rows in done]


def _history(
    names: list[str], done: list[Rows], family: recorded_tasks.Family, metric: str, direction: str
) -> History | None:
    """Return every search so far; those of one task are together under its name."""
    if not done:
        return None
    rows: dict[str, list[Rows]] = {}
    for name, tried in zip(names, done, strict=False):
        rows.setdefault(name, []).append(tried)
    studies = {}
    for name, each in rows.items():
        tried = np.concatenate(each)
        task = family.tasks[name]
        studies[name] = Past(tried, task.values(tried, 1), task.seconds[tried]).trials()
    return History.from_studies(studies, [direction], objectives=[metric])


def recorded_of(
    sequences: int, trials: int, store: StoredResults, data: Path, cache: Path
) -> Recorded:
    """Return what `recorded` kept, and the cold searches that it is compared with."""
    kept = StoredResults(cache, "transfer")
    found = {n: store.get(_key("recorded", n, trials)) for n in range(sequences)}
    numbers = [n for n, result in found.items() if result]
    cold = {
        method: {
            task: [
                result["rows"][:trials]
                for seed in range(COLD_SEEDS)
                if (result := kept.get(Job(method, "none", task, seed).key()))
            ]
            for task in TASKS
        }
        for method in (COLD_TPE, OWN_COLD)
    }
    return Recorded(
        recorded_tasks.load(data).tasks, numbers, [tasks_of(n) for n in numbers],
        np.array([result["rows"] for result in found.values() if result]), cold,
    )  # fmt: skip


def before_costs(found: Recorded) -> tuple[Recorded, Recorded] | None:
    """Return the same sequences with and without what the sampler learned since BASELINE.

    Sequences that the baseline lacks are left out; None if its searches have other lengths.
    """
    rows = np.array(json.loads(BASELINE.read_text())["rows"])
    kept = [place for place, number in enumerate(found.numbers) if number < len(rows)]
    if not kept or rows.shape[1:] != found.rows.shape[1:]:
        return None
    numbers = [found.numbers[place] for place in kept]
    now = replace(
        found, numbers=numbers, tasks=[found.tasks[place] for place in kept], rows=found.rows[kept]
    )
    return now, replace(now, rows=rows[numbers])


def trained_of(repetitions: int, trials: int, store: StoredResults) -> list[dict[str, Any]]:
    """Return what `training` kept, a mapping a repetition."""
    found = [store.get(_key("training", number, trials)) for number in range(repetitions)]
    return [each for each in found if each]


def run_recorded(
    store: StoredResults, sequences: int, trials: int, *, data: Path, cache: Path, workers: int
) -> None:
    """Run the sequences that are missing, then the cold searches that they are compared with."""
    missing = [n for n in range(sequences) if store.get(_key("recorded", n, trials)) is None]
    os.environ["OMP_NUM_THREADS"] = "1"
    jobs = [(n, data, trials) for n in missing]
    for count, ((n, *_), rows) in enumerate(in_parallel(run_sequence, jobs, workers), start=1):
        store.put(_key("recorded", n, trials), {"rows": rows})
        print(f"{count} of {len(jobs)} sequences are done", flush=True)
    cold = jobs_of([COLD_TPE, OWN_COLD], ["none"], TASKS, range(COLD_SEEDS))
    run_all(cold, StoredResults(cache, "transfer"), data, cache, workers)


def run_training(
    store: StoredResults, repetitions: int, trials: int, *, images: Path, cache: Path, workers: int
) -> None:
    """Run the repetitions in real training that are missing."""
    missing = [n for n in range(repetitions) if store.get(_key("training", n, trials)) is None]
    os.environ["OMP_NUM_THREADS"] = "1"
    jobs = [(n, cache, images, trials) for n in missing]
    for count, ((n, *_), result) in enumerate(in_parallel(repetition, jobs, workers), start=1):
        store.put(_key("training", n, trials), result)
        print(f"{count} of {len(jobs)} repetitions are done", flush=True)


def _key(part: str, number: int, trials: int) -> dict[str, Any]:
    depends_on = [peers.key_of("twentieth"), *([models_version()] if part == "training" else [])]
    return {"part": part, "number": number, "trials": trials,
            "depends_on": "-".join(depends_on)}  # fmt: skip

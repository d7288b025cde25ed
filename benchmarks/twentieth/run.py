"""Runs the sequences of searches of the twentieth benchmark, and finds what was kept of them.

The recorded tasks, the searches on them and the cold searches of TPE are those of the transfer
benchmark; the cold ones are kept in its cells.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import optuna

from benchmarks.harness.cells import StoredResults, in_parallel
from benchmarks.transfer import peers, recorded_tasks
from benchmarks.transfer.recorded_tasks import OBJECTIVES, TASKS, Rows
from benchmarks.transfer.run import Job, jobs_of, run_all
from benchmarks.transfer.scenarios import DISTRIBUTIONS, Past, search
from benchmarks.twentieth.costs import Recorded
from benchmarks.twentieth.training import repetition
from search.apply import WarmStartSampler
from search.apply.proposal_source import seed_of
from search.history import History
from search.space import SearchSpace

SEARCHES, TRIALS = 20, 50
COLD_SEEDS = 10


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
    """Return what `recorded` kept: regret by sequence and place, and cold ones by task."""
    family = recorded_tasks.load(data)
    kept = StoredResults(cache, "transfer")
    curves, names = [], []
    for sequence in range(sequences):
        result = store.get(_key("recorded", sequence, trials))
        if result is not None:
            names.append(tasks_of(sequence))
            curves.append(
                [
                    family.tasks[task].regret(rows)
                    for task, rows in zip(names[-1], result["rows"], strict=True)
                ]
            )
    cold = {
        method: {
            task: np.array(
                [
                    family.tasks[task].regret(result["rows"])[:trials]
                    for seed in range(COLD_SEEDS)
                    if (result := kept.get(Job(method, "none", task, seed).key()))
                ]
            )
            for task in TASKS
        }
        for method in ("tpe", "twentieth-cold")
    }
    return Recorded(names, np.array(curves), cold)


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
    cold = jobs_of(["tpe", "twentieth-cold"], ["none"], TASKS, range(COLD_SEEDS))
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
    return {"part": part, "number": number, "trials": trials,
            "depends_on": peers.key_of("twentieth")}  # fmt: skip

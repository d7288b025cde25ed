"""Draws the project's promise: what the k-th search costs, for k = 1 to 20, and in real training.

`recorded`: sequences of 20 searches of 50 trials, each of a task drawn from the eight of
HPOBench-MLP (benchmarks/recorded_tasks.py), so tasks come again. A search's history is all earlier
ones of its sequence as the system itself ran them. Its cost is the number of trials until its
regret is what cold TPE has on that task after 50 trials (mean of its seeds), 51 if it never is; and
that is divided by the mean cost of cold TPE on the same task by the same rule. So 1 is no gain, and
1/20 is the promise. What a search of the same task found before does not count: it has to find
something as good again, among configurations that were not tried.

`training`: digits, MNIST, KMNIST and Fashion-MNIST (small, benchmarks/related.yaml: two objectives,
accuracy and robust accuracy) searched one after another in an order drawn anew a repetition, with
what the earlier ones left as history (warm), and each without (cold, the same seed). Cost: trials
until the hypervolume that the cold searches of that task have in the end (median of repetitions).

`report` writes results/reference/twentieth.* and docs/twentieth.png from both.

Cost on two cores: `recorded` depends on the sampler (10,000 proposals for 10 sequences), `training`
about two minutes a repetition. A killed run goes on where it was.

    python -m benchmarks.twentieth recorded --sequences 20
    python -m benchmarks.twentieth training --repetitions 10
    python -m benchmarks.twentieth report --sequences 20 --repetitions 10
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import optuna

from benchmarks import peers, recorded_tasks, transfer
from benchmarks.recorded_tasks import OBJECTIVES, TASKS, Rows
from benchmarks.stored_results import CACHE, StoredResults
from benchmarks.transfer_scenarios import DISTRIBUTIONS, Past, search
from benchmarks.twentieth_report import Recorded, report
from benchmarks.twentieth_training import TRIALS as TRAINING_TRIALS
from benchmarks.twentieth_training import repetition
from search.apply import WarmStartSampler
from search.apply.source import seed_of
from search.history import History
from search.space import SearchSpace

SEARCHES, TRIALS = 20, 50
COLD_SEEDS = 10


def tasks_of(sequence: int) -> list[str]:
    """The tasks of a sequence, drawn with replacement."""
    generator = np.random.default_rng(seed_of(sequence, "benchmarks.twentieth"))
    return [TASKS[index] for index in generator.integers(0, len(TASKS), SEARCHES)]


def run_sequence(sequence: int, data: Path, trials: int) -> list[list[int]]:
    """All searches of a sequence, one after another; returns the rows that each tried."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    family = recorded_tasks.load(data)
    space = SearchSpace.from_distributions(DISTRIBUTIONS)
    name, direction = next(iter(OBJECTIVES.items()))
    done: list[Rows] = []
    for place, task in enumerate(tasks_of(sequence)):
        sampler = WarmStartSampler(
            _history(tasks_of(sequence), done, family, name, direction), space,
            seed_of(sequence, place), task=task, objectives=[name],
        )  # fmt: skip
        done.append(search(family.tasks[task], sampler, trials, 1))
    return [rows.tolist() for rows in done]


def _history(
    names: list[str], done: list[Rows], family: recorded_tasks.Family, metric: str, direction: str
) -> History | None:
    """Every search so far; those of one task stand together under its name."""
    if not done:
        return None
    rows: dict[str, list[Rows]] = {}
    for name, tried in zip(names, done, strict=False):
        rows.setdefault(name, []).append(tried)
    studies = {
        name: Past(
            np.concatenate(each), family.tasks[name].values(np.concatenate(each), 1)
        ).trials()
        for name, each in rows.items()
    }
    return History.from_studies(studies, [direction], objectives=[metric])


def _in_parallel(
    work: Callable[..., Any], numbers: Iterable[int], workers: int, *arguments: Any
) -> Iterable[tuple[int, Any]]:
    """Yields a number and its result as each is done."""
    os.environ["OMP_NUM_THREADS"] = "1"
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        pending = {pool.submit(work, number, *arguments): number for number in numbers}
        for count, future in enumerate(as_completed(pending), start=1):
            yield pending[future], future.result()
            print(f"{count} of {len(pending)} done", flush=True)


def _key(part: str, number: int, trials: int) -> dict[str, Any]:
    return {"part": part, "number": number, "trials": trials,
            "depends_on": peers.key_of("twentieth")}  # fmt: skip


def recorded_of(
    sequences: int, trials: int, store: StoredResults, data: Path, cache: Path
) -> Recorded:
    """What `recorded` kept: regret curves by sequence and place, and cold ones by task."""
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
                    if (result := kept.get(transfer.Job(method, "none", task, seed).key()))
                ]
            )
            for task in TASKS
        }
        for method in ("tpe", "twentieth-cold")
    }
    return Recorded(names, np.array(curves), cold)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=("recorded", "training", "report"))
    parser.add_argument("--sequences", type=int, default=10)
    parser.add_argument("--repetitions", type=int, default=6)
    parser.add_argument("--trials", type=int, default=TRIALS, help="of a recorded search")
    parser.add_argument("--training-trials", type=int, default=TRAINING_TRIALS)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--data", type=Path, default=recorded_tasks.DATA, help="recorded tasks")
    parser.add_argument("--images", type=Path, default=Path("../shared/data/images"))
    parser.add_argument("--cache", type=Path, default=CACHE)
    given = parser.parse_args()
    store = StoredResults(given.cache, "twentieth")
    counts = {"recorded": (given.sequences, given.trials),
              "training": (given.repetitions, given.training_trials)}  # fmt: skip
    if given.action == "report":
        trained = [store.get(_key("training", n, given.training_trials))
                   for n in range(given.repetitions)]  # fmt: skip
        command = (f"python -m benchmarks.twentieth report --sequences {given.sequences} "
                   f"--repetitions {given.repetitions}")  # fmt: skip
        found = recorded_of(given.sequences, given.trials, store, given.data, given.cache)
        report(found, [each for each in trained if each], command)
        return
    number, trials = counts[given.action]
    missing = [n for n in range(number) if store.get(_key(given.action, n, trials)) is None]
    if given.action == "training":
        for n, result in _in_parallel(
            repetition, missing, given.workers, given.cache, given.images, trials
        ):
            store.put(_key("training", n, trials), result)
        return
    for n, rows in _in_parallel(run_sequence, missing, given.workers, given.data, trials):
        store.put(_key("recorded", n, trials), {"rows": rows})
    jobs = [
        transfer.Job(method, "none", task, seed)
        for method in ("tpe", "twentieth-cold")
        for task in TASKS
        for seed in range(COLD_SEEDS)
    ]
    kept = StoredResults(given.cache, "transfer")
    transfer.run_all(jobs, kept, given.data, given.cache, given.workers)


if __name__ == "__main__":
    main()

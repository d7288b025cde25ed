"""Checks what memory is worth: a search that knows earlier ones against one that knows nothing.

`same` (the same task again): on search/specs/digits.yaml, with 8 epochs instead of its 15 to halve
the cost, 16 trials that learned from 16 earlier ones are as good as a cold search of 32. Each
repetition runs the 16 earlier trials cold, then 16 warm ones, and beside them 32 cold ones with
another seed, whose first half tells what 16 cold trials are worth. A warm trial that repeats an
earlier configuration counts for nothing. Score: the validation Pareto front of an arm is trained
again, each configuration with two fresh seeds, and the score is the hypervolume of the mean TEST
metrics above clean 0.5 and robust 0.0. Claim: warm 16 is at least cold 32 less 0.01.

`related` (another task): on benchmarks/related.yaml, a search on KMNIST that learned from 16 trials
on MNIST needs fewer trials to the hypervolume (validation, above clean 0.4 and robust 0.0) that a
cold search reaches with 16. The third arm is the simple one: the three best configurations of the
source are tried first, and a cold search continues.

All searches run in one process, one trial after the other, without Ray and without early stopping;
the sampler, the history and the training are the real ones. "Cold" is the same sampler without
history, so what differs is the history alone. The sampler was not changed on these results.

Cost on two busy CPU cores: `same` three to four minutes a repetition, `related` one and a half.
A killed run goes on where it was.

    python -m benchmarks.memory same --repetitions 8
    python -m benchmarks.memory related --repetitions 20 --data ../shared/data/images
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import memory_searches as searches
from benchmarks import reference
from benchmarks.memory_report import (
    COPIED,
    FRESH_SEEDS,
    RELATED_POINT,
    SAME_EPOCHS,
    SAME_POINT,
    SOURCE,
    TARGET,
    report_related,
    report_same,
)
from benchmarks.trainings import CACHE, Trainings
from search.spec import Spec, load_spec

SAME_SPEC = reference.ROOT / "search" / "specs" / "digits.yaml"
RELATED_SPEC = reference.ROOT / "benchmarks" / "related.yaml"
TRIALS = 16


def same_task(repetition: int, cache: Path, trials: int) -> dict[str, Any]:
    """One repetition of `same`."""
    spec = load_spec(SAME_SPEC, [f"budget.epochs={SAME_EPOCHS}"])
    trainings = Trainings(spec, cache)
    past = searches.run(spec, trainings, trials, searches.seed_for(repetition, "past"))
    history = searches.as_history(spec, past)
    seed = searches.seed_for(repetition, "warm")
    warm = searches.run(spec, trainings, trials, seed, history=history)
    cold = searches.run(spec, trainings, 2 * trials, searches.seed_for(repetition, "cold"))
    space = spec.search_space()
    known = {space.key(configuration) for configuration in past.configurations}
    repeats = [space.key(configuration) in known for configuration in warm.configurations]
    for index in np.flatnonzero(repeats):
        warm.values[index] = [float("nan")] * len(warm.values[index])
    both = searches.Done(past.configurations + warm.configurations, past.values + warm.values)
    half = searches.Done(cold.configurations[:trials], cold.values[:trials])
    arms = {"warm": warm, "past and warm": both, "cold": cold, "cold, first half": half}
    return {
        "repetition": repetition,
        "repeats": sum(repeats),
        "searches": {"past": past.record(), "warm": warm.record(), "cold": cold.record()},
        "validation": {
            name: searches.volumes(spec, arm.values, SAME_POINT)[-1] for name, arm in arms.items()
        },
        "test": {name: _tested(spec, trainings, arm, repetition) for name, arm in arms.items()},
    }


def _tested(
    spec: Spec, trainings: Trainings, arm: searches.Done, repetition: int
) -> dict[str, Any]:
    """Trains an arm's validation front again and measures it on the test split."""
    measured = []
    for index in searches.front(spec, arm.values):
        seeds = [searches.seed_for(repetition, f"fresh {n}") for n in range(FRESH_SEEDS)]
        values = [trainings.values_on_test(arm.configurations[index], seed) for seed in seeds]
        measured.append(np.mean(values, axis=0).tolist())
    volume = searches.volumes(spec, measured, SAME_POINT)[-1]
    return {"front": measured, "hypervolume": volume}


def related_task(repetition: int, cache: Path, data: Path, trials: int) -> dict[str, Any]:
    """One repetition of `related`."""
    source, target = (
        load_spec(RELATED_SPEC, [f"task.data.parquet={(data / name).resolve()}"])
        for name in (SOURCE, TARGET)
    )
    seed = searches.seed_for
    past = searches.run(source, Trainings(source, cache), trials, seed(repetition, "source"))
    trainings = Trainings(target, cache)
    arms = {
        "cold": searches.run(target, trainings, trials, seed(repetition, "cold")),
        "warm": searches.run(
            target, trainings, trials, seed(repetition, "warm"),
            history=searches.as_history(source, past),
        ),
        "copied": searches.run(
            target, trainings, trials, seed(repetition, "copied"),
            first=searches.best(source, past, COPIED),
        ),
    }  # fmt: skip
    return {
        "repetition": repetition,
        "searches": {"source": past.record(), **{name: arm.record() for name, arm in arms.items()}},
        "volumes": {
            name: searches.volumes(target, arm.values, RELATED_POINT) for name, arm in arms.items()
        },
    }


def _in_parallel(
    repeat: Callable[..., dict[str, Any]], repetitions: int, processes: int, *arguments: Any
) -> list[dict[str, Any]]:
    """All repetitions, those that finished first reported first."""
    done = []
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        pending = [pool.submit(repeat, number, *arguments) for number in range(repetitions)]
        for future in as_completed(pending):
            done.append(future.result())
            print(f"{len(done)} of {repetitions} repetitions", flush=True)
    return sorted(done, key=lambda each: each["repetition"])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("claim", choices=("same", "related"))
    parser.add_argument("--repetitions", type=int, default=8)
    parser.add_argument("--trials", type=int, default=TRIALS, help="a warm search's")
    parser.add_argument(
        "--data", type=Path, default=Path("../shared/data/images"), help="holds the data sets"
    )
    parser.add_argument("--cache", type=Path, default=CACHE, help="folder of finished trainings")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--redraw", action="store_true", help="show the stored raw data anew")
    given = parser.parse_args()
    report = report_same if given.claim == "same" else report_related
    if given.redraw:
        stored = reference.stored(f"memory_{given.claim}")
        origin = (stored["command"], stored["environment"])
        report(stored["repetitions"], given.trials, origin)
        return
    parallel = (given.repetitions, given.processes)
    if given.claim == "same":
        done = _in_parallel(same_task, *parallel, given.cache, given.trials)
    else:
        done = _in_parallel(related_task, *parallel, given.cache, given.data, given.trials)
    report(done, given.trials, ("python -m benchmarks.memory " + " ".join(sys.argv[1:]), None))


if __name__ == "__main__":
    main()

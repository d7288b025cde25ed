"""One repetition of each part of the memory benchmark, and all of them on several processes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness.cells import in_parallel
from benchmarks.harness.trainings import Trainings
from benchmarks.memory import searches
from benchmarks.memory.protocol import (
    COPIED,
    FRESH_SEEDS,
    RELATED_POINT,
    RELATED_SPEC,
    SAME_EPOCHS,
    SAME_POINT,
    SAME_SPEC,
    SOURCE,
    TARGET,
)
from search.spec import Spec, load_spec


def same_spec() -> Spec:
    """Return the spec of `same`: fewer epochs than the scheduler's first rung, so no scheduler."""
    return load_spec(SAME_SPEC, [f"budget.epochs={SAME_EPOCHS}", "scheduler={name: none}"])


def related_spec(data: Path, name: str) -> Spec:
    """Return the spec of `related` on the data set `name` in the folder `data`."""
    return load_spec(RELATED_SPEC, [f"task.data.path={(data / name).resolve()}"])


def same_task(repetition: int, cache: Path, trials: int) -> dict[str, Any]:
    """Run one repetition of `same`."""
    spec = same_spec()
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
    """Train an arm's validation front again and measure it on the test split."""
    measured = []
    for index in searches.front(spec, arm.values):
        seeds = [searches.seed_for(repetition, f"fresh {n}") for n in range(FRESH_SEEDS)]
        values = [trainings.values_on_test(arm.configurations[index], seed) for seed in seeds]
        measured.append(np.mean(values, axis=0).tolist())
    volume = searches.volumes(spec, measured, SAME_POINT)[-1]
    return {"front": measured, "hypervolume": volume}


def related_task(repetition: int, cache: Path, data: Path, trials: int) -> dict[str, Any]:
    """Run one repetition of `related`."""
    source, target = (related_spec(data, name) for name in (SOURCE, TARGET))
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


def repeat(
    repetition: Callable[..., dict[str, Any]], count: int, processes: int, shared: tuple[Any, ...]
) -> list[dict[str, Any]]:
    """Return `repetition(number, *shared)` for every number below `count`, in their order."""
    done = []
    for _, result in in_parallel(repetition, [(n, *shared) for n in range(count)], processes):
        done.append(result)
        print(f"{len(done)} of {count} repetitions", flush=True)
    return sorted(done, key=lambda each: each["repetition"])

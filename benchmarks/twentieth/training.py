"""The real searches of the twentieth benchmark: four image tasks one after another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness.trainings import Trainings
from benchmarks.memory import searches
from benchmarks.memory.protocol import RELATED_POINT, RELATED_SPEC
from search.apply.proposal_source import seed_of
from search.history import History
from search.spec import Spec, load_spec

# `digits` is scikit-learn's; the others are folders of parquet files.
TASKS = ("digits", "mnist_10k", "kmnist_t10k", "fashion_mnist_10k")
TRIALS = 12


def repetition(number: int, cache: Path, images: Path, trials: int) -> dict[str, Any]:
    """Search the tasks in one order: each warm, after the earlier ones, and cold.

    The first search of an order has no history, so there warm and cold are the same search.

    Returns:
        "tasks" in their order; by arm and place, the hypervolume after every trial in "volumes" and
        the FLOP of every trial in "work".
    """
    order = np.random.default_rng(seed_of(number, "order")).permutation(len(TASKS))
    names = [TASKS[index] for index in order]
    specs = [spec_of(name, images) for name in names]
    past: list[tuple[Spec, searches.Done]] = []
    volumes: dict[str, list[list[float]]] = {"warm": [], "cold": []}
    work: dict[str, list[list[float]]] = {"warm": [], "cold": []}
    for place, spec in enumerate(specs):
        trainings, seed = Trainings(spec, cache), seed_of(number, place) % 2**31
        warm = searches.run(spec, trainings, trials, seed, history=_history(past))
        cold = warm if not past else searches.run(spec, trainings, trials, seed)
        past.append((spec, warm))
        for arm, done in (("warm", warm), ("cold", cold)):
            volumes[arm].append(searches.volumes(spec, done.values, RELATED_POINT))
            work[arm].append(done.work)
    return {"repetition": number, "tasks": names, "volumes": volumes, "work": work}


def spec_of(name: str, images: Path) -> Spec:
    """Return the spec of benchmarks/memory/related.yaml with another data set."""
    if name == "digits":
        return load_spec(RELATED_SPEC, ["task.data=digits"])
    return load_spec(RELATED_SPEC, [f"task.data.path={(images / name).resolve()}"])


def _history(past: list[tuple[Spec, searches.Done]]) -> History | None:
    if not past:
        return None
    studies = {searches.task_of(spec): done.study for spec, done in past if done.study}
    return History.from_studies(studies, objectives=past[0][0].objectives)

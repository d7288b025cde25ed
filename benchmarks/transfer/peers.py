"""The methods that the transfer benchmark compares: ours, and what people use today.

twentieth, twentieth-cold   WarmStartSampler with and without history
tpe, gp, random             Optuna's samplers without history, their defaults
enqueue-1, enqueue-3        the best one (three) of every source enqueued, then TPE
add-trial-all               every past trial added to the study as it is, then TPE
syne-*                      Syne Tune's transfer methods (syne_tune_peers.py)
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path

import numpy as np
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler

from benchmarks.harness.code_version import file_hash, sampler_version
from benchmarks.transfer.recorded_tasks import OBJECTIVES, Rows, Task, configurations_of
from benchmarks.transfer.scenarios import DISTRIBUTIONS, Past, objectives_of, search
from search.apply import WarmStartSampler
from search.apply.proposal_source import seed_of
from search.history import History
from search.objectives import Objective, pareto
from search.space import SearchSpace

OWN = ("twentieth", "twentieth-cold")
COLD = ("tpe", "gp", "random", "twentieth-cold")
OPTUNA = ("tpe", "gp", "random", "enqueue-1", "enqueue-3", "add-trial-all")
SYNE_TUNE_VERSION = "0.16.0"
SYNE_TUNE = ("syne-bounding-box", "syne-quantile", "syne-zero-shot")
METHODS = (*OWN, *OPTUNA, *SYNE_TUNE)

# Raised when the protocol below changes what a result means; part of every stored result's key.
_PROTOCOL = 1
_LIBRARIES = ("optuna", "numpy", "scipy", "scikit-learn", "torch")


def run(
    method: str, scenario: str, task: Task, past: Mapping[str, Past], seed: int, trials: int
) -> Rows:
    """Run one search by one method; return the rows it tried.

    Every method gets the same seed, and every task its own: one seed for all eight would give a
    random start eight times, and make means over tasks as uncertain as a single task.
    """
    names = objectives_of(scenario)
    own_seed = sampler_seed(task.name, seed)
    if method in OWN:
        sampler = _warm_start(method, past, names, own_seed)
        return search(task, sampler, trials, len(names))
    if method == "gp":
        import torch

        torch.set_num_threads(1)
    makers: dict[str, Callable[..., BaseSampler]] = {"gp": GPSampler, "random": RandomSampler}
    peer = makers.get(method, TPESampler)(seed=own_seed)
    first = best_of_each(past, int(method[-1])) if method.startswith("enqueue-") else None
    added = [trial for one in past.values() for trial in one.trials()]
    is_adding = method == "add-trial-all"
    return search(task, peer, trials, len(names), first=first, added=added if is_adding else None)


def sampler_seed(task: str, seed: int) -> int:
    """Return the seed of every sampler in one search of one task."""
    return seed_of(seed, "benchmarks.transfer", task) % 2**31


def best_of_each(past: Mapping[str, Past], count: int) -> list[dict[str, int]]:
    """Return every source's best configuration, then every second best, and so on.

    With two objectives "best" is by front, and within a front spread over it.
    """
    ordered = []
    for one in past.values():
        measured = [Objective(*each) for each in OBJECTIVES.items()][: one.values.shape[1]]
        losses = pareto.losses(one.values, measured)
        ordered.append(configurations_of(one.rows[pareto.order(losses)[:count]]))
    return [source[place] for place in range(count) for source in ordered]


@functools.cache
def key_of(method: str) -> str:
    """Return what a stored result of a method depends on in addition to its arguments."""
    if method in OWN:
        parts = [sampler_version(), *(version(name) for name in _LIBRARIES)]
    elif method in SYNE_TUNE:
        parts = [SYNE_TUNE_VERSION, file_hash(Path(__file__).with_name("syne_tune_peers.py"))]
    else:
        parts = [version("optuna")]
    return "-".join([str(_PROTOCOL), *parts])


def _warm_start(
    method: str, past: Mapping[str, Past], names: list[str], seed: int
) -> WarmStartSampler:
    history = None
    if method == "twentieth" and past:
        history = History.from_studies(
            {task: one.trials() for task, one in past.items()},
            [OBJECTIVES[name] for name in names],
            objectives=names,
        )
    space = SearchSpace.from_distributions(DISTRIBUTIONS)
    return WarmStartSampler(history, space, seed, objectives=names)


def regret_of(scenario: str, task: Task, rows: Rows) -> np.ndarray:
    """Return what is reached after every trial: regret, or the lost share of the hypervolume."""
    return task.lost_hypervolume(rows) if scenario == "two" else task.regret(rows)

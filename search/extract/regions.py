"""Regions of the new search's space that hold the best quarter of earlier trials.

The best quarter is taken within each search, by non-domination rank, so searches of easy and of
hard tasks count alike. A region is not a model of the objectives.

Source: the boxes around earlier bests of Perrone et al. 2019, "Learning search spaces for Bayesian
optimization", narrowed from the whole range to four fifths of the trials so that one outlier among
the best does not stretch a region to the whole space.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from search.experience import Category, Region, Value
from search.extract.objective_matrix import FEWEST_TRIALS, ObjectiveMatrix
from search.history import Trial
from search.objectives.pareto import ranks
from search.space import SearchSpace
from search.space.restating import Restated, restate

Known = tuple[Trial, Restated]

BEST_SHARE = 0.25
_INNER_SHARE = (0.1, 0.9)


def regions(measured: Mapping[str, ObjectiveMatrix], space: SearchSpace) -> tuple[Region, ...]:
    """Returns one region per hyperparameter of the space, in the space's order.

    Args:
        measured: Search -> its trials. Searches with fewer than `FEWEST_TRIALS` are skipped.
        space: The new search's space. Numbers outside its range are kept, so a region may reach
            beyond the space. A hyperparameter that earlier trials lack, or that has a single value,
            has no region.
    """
    best: list[Known] = []
    everyone: list[Known] = []
    for part in measured.values():
        if len(part) < FEWEST_TRIALS:
            continue
        mask = best_quarter(part.losses)
        restated = [(trial, restate(space, trial.configuration)) for trial in part.trials]
        best += [each for each, is_best in zip(restated, mask, strict=True) if is_best]
        everyone += restated
    found = []
    for name, distribution in space.distributions.items():
        if distribution.single():
            continue
        known = _known(name, best)
        if known and isinstance(distribution, CategoricalDistribution):
            among_all = [value for _, value in _known(name, everyone)]
            found.append(_categorical(name, known, among_all))
        elif known:
            found.append(_numerical(name, known, distribution))
    return tuple(found)


def best_quarter(losses: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Marks the best trials, shape `(n,)`: whole fronts until a quarter of the trials is reached.

    Trials of one front are equally good, so a front is never split; with many objectives more than
    a quarter may be marked.
    """
    rank = ranks(losses)
    wanted = math.ceil(BEST_SHARE * len(rank))
    if wanted == 0:
        return np.zeros(0, dtype=bool)
    last = np.sort(rank)[wanted - 1]
    return np.asarray(rank <= last)


def _known(name: str, trials: Sequence[Known]) -> list[tuple[Trial, Value]]:
    return [
        (trial, restated.configuration[name])
        for trial, restated in trials
        if name in restated.configuration
    ]


def _numerical(
    name: str, known: Sequence[tuple[Trial, Value]], distribution: BaseDistribution
) -> Region:
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    values = np.array([float(value) for _, value in known])
    # Observed values, not interpolated ones: each end was tried.
    low = float(np.quantile(values, _INNER_SHARE[0], method="lower"))
    high = float(np.quantile(values, _INNER_SHARE[1], method="higher"))
    scale = math.log if distribution.log else float
    ends = [scale(min(max(end, distribution.low), distribution.high)) for end in (low, high)]
    coverage = (ends[1] - ends[0]) / (scale(distribution.high) - scale(distribution.low))
    return Region(name, low, high, coverage, (), len(known), *_sources(known))


def _categorical(
    name: str, known: Sequence[tuple[Trial, Value]], among_all: Sequence[Value]
) -> Region:
    among_best = [value for _, value in known]
    # By type too: True and 1 are two choices.
    of_best, of_all = (
        Counter((type(value), value) for value in values) for values in (among_best, among_all)
    )
    categories = [
        Category(value, of_best[kind, value] / len(among_best), number / len(among_all))
        for (kind, value), number in of_all.items()
    ]
    categories.sort(key=lambda each: (-each.share_of_best, repr(each.value)))
    return Region(name, None, None, None, tuple(categories), len(known), *_sources(known))


def _sources(
    known: Sequence[tuple[Trial, Value]],
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    runs = tuple(trial.run_id for trial, _ in known)
    return runs, tuple(dict.fromkeys(trial.search for trial, _ in known))

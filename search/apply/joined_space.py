"""Infer the target space, where the caller states none: from history, then from the study.

In plain Optuna nobody declares a space: the objective suggests one hyperparameter after another.
Before the first trial ends, the best guess is the space of the history; afterwards the study's own
trials define the space, and history is restated in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial

from search.history.studies import union_of_distributions
from search.space import SearchSpace, Value
from search.space import values as space_values
from search.space.limits import problem_of


def join_spaces(spaces: Iterable[SearchSpace]) -> SearchSpace:
    """Returns the union of spaces: all hyperparameters, ranges widened, choices collected.

    Where two spaces disagree about a kind (number or category), the first one counts; where they
    disagree about a condition, the hyperparameter becomes unconditional, which costs the model only
    some detail. A range that no sampler can take, as of a seed, is left out: it need be none of the
    search's.
    """
    distributions: dict[str, BaseDistribution] = {}
    conditions: dict[str, Mapping[str, tuple[Value, ...]]] = {}
    for space in spaces:
        for name, distribution in space.distributions.items():
            if problem_of(distribution):
                continue
            theirs = space.conditions.get(name, {})
            if name not in distributions:
                conditions[name] = theirs
            elif conditions[name] != theirs:
                conditions[name] = {}
            distributions[name] = _widened(distributions.get(name, distribution), distribution)
    return _space(distributions, conditions)


def observed(space: SearchSpace | None, trials: Sequence[FrozenTrial]) -> SearchSpace:
    """Returns the space of a study's finished trials, with the conditions of another space.

    Without a finished trial it is `space` itself, or an empty space. It has only hyperparameters
    that some trial asked for; of several distributions of one name it has the latest.
    """
    space = space or SearchSpace({})
    found = union_of_distributions(trials)
    return _space(found, space.conditions) if found else space


def part_of(space: SearchSpace, distributions: Mapping[str, BaseDistribution]) -> SearchSpace:
    """Returns some hyperparameters of a space; a child whose parent is none of them is free."""
    return _space(distributions, space.conditions)


def _space(
    distributions: Mapping[str, BaseDistribution],
    conditions: Mapping[str, Mapping[str, tuple[Value, ...]]],
) -> SearchSpace:
    """Returns a space with those of the conditions that its distributions allow."""
    allowed: dict[str, Mapping[str, tuple[Value, ...]]] = {}
    for child, parents in conditions.items():
        try:
            SearchSpace(distributions, allowed | {child: parents})
        except ValueError:
            continue  # a condition of another search, on a value that this space lacks
        allowed[child] = parents
    return SearchSpace(distributions, allowed)


def _widened(first: BaseDistribution, second: BaseDistribution) -> BaseDistribution:
    if isinstance(first, CategoricalDistribution) and isinstance(second, CategoricalDistribution):
        new = [choice for choice in second.choices if not space_values.holds(first, choice)]
        return CategoricalDistribution([*first.choices, *new])
    is_log = getattr(first, "log", False) and getattr(second, "log", False)
    if isinstance(first, FloatDistribution) and isinstance(second, FloatDistribution):
        low, high = min(first.low, second.low), max(first.high, second.high)
        is_same_grid = first.step == second.step and first.low == second.low
        return FloatDistribution(low, high, log=is_log, step=first.step if is_same_grid else None)
    if isinstance(first, IntDistribution) and isinstance(second, IntDistribution):
        low, high = min(first.low, second.low), max(first.high, second.high)
        is_same_grid = first.step == second.step and (first.low - second.low) % first.step == 0
        return IntDistribution(low, high, log=is_log, step=first.step if is_same_grid else 1)
    return first

"""One space from several: the target's, when its caller has stated none.

In plain Optuna nobody declares a space: the objective suggests one hyperparameter after another.
Before its first trial the best guess is what history used; as soon as the search has trials of its
own, they say what the space is, and history must fit them.
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

from search.space import SearchSpace, Value
from search.space import values as space_values


def join_spaces(spaces: Iterable[SearchSpace]) -> SearchSpace:
    """The union of spaces: all hyperparameters, ranges widened, choices collected.

    Where two spaces disagree about a kind (number or category), the first one stands; where they
    disagree about a condition, the hyperparameter becomes unconditional, which only costs the model
    some detail.
    """
    distributions: dict[str, BaseDistribution] = {}
    conditions: dict[str, Mapping[str, tuple[Value, ...]]] = {}
    for space in spaces:
        for name, distribution in space.distributions.items():
            theirs = space.conditions.get(name, {})
            if name not in distributions:
                conditions[name] = theirs
            elif conditions[name] != theirs:
                conditions[name] = {}
            known = distributions.get(name, distribution)
            distributions[name] = _widened(known, distribution)
    return _space(distributions, conditions)


def observed(space: SearchSpace | None, trials: Sequence[FrozenTrial]) -> SearchSpace:
    """The space that a study's finished trials show, with the conditions known from another.

    Without a finished trial this is `space` itself, or an empty space. A hyperparameter that no
    trial asked for is not in it; of several distributions of one name the latest stands.
    """
    shown = {name: kind for trial in trials for name, kind in trial.distributions.items()}
    if not shown:
        return space or SearchSpace({})
    return _space(shown, space.conditions if space else {})


def _space(
    distributions: Mapping[str, BaseDistribution],
    conditions: Mapping[str, Mapping[str, tuple[Value, ...]]],
) -> SearchSpace:
    """A space with those of the conditions that its distributions allow."""
    allowed: dict[str, Mapping[str, tuple[Value, ...]]] = {}
    for child, parents in conditions.items():
        try:
            SearchSpace(distributions, allowed | {child: parents})
        except ValueError:
            continue  # another search's condition, on something this space does not have
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

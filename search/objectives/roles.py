"""Orders trials under the roles of objectives: which steer a search, and which trials are best.

Not for what a sampler models (`apply/objective_model.py`).

Sources: Deb 2000, "An efficient constraint handling method for genetic algorithms" (trials that
keep the bounds come before those that do not, these ordered by violation); Zhang et al. 2023,
"Targeted hyperparameter optimization with lexicographic preferences over multiple objectives"
(tolerances).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.scores.metric_names import MetricName
from search.objectives import pareto
from search.objectives.objective import Objective, checked

Floats = NDArray[np.float64]

STEERING = ("pareto", "lexicographic")
# Relative to the numbers that are subtracted: 0.98 - 0.97 is 0.01 and four units of rounding.
_ROUNDING = 8 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class ConstrainedLosses:
    """The numbers that trials are compared by. NaN where a steering objective is not finite.

    Attributes:
        losses: Shape `(n, k)`: smaller is better. With a lexicographic objective the first one is
            not among them, since it only decides which trials count.
        violation: Shape `(n,)`: sum of the distances to missed bounds; 0 if all are kept.
        excess: Shape `(n,)`: how far the first objective is beyond the tolerance, for trials
            without violation; 0 if within.
    """

    losses: Floats
    violation: Floats
    excess: Floats

    @property
    def is_counted(self) -> NDArray[np.bool_]:
        """Marks trials that keep every bound and are within the tolerance, shape `(n,)`."""
        return np.asarray((self.violation == 0) & (self.excess == 0))


def is_plain(objectives: Sequence[Objective]) -> bool:
    """Whether all objectives are `pareto`."""
    return all(each.role.name == "pareto" for each in objectives)


def counts_robustness(objectives: Sequence[Objective]) -> bool:
    """Whether a robust accuracy is an objective that is more than reported.

    Objectives without names may be such.
    """
    return any(
        each.role.name != "report"
        and (not each.metric or MetricName.parse(each.metric).is_attacked)
        for each in objectives
    )


def lexicographic_of(objectives: Sequence[Objective]) -> int | None:
    """Returns the index of the lexicographic objective, if there is one."""
    return next((i for i, each in enumerate(objectives) if each.role.name == "lexicographic"), None)


def steering_indices(objectives: Sequence[Objective]) -> list[int]:
    """Returns the objectives whose values a sampler is told: no constraints, no reports."""
    return [index for index, each in enumerate(objectives) if each.role.name in STEERING]


def searched(objectives: Sequence[Objective]) -> tuple[Objective, ...]:
    """Returns the objectives whose values a sampler is told."""
    return tuple(objectives[index] for index in steering_indices(objectives))


def as_losses(objectives: Sequence[Objective]) -> tuple[Objective, ...]:
    """Returns the objectives of losses: all minimised, the bounds of maximised ones negated."""
    return tuple(
        replace(each, direction="minimize", role=replace(each.role, bound=_bound_as_loss(each)))
        for each in objectives
    )


def judging_indices(objectives: Sequence[Objective]) -> list[int]:
    """Returns which objectives are the columns of `ConstrainedLosses.losses`."""
    first = [0] if lexicographic_of(objectives) is not None else []
    return [index for index in steering_indices(objectives) if index not in first]


def shortfalls(values: Sequence[float], objectives: Sequence[Objective]) -> dict[int, float]:
    """Returns how far a trial misses each bound, by the objective's index; 0 or less keeps it."""
    return {
        index: each.role.bound - value if each.is_maximized else value - each.role.bound
        for index, (value, each) in enumerate(zip(values, objectives, strict=True))
        if each.role.bound is not None
    }


def violation_of(constraints: Mapping[str, float]) -> float:
    """Returns the sum of the positive values, as Optuna counts constraints."""
    return sum(max(value, 0.0) for value in constraints.values())


def beyond(first: Floats, lowest: float, tolerance: float) -> Floats:
    """Returns how far losses are beyond a tolerance; 0 or less within it, rounding allowed."""
    off = first - lowest - tolerance
    is_rounding = np.abs(off) <= _ROUNDING * (abs(lowest) + tolerance)
    return np.where(is_rounding, 0.0, off)


def constrained_losses(values: ArrayLike, objectives: Sequence[Objective]) -> ConstrainedLosses:
    """Returns what trials are compared by; `values` as logged, shape `(n, objectives)`.

    Raises:
        ValueError: Roles are incompatible, or values have another shape.
    """
    checked(objectives)
    losses = pareto.losses(values, objectives)
    ceilings = [_bound_as_loss(each) for each in objectives]
    bounds = [index for index, ceiling in enumerate(ceilings) if ceiling is not None]
    over = losses[:, bounds] - np.array([ceilings[index] for index in bounds], dtype=np.float64)
    missed = np.maximum(over, 0.0).sum(axis=1)
    is_known = np.isfinite(losses[:, steering_indices(objectives)]).all(axis=1)
    violation = np.where(is_known & np.isfinite(missed), missed, np.nan)
    excess = np.zeros(len(losses))
    lexicographic = lexicographic_of(objectives)
    if lexicographic is not None and (violation == 0).any():
        tolerance = objectives[lexicographic].role.tolerance or 0.0
        off = beyond(losses[:, 0], losses[violation == 0, 0].min(), tolerance)
        excess = np.where(violation == 0, np.maximum(off, 0.0), 0.0)
    return ConstrainedLosses(losses[:, judging_indices(objectives)], violation, excess)


def steering(values: ArrayLike, objectives: Sequence[Objective]) -> Floats:
    """Returns losses that order trials under their roles, shape `(n, k)`; smaller is better.

    Depends on the set of trials: the best first value decides which are within a tolerance. Trials
    that do not count come after all that do, in every column: first those beyond the tolerance, by
    distance, then those that miss a bound, by violation. Rows without a finite value of every
    steering objective are NaN.
    """
    if is_plain(objectives):
        return pareto.losses(values, objectives)
    found = constrained_losses(values, objectives)
    columns = found.losses.copy()
    is_known = ~np.isnan(found.violation)
    columns[~is_known] = np.nan
    is_behind = is_known & ~found.is_counted
    if not is_behind.any():
        return columns
    # Ranks, not amounts: next to large losses a small violation would be lost in rounding.
    off = np.column_stack([found.violation, found.excess])[is_behind]
    places = np.unique(off, axis=0, return_inverse=True)[1].reshape(-1, 1)
    worst = columns[found.is_counted].max(axis=0, initial=0.0)
    columns[is_behind] = worst + np.maximum(1.0, np.abs(worst)) * (1.0 + places)
    return columns


def best(values: ArrayLike, objectives: Sequence[Objective]) -> NDArray[np.bool_]:
    """Marks the trials that are best under their roles, shape `(n,)`.

    These are the front of the trials that count, or where no trial keeps the bounds, of those with
    the least violation. With a lexicographic objective, the first one decides between equal trials.
    """
    if is_plain(objectives):
        return pareto.front(pareto.losses(values, objectives))
    found = constrained_losses(values, objectives)
    is_eligible = found.is_counted
    if not is_eligible.any():
        is_eligible = found.violation == np.nanmin(found.violation, initial=np.inf)
    chosen = np.flatnonzero(is_eligible)
    chosen = chosen[pareto.front(found.losses[chosen])]
    if lexicographic_of(objectives) is not None and len(chosen):
        first = pareto.losses(values, objectives)[chosen, 0]
        group = np.unique(found.losses[chosen], axis=0, return_inverse=True)[1].reshape(-1)
        lowest = np.full(len(chosen), np.inf)
        np.minimum.at(lowest, group, first)
        chosen = chosen[first == lowest[group]]
    return np.isin(np.arange(len(found.losses)), chosen)


def _bound_as_loss(objective: Objective) -> float | None:
    """Returns the largest loss that keeps a constraint; None for the other roles."""
    bound = objective.role.bound
    return -bound if bound is not None and objective.is_maximized else bound

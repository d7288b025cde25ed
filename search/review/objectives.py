"""A prior trial's values of the target's objectives, and whether they count as they are or by rank.

Another metric of the same role (robust accuracy under another threat), and a metric whose direction
was turned around when it was renamed (error to accuracy), order a task's trials but do not measure
the same: such values count by rank. The same metric wanted in the other direction is a
contradiction: nobody knows which of the two was meant, so the trial is left out.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from search.history import Trial
from search.objectives.objective import UNKNOWN, Objective


@dataclass(frozen=True)
class Valued:
    """A prior trial's values of the target's objectives.

    Attributes:
        values: In the target's order and directions; empty unless complete and all known. NaN for
            what is only reported and was not measured.
        problem: Why the trial cannot be used; empty if it can.
        stands_for: (the target's objective, the metric that stands for it), where they differ.
        turned: The target's objectives whose sign was turned.
    """

    values: tuple[float, ...] = ()
    problem: str = ""
    stands_for: tuple[tuple[str, str], ...] = ()
    turned: tuple[str, ...] = ()

    @property
    def is_by_rank(self) -> bool:
        """Whether the values can be compared with each other only."""
        return bool(self.stands_for or self.turned)


def objective_values(
    trial: Trial,
    objectives: Sequence[Objective],
    renamed: Collection[str] = (),
) -> Valued:
    """What a prior trial says about the target's objectives.

    Args:
        trial: In any state; only complete ones have values. A failed one contradicts nothing.
        objectives: The target's. A trial that was searched for others counts if it reported their
            metrics. If they have no metrics, trials count whose directions are the target's.
        renamed: The target's metrics that had another name before: their direction may differ.
    """
    if not any(each.metric for each in objectives):
        theirs, wanted = ([each.direction for each in of] for of in (trial.objectives, objectives))
        if theirs != wanted and trial.state != "failed":
            return Valued(problem="its directions are not this search's")
        return _complete(trial, list(trial.values), objectives)
    stands_for: list[tuple[str, str]] = []
    turned: list[str] = []
    for objective in objectives:
        name, direction = objective.metric, objective.direction
        if objective.role.name == "report":
            continue  # it steers nothing, so a trial without it counts
        own, was = trial.counterpart(name), trial.direction_of(name, direction)
        if own is not None and own != name:
            stands_for.append((name, own))
        if was == direction:
            continue
        if was != UNKNOWN and name in renamed:
            turned.append(name)
        elif trial.state != "failed":
            unclear = f"it does not say whether {own} is to be small or large"
            contrary = f"it was to {was} {own}, this search is to {direction}"
            return Valued(problem=unclear if was == UNKNOWN else contrary)
    values = [
        (-1.0 if each.metric in turned else 1.0) * trial.value_of(each.metric)
        for each in objectives
    ]
    return _complete(trial, values, objectives, tuple(stands_for), tuple(turned))


def _complete(
    trial: Trial,
    values: list[float],
    objectives: Sequence[Objective],
    stands_for: tuple[tuple[str, str], ...] = (),
    turned: tuple[str, ...] = (),
) -> Valued:
    if trial.state != "complete":
        return Valued((), "", stands_for, turned)
    if len(values) != len(objectives) or not all(
        _is_finite(value) or each.role.name == "report"
        for value, each in zip(values, objectives, strict=True)
    ):
        return Valued(problem="it has no finite value for every objective of this search")
    return Valued(tuple(values), "", stands_for, turned)


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)

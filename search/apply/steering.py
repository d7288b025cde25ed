"""Steering: what samplers are told of objectives that count as constraints, ties or reports.

A sampler sees the values of the objectives that are searched, and constraints: 0 or less is kept. A
bound is one; what is reported is not shown. Of a lexicographic objective both it and the first are
searched, under the constraint that the first stays within the tolerance of the best so far. So a
better first value is still worth something: with the second alone as the objective nobody would
look for one, and the tolerance would hang on whatever the first trials found.

Not for what is best or stops (`objectives/roles.py`), nor for how trials stand beside each other
(`constraints.py`). Sources: those of `objectives/roles.py`; constraints
as in Optuna, where a trial is feasible if none is above 0 and else judged by their positive sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import optuna

from search.history import Trial
from search.objectives import Objective, roles
from search.objectives.objective import checked

# By how much a bound is missed, or how far a trial is beyond a tolerance.
CONSTRAINT = Objective("", "minimize")


@dataclass(frozen=True)
class Steering:
    """The objectives of a search that are more than reported, and how they count.

    Attributes:
        indices: Their places among all objectives.
        objectives: These; the role of none is `report`.
    """

    indices: tuple[int, ...]
    objectives: tuple[Objective, ...]

    @property
    def is_plain(self) -> bool:
        """Whether all of them are searched alike."""
        return roles.is_plain(self.objectives)

    @property
    def modelled(self) -> tuple[Objective, ...]:
        """What is searched, and behind it the constraints, which are to be small."""
        limited = ("constraint", "lexicographic")
        more = sum(each.role.name in limited for each in self.objectives)
        return (*roles.searched(self.objectives), *[CONSTRAINT] * more)

    def of_evidence(self, trial: Trial) -> Trial:
        """A prior trial as a sampler sees it: of all these objectives only what is searched.

        NOTE: values that count by rank only are held against the bounds as numbers all the same:
        no better bound is known, and beyond it they are still in their order.
        """
        if not trial.values:
            return trial
        values = self.shown(trial.values)
        return replace(
            trial, objectives=roles.searched(self.objectives), values=self.searched(values),
            constraints=self.constraints(values),
        )  # fmt: skip

    def told(self, trial: optuna.Trial, values: Sequence[float]) -> list[float]:
        """Gives an ended trial its constraints; returns what of its values its study is told."""
        shown = self.shown(values)
        for metric, missed in self.constraints(shown).items():
            trial.set_constraint(metric, missed)
        return list(self.searched(shown))

    def shown(self, values: Sequence[float]) -> tuple[float, ...]:
        """Of the values of all objectives those of these."""
        return tuple(values[index] for index in self.indices)

    def searched(self, values: Sequence[float]) -> tuple[float, ...]:
        """Of the values of all these objectives those that a study is told."""
        return tuple(values[index] for index in roles.steering_indices(self.objectives))

    def constraints(self, values: Sequence[float]) -> dict[str, float]:
        """Metric -> by how much its bound is missed; 0 or less keeps it."""
        found = roles.shortfalls(values, self.objectives)
        return {self.objectives[index].metric: short for index, short in found.items()}


def steering_of(objectives: Sequence[Objective]) -> Steering:
    """What steers a search.

    Raises:
        ValueError: The objectives do not go together.
    """
    found = checked(objectives)
    kept = [index for index, each in enumerate(found) if each.role.name != "report"]
    return Steering(tuple(kept), tuple(found[index] for index in kept))

"""Steering: what samplers are told of objectives that count as constraints, ties or reports.

A sampler sees the values of the objectives that are searched, and constraints: 0 or less is kept. A
bound is one; what is reported is not shown. Of a lexicographic objective both it and the first are
searched, under the constraint that the first stays within the tolerance of the best so far. So a
better first value is still worth something: with the second alone as the objective nobody would
look for one, and the tolerance would hang on whatever the first trials found.

Not for what is best or stops (`search/roles.py`), nor for how trials stand beside each other
(`constraints.py`). Sources: those of `search/roles.py`; constraints
as in Optuna, where a trial is feasible if none is above 0 and else judged by their positive sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import optuna

from search import roles
from search.review import Evidence
from search.roles import Role


@dataclass(frozen=True)
class Steering:
    """The objectives of a search that are more than reported, and how they count.

    Attributes:
        indices: Their places among all objectives.
        objectives: Metric names.
        directions: "minimize" or "maximize" for each.
        roles: Of each; none is `report`.
    """

    indices: tuple[int, ...]
    objectives: tuple[str, ...]
    directions: tuple[str, ...]
    roles: tuple[Role, ...]

    @property
    def is_plain(self) -> bool:
        """Whether all of them are searched alike."""
        return roles.is_plain(self.roles)

    @property
    def modelled_directions(self) -> list[str]:
        """Of what is searched, and behind it of the constraints, which are to be small."""
        searched = [self.directions[index] for index in roles.steering_indices(self.roles)]
        more = sum(role.name in ("constraint", "lexicographic") for role in self.roles)
        return searched + ["minimize"] * more

    def of_evidence(self, trial: Evidence) -> Evidence:
        """A prior trial as a sampler sees it: of all these objectives only what is searched.

        NOTE: values that count by rank only are held against the bounds as numbers all the same:
        no better bound is known, and beyond it they are still in their order.
        """
        if not trial.values or self.is_plain:
            return trial
        return replace(
            trial,
            values=self.searched(trial.values),
            constraints=self.constraints(trial.values),
        )

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
        return tuple(values[index] for index in roles.steering_indices(self.roles))

    def constraints(self, values: Sequence[float]) -> dict[str, float]:
        """Metric -> by how much its bound is missed; 0 or less keeps it."""
        found = roles.shortfalls(values, self.directions, self.roles)
        return {self.objectives[index]: short for index, short in found.items()}


def steering_of(
    objectives: Sequence[str], directions: Sequence[str], given: Sequence[Role]
) -> Steering:
    """What steers a search.

    Raises:
        ValueError: Objectives, directions and roles do not go together.
    """
    if len(objectives) != len(directions):
        raise ValueError(f"{len(objectives)} objectives, but {len(directions)} directions")
    found = roles.filled(given, len(objectives))
    kept = [index for index, role in enumerate(found) if role.name != "report"]
    return Steering(
        tuple(kept),
        tuple(objectives[index] for index in kept),
        tuple(directions[index] for index in kept),
        tuple(found[index] for index in kept),
    )

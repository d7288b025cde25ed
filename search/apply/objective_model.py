"""Objective model: what samplers are told of objectives that count as constraints, ties or reports.

A sampler sees the values of the objectives that are searched, and constraints: 0 or less is kept. A
bound is one; what is reported is not shown. Of a lexicographic objective both it and the first are
searched, under the constraint that the first stays within the tolerance of the best so far. So a
better first value is still worth something: with the second alone as the objective nobody would
look for one, and the tolerance would hang on whatever the first trials found. How far the first
objective may be from the best moves when the best does, so it is computed anew for every proposal,
from all trials of a task.

Not for what is best or stops (`objectives/roles.py`). Sources: those of `objectives/roles.py`;
constraints as in Optuna, where a trial is feasible if none is above 0 and else judged by their
positive sum.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import optuna

from search.history import Trial
from search.objectives import Objective, pareto, roles
from search.objectives.objective import checked

# By how much a bound is missed, or how far a trial is beyond a tolerance.
CONSTRAINT = Objective("", "minimize")


@dataclass(frozen=True)
class ObjectiveModel:
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


def objective_model_of(objectives: Sequence[Objective]) -> ObjectiveModel:
    """What steers a search.

    Raises:
        ValueError: The objectives do not go together.
    """
    found = checked(objectives)
    kept = [index for index, each in enumerate(found) if each.role.name != "report"]
    return ObjectiveModel(tuple(kept), tuple(found[index] for index in kept))


# Of the constraint that the tolerance of a lexicographic objective makes.
TOLERANCE = "tolerance"


def with_constraints(rows: Sequence[Trial], steering: ObjectiveModel | None) -> list[Trial]:
    """Trials of one task, each with its constraints among these.

    The tolerance of a lexicographic objective constrains every complete trial. Those stopped early
    have not been measured; as with their values, they count as the worst complete trial does.
    """
    if steering is None or steering.is_plain:
        return list(rows)
    complete = [row for row in rows if row.state == "complete"]
    within = _within(complete, steering)
    named = [{**row.constraints, **each} for row, each in zip(complete, within, strict=True)]
    worst = {name: max(each[name] for each in named) for name in (named[0] if named else ())}
    ends = iter(named)
    return [
        replace(row, constraints=next(ends) if row.state == "complete" else worst)
        if row.state in ("complete", "stopped")
        else row
        for row in rows
    ]


def unfolded(rows: Sequence[Trial]) -> list[Trial]:
    """Trials whose constraints are further values, to be modelled like objectives."""
    return [
        replace(row, values=(*row.values, *row.constraints.values()), constraints={})
        if row.values
        else replace(row, constraints={})
        for row in rows
    ]


def with_task_constraints(
    evidence: Sequence[Trial], steering: ObjectiveModel | None
) -> list[Trial]:
    """Prior trials as samplers see them, each beside the others of its task, in their order.

    Values that count by rank are beside those of their own search only.
    """
    if steering is None:
        return list(evidence)
    places: dict[tuple[str, str], list[int]] = {}
    for place, trial in enumerate(evidence):
        key = (trial.task, trial.search if trial.is_by_rank else "")
        places.setdefault(key, []).append(place)
    found: dict[int, Trial] = {}
    for members in places.values():
        group = [steering.of_evidence(evidence[place]) for place in members]
        found.update(zip(members, with_constraints(group, steering), strict=True))
    return [found[place] for place in range(len(evidence))]


def _within(complete: Sequence[Trial], steering: ObjectiveModel) -> Sequence[Mapping[str, float]]:
    """For each complete trial the constraint by the tolerance, if there is a tolerance."""
    index = roles.lexicographic_of(steering.objectives)
    if index is None or not complete:
        return [{}] * len(complete)
    values = [[row.values[0]] for row in complete]
    first = pareto.losses(values, steering.objectives[:1])[:, 0]
    keeps = np.array([_misses(row) <= 0 for row in complete])
    if not keeps.any():  # the bounds come first
        return [{TOLERANCE: 0.0}] * len(complete)
    tolerance = steering.objectives[index].role.tolerance or 0.0
    beyond = roles.beyond(first, float(first[keeps].min()), tolerance)
    return [{TOLERANCE: float(each)} for each in beyond]


def _misses(row: Trial) -> float:
    """By how much a trial misses its bounds; the tolerance of another set does not count."""
    return roles.violation_of({k: v for k, v in row.constraints.items() if k != TOLERANCE})

"""ObjectiveModel: how a sampler sees objectives with roles (constraint, lexicographic, report).

A sampler sees the values of the searched objectives, and constraints: a value of 0 or less is
feasible. A bound is a constraint; a reported objective is not shown. Of a lexicographic objective
both it and the first objective are searched, under the constraint that the first stays within the
tolerance of the best so far. So a better first value is still worth something: if only the second
were searched, nothing would look for one, and the tolerance would depend on the first trials. The
best first value moves, so this constraint is computed from all trials of a task at every proposal.

Not for what is best, nor for stopping (`objectives/roles.py`). Sources: those of
`objectives/roles.py`; constraints as in Optuna, where a trial is feasible if none is above 0 and is
otherwise compared by the sum of the positive ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import optuna

from search.history import Trial
from search.objectives import Objective, pareto, roles
from search.objectives.objective import checked

# What a constraint counts as in a model: the smaller the better.
CONSTRAINT = Objective("", "minimize")
# Name of the constraint that the tolerance of a lexicographic objective makes.
TOLERANCE = "tolerance"


@dataclass(frozen=True)
class ObjectiveModel:
    """The objectives of a search that are more than reported, and how they count.

    Attributes:
        indices: Their places among all objectives.
        objectives: The objectives; none has the role `report`.
    """

    indices: tuple[int, ...]
    objectives: tuple[Objective, ...]

    @property
    def modelled(self) -> tuple[Objective, ...]:
        """The searched objectives, then the constraints as objectives to minimise."""
        limited = ("constraint", "lexicographic")
        more = sum(each.role.name in limited for each in self.objectives)
        return (*roles.searched(self.objectives), *[CONSTRAINT] * more)

    def as_seen(self, trial: Trial) -> Trial:
        """Returns a prior trial as a sampler sees it: the searched objectives and constraints.

        NOTE: values that count by rank only are compared with the bounds as numbers all the same:
        no better bound is known, and infeasible trials are still ordered correctly.
        """
        if not trial.values:
            return trial
        values = self.shown(trial.values)
        return replace(
            trial, objectives=roles.searched(self.objectives), values=self.searched(values),
            constraints=self.constraints(values),
        )  # fmt: skip

    def told(self, trial: optuna.Trial, values: Sequence[float]) -> list[float]:
        """Sets an ended trial's constraints; returns the values that its study is told."""
        shown = self.shown(values)
        for metric, excess in self.constraints(shown).items():
            trial.set_constraint(metric, excess)
        return list(self.searched(shown))

    def shown(self, values: Sequence[float]) -> tuple[float, ...]:
        """Selects the values of these objectives from those of all objectives."""
        return tuple(values[index] for index in self.indices)

    def searched(self, values: Sequence[float]) -> tuple[float, ...]:
        """Selects the values that a study is told from those of these objectives."""
        return tuple(values[index] for index in roles.steering_indices(self.objectives))

    def constraints(self, values: Sequence[float]) -> dict[str, float]:
        """Returns metric -> by how much its bound is missed; 0 or less is feasible."""
        found = roles.shortfalls(values, self.objectives)
        return {self.objectives[index].metric: short for index, short in found.items()}


def objective_model_of(objectives: Sequence[Objective]) -> ObjectiveModel:
    """Makes the objective model of a search.

    Raises:
        ValueError: The objectives do not go together.
    """
    found = checked(objectives)
    kept = [index for index, each in enumerate(found) if each.role.name != "report"]
    return ObjectiveModel(tuple(kept), tuple(found[index] for index in kept))


def with_constraints(rows: Sequence[Trial], model: ObjectiveModel | None) -> list[Trial]:
    """Returns trials of one task, each with its constraints.

    The tolerance of a lexicographic objective constrains every complete trial. Trials that were
    stopped early have no values to constrain; as with their values, they count as the worst
    complete trial.
    """
    if model is None or roles.is_plain(model.objectives):
        return list(rows)
    complete = [row for row in rows if row.state == "complete"]
    within = _within_tolerance(complete, model)
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
    """Appends the constraints of trials to their values, to be modelled like objectives."""
    return [
        replace(
            row,
            values=(*row.values, *row.constraints.values()) if row.values else row.values,
            constraints={},
        )
        for row in rows
    ]


def with_task_constraints(trials: Sequence[Trial], model: ObjectiveModel | None) -> list[Trial]:
    """Returns prior trials as samplers see them, in their order, with constraints by task.

    Trials whose values count by rank are compared only with those of their own search.
    """
    if model is None:
        return list(trials)
    places: dict[tuple[str, str], list[int]] = {}
    for place, trial in enumerate(trials):
        key = (trial.task, trial.search if trial.is_by_rank else "")
        places.setdefault(key, []).append(place)
    found: dict[int, Trial] = {}
    for members in places.values():
        group = [model.as_seen(trials[place]) for place in members]
        found.update(zip(members, with_constraints(group, model), strict=True))
    return [found[place] for place in range(len(trials))]


def _within_tolerance(
    complete: Sequence[Trial], model: ObjectiveModel
) -> Sequence[Mapping[str, float]]:
    """Returns for each complete trial the constraint by the tolerance, if there is one."""
    index = roles.lexicographic_of(model.objectives)
    if index is None or not complete:
        return [{}] * len(complete)
    first = pareto.losses([[row.values[0]] for row in complete], model.objectives[:1])[:, 0]
    bounds = [{k: v for k, v in row.constraints.items() if k != TOLERANCE} for row in complete]
    keeps = np.array([roles.violation_of(each) <= 0 for each in bounds])
    if not keeps.any():  # the bounds come first
        return [{TOLERANCE: 0.0}] * len(complete)
    tolerance = model.objectives[index].role.tolerance or 0.0
    beyond = roles.beyond(first, float(first[keeps].min()), tolerance)
    return [{TOLERANCE: float(each)} for each in beyond]

"""Constraints that only a look at all trials of a task tells, and those of trials stopped early.

How far the first objective may be from the best moves when the best does, so it is computed anew
for every proposal. Not for bounds, which a trial keeps or misses by itself (`steering.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from search.apply.steering import Steering
from search.history import Trial
from search.objectives import pareto, roles

# Of the constraint that the tolerance of a lexicographic objective makes.
TOLERANCE = "tolerance"


def beside_each_other(rows: Sequence[Trial], steering: Steering | None) -> list[Trial]:
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


def steered(evidence: Sequence[Trial], steering: Steering | None) -> list[Trial]:
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
        found.update(zip(members, beside_each_other(group, steering), strict=True))
    return [found[place] for place in range(len(evidence))]


def _within(complete: Sequence[Trial], steering: Steering) -> Sequence[Mapping[str, float]]:
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

"""Noise of an objective, from configurations that were tried more than once on a task.

Repetitions of a configuration differ by seeds and by nondeterminism of the machine; a difference of
that size between two configurations means nothing. Not the variance of a *search*, which depends on
what it tried.

Source: the pooled variance and its chi-square interval, as in any textbook; two single trials are
compared by Student's t with its degrees of freedom.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import chi2, t

from search.experience import Noise
from search.extract.objective_matrix import ObjectiveMatrix, objective_matrix
from search.history import Trial
from search.history.revalidation import changes_of, is_before
from search.objectives import Objective
from search.space import values as space_values

# With fewer on the same task, similar tasks are used too: the interval of a single repeat reaches
# from half the deviation to thirty times it.
FEWEST_REPEATS = 3


def noise(measured: Mapping[str, ObjectiveMatrix], objective: str, task: str) -> Noise | None:
    """Returns the noise of one objective; None if nothing was repeated.

    Args:
        measured: Search -> its trials, measured in this objective alone.
        objective: The name of the objective.
        task: The new search's task. With `FEWEST_REPEATS` repeats, only it is used.
    """
    groups = _repetitions(measured, objective)
    own = [group for group in groups if group[0][0].task == task]
    is_same = sum(len(group) - 1 for group in own) >= FEWEST_REPEATS
    groups = own if is_same else groups
    repeats = sum(len(group) - 1 for group in groups)
    if not repeats:
        return None
    squares = sum(_squares([value for _, value in group]) for group in groups)
    deviation = math.sqrt(squares / repeats)
    low, high = (math.sqrt(squares / float(chi2.ppf(share, repeats))) for share in (0.975, 0.025))
    trials = [trial for group in groups for trial, _ in group]
    return Noise(
        objective=objective,
        deviation=deviation,
        low=low,
        high=high,
        repeats=repeats,
        difference=float(t.ppf(0.975, repeats)) * math.sqrt(2) * deviation,
        is_same_task=is_same or (bool(own) and len(own) == len(groups)),
        runs=tuple(trial.run_id for trial in trials),
        searches=tuple(dict.fromkeys(trial.search for trial in trials)),
    )


def _squares(values: Sequence[float]) -> float:
    """Returns the sum of squared deviations from the mean; exactly 0 for equal values."""
    return float(np.var(values)) * len(values) if np.ptp(values) else 0.0


def _repetitions(
    measured: Mapping[str, ObjectiveMatrix], objective: str
) -> list[list[tuple[Trial, float]]]:
    """Returns the trials, with values, of each configuration that was tried more than once."""
    groups: dict[tuple[str, int, tuple[str, str], str], dict[str, tuple[Trial, float]]] = {}
    changes = changes_of(trial for part in measured.values() for trial in part.trials)
    for part in measured.values():
        for trial, (value,) in zip(part.trials, part.values, strict=True):
            # Accuracies under two threats are different metrics, and so are an accuracy and an
            # error that was renamed to it.
            own = trial.counterpart(objective) or objective, trial.direction_of(objective, "")
            # A difference between before and after a change is none of noise.
            era = sum(not is_before(trial, change) for change in changes.get(trial.task, ()))
            key = trial.task, era, own, configuration_key(trial.configuration)
            # By run, since a run that was read twice is not a repetition.
            groups.setdefault(key, {})[trial.run_id] = trial, float(value)
    return [list(group.values()) for group in groups.values() if len(group) > 1]


def configuration_key(configuration: Mapping[str, Any]) -> str:
    """Returns a configuration as canonical text: 1, 1.0 and "1.0" are equal."""
    canonical = {str(name): _canonical(value) for name, value in configuration.items()}
    return json.dumps(canonical, sort_keys=True)


def _canonical(value: object) -> object:
    number = space_values.read_number(value)
    if number is None:
        is_plain = value is None or isinstance(value, str | bool)
        return value if is_plain else space_values.brief(value)
    try:
        return float(number)
    except OverflowError:
        return space_values.brief(value)


def noises(
    single: Mapping[str, Sequence[ObjectiveMatrix]], objectives: Sequence[Objective], task: str
) -> tuple[Noise, ...]:
    """Returns the noise of each objective; `single` is search -> its trials per objective."""
    found = (
        noise({name: parts[column] for name, parts in single.items()}, objective.metric, task)
        for column, objective in enumerate(objectives)
    )
    return tuple(entry for entry in found if entry is not None)


def noises_of(
    trials: Sequence[Trial], objectives: Sequence[Objective], task: str
) -> tuple[Noise, ...]:
    """Returns the noise of each objective that has a name, from the trials of one task."""
    by_search: dict[str, list[Trial]] = {}
    for trial in trials:
        by_search.setdefault(trial.search, []).append(trial)
    named = [each for each in objectives if each.metric]
    single = {
        search: [objective_matrix(each, [objective]) for objective in named]
        for search, each in by_search.items()
    }
    return noises(single, named, task)

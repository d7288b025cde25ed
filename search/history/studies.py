"""Reads trials of Optuna studies, and creates studies that log nothing.

Not for the trials of a running search: the sampler keeps those (`apply/own_data.py`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from models.hyperparameters.hyperparameter import LARGEST_COUNT
from search.history.causes import last_line
from search.history.records import number_of
from search.history.states import FROM_OPTUNA
from search.history.trial import Trial
from search.objectives.objective import UNKNOWN, Objective, directions_of, from_lists

# Attributes of an Optuna trial that say what it cost: FLOP, seconds, and after how many epochs.
COST_ATTRIBUTES = ("work", "seconds", "epoch")
# The attribute that says why it failed or was stopped, in a line.
REASON = "reason"

_APART = "make a history of each group of studies with the same objectives"


def first_step_of(trials: Sequence[FrozenTrial]) -> int:
    """Return the step that a study's trials report first: 0 if any of them has it, else 1."""
    return 0 if any(0 in trial.intermediate_values for trial in trials) else 1


def quiet_study(
    objectives: Sequence[Objective], sampler: BaseSampler | None = None
) -> optuna.Study:
    """Create an empty study in memory without a message on the console."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        return optuna.create_study(sampler=sampler, directions=directions_of(objectives))
    finally:
        optuna.logging.set_verbosity(level)


def union_of_distributions(trials: Sequence[FrozenTrial]) -> dict[str, BaseDistribution]:
    """Return the distributions of all trials; the latest trial decides between two of one name."""
    return {name: kind for trial in trials for name, kind in trial.distributions.items()}


def first_start(trials: Sequence[FrozenTrial]) -> datetime:
    """Return when the first trial started, in UTC; 1970 if no trial has a start."""
    starts = [trial.datetime_start for trial in trials if trial.datetime_start]
    return min(starts).astimezone(UTC) if starts else datetime.fromtimestamp(0, UTC)


def objectives_of(
    studies: Mapping[str, optuna.Study | Sequence[FrozenTrial]],
    objectives: Sequence[str] | Sequence[Objective] | None,
    directions: Sequence[str] | None,
) -> tuple[Objective, ...]:
    """Return the objectives of studies: what is given, and what is not as the studies have it.

    Raises:
        TypeError: They are no studies by the name of their task.
        ValueError: The studies disagree with each other or with what is given, or there are only
            lists of trials, which have no directions.
    """
    _check_kinds(studies)
    known = {name: study for name, study in studies.items() if isinstance(study, optuna.Study)}
    ways = {name: [each.name.lower() for each in study.directions] for name, study in known.items()}
    named = {tuple(study.metric_names) for study in known.values() if study.metric_names}
    if not objectives and len(named) > 1:
        texts = " and ".join(", ".join(each) for each in sorted(named))
        raise ValueError(f"the studies name different objectives: {texts}; fix: {_APART}")
    is_ready = any(isinstance(each, Objective) for each in objectives or ())
    if directions is None and not is_ready:
        directions = next(iter(ways.values()), None)
    names = objectives or next(iter(named), ())
    names = names or [f"objective_{index}" for index in range(len(directions or ()))]
    found = from_lists(names, directions)
    if not found or UNKNOWN in {each.direction for each in found}:
        raise ValueError(
            "lists of trials have no directions; fix: give directions=[...], one for each "
            "objective, or objectives=[Objective(...), ...]"
        )
    wanted = directions_of(found)
    for name, own in ways.items():
        if own != wanted:
            raise ValueError(
                f"study {name!r} was to {' and '.join(own)}, not to {' and '.join(wanted)}; fix: "
                f"give the directions of the studies, or {_APART}"
            )
    return found


def _check_kinds(studies: object) -> None:
    each = list(studies.values()) if isinstance(studies, Mapping) else []
    are_studies = all(
        isinstance(study, optuna.Study | Sequence) and not isinstance(study, str) for study in each
    )
    if not each or not are_studies:
        raise TypeError(
            "studies are given by the names of their tasks; fix: from_studies({TASK: STUDY}), "
            "where STUDY is an optuna.Study or a list of its trials"
        )


def trial_of_study(
    task: str, frozen: FrozenTrial, objectives: tuple[Objective, ...], first_step: int = 1
) -> Trial:
    """Convert a trial of a study; its search has the name of its task.

    A complete trial that broke a constraint is a failed one: it is no optimum to start from, and
    its configuration is one to keep away from.

    Args:
        task: The name of the task.
        frozen: The trial.
        objectives: Those of the study.
        first_step: The step that the study reports after a trial's first epoch, 0 or 1.
    """
    values = tuple(frozen.values or ()) if frozen.state == TrialState.COMPLETE else ()
    broken = {name: value for name, value in frozen.constraints.items() if value > 0}
    is_measured = len(values) == len(objectives) and all(map(math.isfinite, values))
    is_usable = is_measured and not broken
    curve = {step + 1 - first_step: value for step, value in frozen.intermediate_values.items()}
    is_failed = frozen.state == TrialState.COMPLETE and not is_usable
    trial = Trial(
        task=task, search=task, number=frozen.number, run_id=f"{task}/{frozen.number}",
        state="failed" if is_failed else FROM_OPTUNA[frozen.state],
        configuration=frozen.params,
        objectives=objectives,
        values=values if is_usable else (),
        curves={objectives[0].metric: curve},
        epoch=max(curve, default=0),
        started=frozen.datetime_start.astimezone(UTC) if frozen.datetime_start else None,
        seconds=frozen.duration.total_seconds() if frozen.duration else 0.0,
    )  # fmt: skip
    reason = stated_reason(frozen)
    if is_measured and broken and not reason:
        reason = "broke a constraint, which is kept at 0 or below: " + ", ".join(
            f"{name} was {value:g}" for name, value in broken.items()
        )
    return replace(trial, reason=last_line(reason), **stated_cost(frozen))


def stated_reason(frozen: FrozenTrial) -> str:
    """Return why a trial failed or was stopped, if its attribute says so; else ""."""
    found = frozen.user_attrs.get(REASON)
    return last_line(found) if isinstance(found, str) else ""


def stated_cost(frozen: FrozenTrial) -> dict[str, Any]:
    """Return the fields of a trial that its attributes of cost state, if they can be costs.

    The time from ask to tell is not among them: of a running search it is another one at each run,
    and a proposal must not be.
    """
    found = {name: number_of(frozen.user_attrs.get(name)) for name in COST_ATTRIBUTES}
    if found["epoch"] >= LARGEST_COUNT:
        del found["epoch"]
    return {
        name: int(value) if name == "epoch" else value for name, value in found.items() if value > 0
    }

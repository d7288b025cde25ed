"""Reads trials of Optuna studies, and creates studies that log nothing.

Not for the trials of a running search: the sampler keeps those (`apply/own_data.py`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from search.history.states import FROM_OPTUNA
from search.history.trial import Trial
from search.objectives.objective import Objective, directions_of


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


def trial_of_study(task: str, frozen: FrozenTrial, objectives: tuple[Objective, ...]) -> Trial:
    """Convert a trial of a study; its search has the name of its task."""
    values = tuple(frozen.values or ()) if frozen.state == TrialState.COMPLETE else ()
    is_usable = len(values) == len(objectives) and all(map(math.isfinite, values))
    is_failed = frozen.state == TrialState.COMPLETE and not is_usable
    return Trial(
        task=task, search=task, number=frozen.number, run_id=f"{task}/{frozen.number}",
        state="failed" if is_failed else FROM_OPTUNA[frozen.state],
        configuration=frozen.params,
        objectives=objectives,
        values=values if is_usable else (),
        curves={objectives[0].metric: frozen.intermediate_values},
        epoch=max(frozen.intermediate_values, default=0),
        started=frozen.datetime_start.astimezone(UTC) if frozen.datetime_start else None,
        seconds=frozen.duration.total_seconds() if frozen.duration else 0.0,
    )  # fmt: skip

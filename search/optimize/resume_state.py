"""ResumeState: what a search has done so far, read from its runs, so that it can continue.

The study is rebuilt from the runs: there is no Optuna database that could disagree with the store.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import optuna
from optuna.trial import create_trial

from search.apply.objective_model import objective_model_of
from search.apply.own_data import CURVES
from search.history import Trial
from search.history.states import TO_OPTUNA
from search.history.studies import COST_ATTRIBUTES, REASON
from search.optimize.compared import compared_by_objective
from search.optimize.plan import Plan


@dataclass(frozen=True)
class ResumeState:
    """What a search has done so far. Interrupted trials come first when it continues."""

    finished: Sequence[Trial] = ()
    interrupted: Sequence[Trial] = ()
    next_number: int = 0
    free_numbers: Sequence[int] = ()  # below next_number; asked once, but never started


def resume_state_of(plan: Plan, trials: Sequence[Trial]) -> ResumeState:
    """Returns the state after earlier launches of this search, from its runs."""
    usable = [trial for trial in trials if plan.space.contains(trial.configuration)]
    taken = {trial.number for trial in trials}
    next_number = max(taken, default=-1) + 1
    return ResumeState(
        finished=[trial for trial in usable if trial.state in ("complete", "stopped", "failed")],
        interrupted=[trial for trial in usable if trial.state in ("interrupted", "running")],
        next_number=next_number,
        free_numbers=[number for number in range(next_number) if number not in taken],
    )


def as_optuna_trial(plan: Plan, prior: Trial) -> optuna.trial.FrozenTrial:
    """Returns a finished trial of this search as an Optuna trial, to rebuild the study."""
    model = objective_model_of(plan.spec.objectives)
    is_complete = prior.state == "complete"
    values = model.shown(prior.values) if is_complete else ()
    curves = {
        objective: dict(prior.curves[metric])
        for objective, metric in compared_by_objective(plan.spec).items()
        if prior.curves.get(metric)
    }
    is_known = prior.work > 0 or prior.seconds > 0
    cost = {name: getattr(prior, name) for name in COST_ATTRIBUTES if is_known}
    said = {REASON: prior.reason} if prior.reason else {}
    return create_trial(
        state=TO_OPTUNA[prior.state],
        params=dict(prior.configuration),
        distributions={name: plan.space.distributions[name] for name in prior.configuration},
        values=list(model.searched(values)) if is_complete else None,
        constraints=(model.constraints(values) or None) if is_complete else None,
        user_attrs=cost | said | ({CURVES: curves} if curves else {}),
    )

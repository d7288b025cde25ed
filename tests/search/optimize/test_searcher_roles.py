"""What a study is told of trials whose objectives have roles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from search.apply.first_proposals import sampler_for
from search.apply.prior_data import PriorData
from search.optimize.plan import Plan
from search.optimize.resume_state import resume_state_of
from search.optimize.searcher import OptunaSearcher
from tests.support.asked_searchers import prior, reported, searcher_of, study_trials
from tests.support.plans import a_plan

BOUND = {"role": "constraint", "bound": 0.75}
TIE = {"role": "lexicographic", "tolerance": 0.25}
REPORT = {"role": "report"}


def plan_under(folder: Path, role: dict[str, Any], **changes: Any) -> Plan:
    objectives = [
        {"metric": "left", "direction": "maximize"},
        {"metric": "right", "direction": "maximize"} | role,
    ]
    return a_plan(folder, objectives=objectives, **changes)


def told(plan: Plan, left: float, right: float) -> tuple[optuna.Study, optuna.trial.FrozenTrial]:
    searcher = searcher_of(plan)
    searcher.suggest("a")
    searcher.end("a", reported(3, left=left, right=right))
    return searcher._study, study_trials(searcher)[0]


def test_a_bound_is_a_constraint_of_the_trial_and_no_value(tmp_path: Path) -> None:
    study, trial = told(plan_under(tmp_path, BOUND), 0.5, 0.25)
    assert [direction.name for direction in study.directions] == ["MAXIMIZE"]
    assert (trial.values, trial.constraints) == ([0.5], {"right": 0.5})
    assert told(plan_under(tmp_path, BOUND), 0.5, 1.0)[1].constraints == {"right": -0.25}


def test_a_minimised_bound_is_a_largest_value(tmp_path: Path) -> None:
    plan = plan_under(tmp_path, BOUND | {"direction": "minimize"})
    assert told(plan, 0.5, 1.0)[1].constraints == {"right": 0.25}


def test_a_report_is_not_told(tmp_path: Path) -> None:
    study, trial = told(plan_under(tmp_path, REPORT), 0.5, 0.25)
    assert len(study.directions) == 1
    assert (trial.values, trial.constraints) == ([0.5], {})


def test_of_a_lexicographic_objective_the_study_is_told_both_values(tmp_path: Path) -> None:
    study, trial = told(plan_under(tmp_path, TIE), 0.5, 0.25)
    assert len(study.directions) == 2
    assert (trial.values, trial.constraints) == ([0.5, 0.25], {})


@pytest.mark.parametrize("role", [BOUND, TIE, REPORT], ids=lambda each: each["role"])
def test_a_study_rebuilt_from_the_runs_equals_the_one_that_was_told_them(
    tmp_path: Path, role: dict[str, Any]
) -> None:
    plan = plan_under(tmp_path, role)
    heard = told(plan, 0.5, 0.25)[1]
    own = [prior(0, "complete", heard.params["x"], values=(0.5, 0.25)), prior(1, "stopped", 1.0)]
    rebuilt = searcher_of(plan, own)
    rebuilt.suggest("b")
    first, second = study_trials(rebuilt)[:2]
    assert (first.values, first.constraints) == (heard.values, heard.constraints)
    assert (second.state, second.constraints) == (TrialState.PRUNED, {})


@pytest.mark.parametrize("role", [BOUND, TIE, REPORT], ids=lambda each: each["role"])
@pytest.mark.parametrize("sampler", ["warm", "tpe"])
def test_a_resumed_search_proposes_what_it_would_have(
    tmp_path: Path, role: dict[str, Any], sampler: str
) -> None:
    plan = plan_under(tmp_path, role, sampler={"name": sampler}, trials=9)

    def started(own: list[Any]) -> OptunaSearcher:
        made = sampler_for(plan.spec, PriorData(), plan.space, plan.task)
        return OptunaSearcher(plan, made, resume_state_of(plan, own))

    def step(searcher: OptunaSearcher, number: int) -> Any:
        config = searcher.suggest(str(number))
        assert isinstance(config, dict)
        left, right = number / 10, 1.0 - number / 10
        searcher.end(str(number), reported(3, left=left, right=right))
        return prior(number, "complete", config["configuration"]["x"], values=(left, right))

    uninterrupted = started([])
    own = [step(uninterrupted, number) for number in range(7)]
    resumed = started(own)
    for number in (7, 8):
        assert step(resumed, number) == step(uninterrupted, number)

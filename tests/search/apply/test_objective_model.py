"""What samplers see of objectives with roles, and how trials are compared."""

from __future__ import annotations

import optuna
import pytest

from search.apply.objective_model import (
    TOLERANCE,
    ObjectiveModel,
    objective_model_of,
    unfolded,
    with_constraints,
    with_task_constraints,
)
from search.history import Trial
from search.objectives.objective import PARETO, Objective, Role, directions_of, from_lists
from tests.support.earlier_tasks import own_trial, prior_trial

AT_LEAST = Role("constraint", bound=0.5)
WITHIN = Role("lexicographic", tolerance=0.25)
REPORT = Role("report")


def model_of(*second: Role) -> ObjectiveModel:
    count = 1 + len(second)
    names = [f"metric_{index}" for index in range(count)]
    return objective_model_of(from_lists(names, ["maximize"] * count, (PARETO, *second)))


def own(number: int, *values: float, state: str = "complete", **constraints: float) -> Trial:
    return own_trial(number, state, {"x": number}, values, constraints)  # type: ignore[arg-type]


def prior(task: str, *values: float, search: str = "s", is_by_rank: bool = False) -> Trial:
    return prior_trial(
        task, "r", "complete", {"x": 0.0}, values, True, search, is_by_rank=is_by_rank
    )


def test_a_study_is_told_what_is_searched_and_its_trials_get_the_constraints() -> None:
    study = optuna.create_study()
    trial = study.ask()
    found = model_of(AT_LEAST, REPORT)
    assert found.told(trial, [0.9, 0.75, 60.0]) == [0.9]
    assert trial.constraints == {"metric_1": -0.25}
    assert model_of(WITHIN).told(study.ask(), [0.9, 0.75]) == [0.9, 0.75]


def test_a_minimised_bound_is_missed_from_above() -> None:
    found = objective_model_of((Objective("a", "maximize"), Objective("b", "minimize", AT_LEAST)))
    assert found.constraints((1.0, 0.75)) == {"b": 0.25}
    assert found.constraints((1.0, 0.25)) == {"b": -0.25}


def test_without_roles_trials_stay_as_they_are() -> None:
    rows = [own(0, 0.9, 0.1), own(1, state="stopped")]
    for none in (None, model_of(PARETO), model_of(REPORT)):
        assert with_constraints(rows, none) == rows


def test_the_tolerance_is_from_the_best_of_all_trials_at_hand() -> None:
    rows = [own(0, 0.5, 0.9), own(1, 0.75, 0.5), own(2, state="running")]
    found = with_constraints(rows, model_of(WITHIN))
    assert [row.constraints for row in found] == [{TOLERANCE: 0.0}, {TOLERANCE: -0.25}, {}]
    found = with_constraints([*found, own(3, 1.0, 0.0)], model_of(WITHIN))
    assert [row.constraints.get(TOLERANCE) for row in found] == [0.25, 0.0, None, -0.25]


def test_what_is_within_the_tolerance_but_for_rounding_keeps_it() -> None:
    last = Role("lexicographic", tolerance=0.01)
    given = objective_model_of((Objective("a", "maximize"), Objective("b", "maximize", last)))
    assert 0.98 - 0.97 > 0.01
    rows = with_constraints([own(0, 0.98, 0.1), own(1, 0.97, 0.2)], given)
    assert [row.violation for row in rows] == [0.0, 0.0]


def test_only_a_trial_that_keeps_the_bounds_sets_the_tolerance() -> None:
    given = model_of(AT_LEAST, WITHIN)
    rows = [own(0, 1.0, 0.9, metric_1=0.25), own(1, 0.5, 0.1, metric_1=-0.25)]
    found = with_constraints(rows, given)
    assert [row.constraints[TOLERANCE] for row in found] == [-0.75, -0.25]
    only_bad = with_constraints(rows[:1], given)
    assert only_bad[0].constraints == {"metric_1": 0.25, TOLERANCE: 0.0}


def test_a_stopped_trial_misses_bounds_as_the_worst_complete_one_does() -> None:
    rows = [own(0, 1.0, metric_1=0.25), own(1, 0.5, metric_1=-0.25), own(2, state="stopped")]
    assert with_constraints(rows, model_of(AT_LEAST))[2].constraints == {"metric_1": 0.25}
    assert with_constraints(rows[2:], model_of(AT_LEAST))[0].constraints == {}


def test_prior_trials_are_compared_with_those_of_their_own_task() -> None:
    trials = [prior("a", 0.5, 0.5), prior("b", 1.0, 0.5), prior("a", 1.0, 0.25)]
    found = with_task_constraints(trials, model_of(WITHIN))
    assert [each.constraints[TOLERANCE] for each in found] == [
        0.25, -0.25, -0.25,
    ]  # fmt: skip
    found = with_task_constraints(trials, model_of(AT_LEAST))
    assert [(each.by_metric, each.violation) for each in found] == [
        ({"metric_0": 0.5}, 0.0), ({"metric_0": 1.0}, 0.0), ({"metric_0": 1.0}, 0.25),
    ]  # fmt: skip


def test_values_that_count_by_rank_are_compared_within_their_own_search() -> None:
    trials = [
        prior("a", 0.5, 0.5, search="one", is_by_rank=True),
        prior("a", 1.0, 0.5, search="two", is_by_rank=True),
    ]
    found = with_task_constraints(trials, model_of(WITHIN))
    assert [each.constraints[TOLERANCE] for each in found] == [-0.25, -0.25]


def test_unfolded_trials_have_their_constraints_as_further_values() -> None:
    rows = [own(0, 0.9, metric_1=0.25), own(1, state="stopped", metric_1=0.25)]
    assert [(row.values, row.constraints) for row in unfolded(rows)] == [
        ((0.9, 0.25), {}),
        ((), {}),
    ]
    assert directions_of(model_of(AT_LEAST, WITHIN).modelled) == [
        "maximize", "maximize", "minimize", "minimize",
    ]  # fmt: skip


def test_objectives_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(ValueError, match="first objective must be pareto"):
        objective_model_of((Objective("a", "maximize", REPORT),))

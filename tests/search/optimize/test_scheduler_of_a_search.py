"""What trials are compared by in a search with roles, epoch by epoch."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ray.tune.schedulers import FIFOScheduler

from search.objectives.objective import PARETO, Role
from search.optimize.compared import compared_metrics
from search.optimize.outcome import COLLAPSED, METRICS
from search.optimize.scheduler import MultiObjectiveASHA, scheduler_for
from search.spec import Spec, spec_from_yaml
from tests.support.plans import a_plan
from tests.support.spec_documents import GOOD, changed

ASHA = {"name": "multi_objective_asha", "grace_epochs": 1}
CLEAN = {"metric": "accuracy.clean", "direction": "maximize"}
ROBUST = {"metric": "accuracy.robust", "direction": "maximize"}
CORRUPTED = {"metric": "accuracy.corrupted", "direction": "maximize"}
BOUND = {"role": "constraint", "bound": 0.8}


def digits(*objectives: dict[str, Any]) -> Spec:
    document = changed("objectives", list(objectives), GOOD)
    return spec_from_yaml(changed("scheduler", ASHA, document))


def test_a_bound_is_compared_by_the_cheap_accuracy_of_its_attack() -> None:
    spec = digits(CLEAN, ROBUST | BOUND)
    assert compared_metrics(spec) == [
        "selection.accuracy.clean", f"selection.{spec.robustness.cheap_metric()}",
    ]  # fmt: skip


def test_what_is_reported_is_not_compared() -> None:
    assert compared_metrics(digits(CLEAN, ROBUST | {"role": "report"})) == [
        "selection.accuracy.clean"
    ]


def test_what_only_the_last_epoch_measures_is_not_compared() -> None:
    assert compared_metrics(digits(CLEAN, CORRUPTED | BOUND)) == ["selection.accuracy.clean"]
    assert compared_metrics(digits(CORRUPTED, CLEAN)) == []


@pytest.mark.parametrize(
    "role",
    [{"role": "constraint", "bound": 0.5}, {"role": "lexicographic", "tolerance": 0.1}],
    ids=lambda each: each["role"],
)
def test_the_scheduler_ranks_by_the_roles_of_the_spec(tmp_path: Path, role: Any) -> None:
    left, right = ({"metric": name, "direction": "maximize"} for name in ("left", "right"))
    plan = a_plan(tmp_path, scheduler=ASHA, objectives=[left, right | role])
    scheduler = scheduler_for(plan, [])
    assert isinstance(scheduler, MultiObjectiveASHA)
    wanted = plan.spec.objectives[1].role
    bound = None if wanted.bound is None else -wanted.bound  # the rungs hold losses
    assert tuple(each.role for each in scheduler._loss_objectives) == (
        PARETO,
        Role(wanted.name, bound, wanted.tolerance),
    )


@pytest.mark.parametrize(
    "spec",
    [{"scheduler": ASHA | {"grace_epochs": 3}, "budget": {"trials": 4, "epochs": 3}},
     {"scheduler": ASHA | {"grace_epochs": "auto"}, "budget": {"trials": 4, "epochs": 3}}],
    ids=["stated", "usual"],
)  # fmt: skip
def test_where_no_trial_reaches_a_rung_a_collapsed_one_is_stopped_all_the_same(
    tmp_path: Path, spec: Any
) -> None:
    plan = a_plan(tmp_path, **spec)
    assert compared_metrics(plan.spec) == []
    scheduler, collapsed = scheduler_for(plan, []), f"{METRICS}/{COLLAPSED}"
    trial = SimpleNamespace(trial_id="a")
    assert scheduler.on_trial_result(None, trial, {"epoch": 1}) == "CONTINUE"
    assert scheduler.on_trial_result(None, trial, {"epoch": 1, collapsed: 0.0}) == "CONTINUE"
    last = {"epoch": 3, collapsed: 1.0, "done": True}
    assert scheduler.on_trial_result(None, trial, last) == "CONTINUE"
    assert scheduler.on_trial_result(None, trial, {"epoch": 2, collapsed: 1.0}) == "STOP"


def test_without_a_scheduler_nothing_is_compared(tmp_path: Path) -> None:
    plan = a_plan(tmp_path, scheduler={"name": "none"})
    assert compared_metrics(plan.spec) == []
    assert isinstance(scheduler_for(plan, []), FIFOScheduler)

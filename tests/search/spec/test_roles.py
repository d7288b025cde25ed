"""Roles of objectives in a spec: the keys of each, and that a task does not depend on them."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from search.objectives.objective import PARETO, Role
from search.spec import spec_from_yaml, task_id
from tests.support.spec_documents import DATA, GOOD, PYTHON, changed, error_of

CLEAN = {"metric": "accuracy.clean", "direction": "maximize"}
ROBUST = {"metric": "accuracy.robust", "direction": "maximize"}
SECONDS = {"metric": "seconds", "direction": "minimize"}


def with_objectives(*objectives: dict[str, Any]) -> str:
    return changed("objectives", list(objectives))


def test_an_objective_is_pareto_by_default():
    assert [each.role for each in spec_from_yaml(GOOD).objectives] == [PARETO, PARETO]


@pytest.mark.parametrize(
    "written, role",
    [
        ({"role": "constraint", "bound": 0.80}, Role("constraint", bound=0.80)),
        ({"role": "constraint", "bound": 1}, Role("constraint", bound=1.0)),
        ({"role": "lexicographic", "tolerance": 0.01}, Role("lexicographic", tolerance=0.01)),
        ({"role": "lexicographic", "tolerance": 0}, Role("lexicographic", tolerance=0.0)),
        ({"role": "report"}, Role("report")),
    ],
)
def test_a_role_is_read_and_written_back(written, role):
    spec = spec_from_yaml(with_objectives(CLEAN, ROBUST | written))
    assert spec.objectives[1].role == role
    assert spec.objectives[1].metric == "accuracy.pgd10_linf_0.1"
    assert spec_from_yaml(spec.to_yaml()) == spec


def test_a_spec_without_roles_is_written_without_roles():
    written = yaml.safe_load(spec_from_yaml(GOOD).to_yaml())["objectives"]
    assert written[0] == CLEAN


def test_a_metric_with_one_better_end_needs_no_direction():
    costs = ("latency.ms", "throughput.per_second", "parameters.total", "seconds.cpu")
    names = ("accuracy.clean", *costs)
    spec = spec_from_yaml(with_objectives(*({"metric": name} for name in names)))
    assert [each.direction for each in spec.objectives] == [
        "maximize", "minimize", "maximize", "minimize", "minimize",
    ]  # fmt: skip
    written = yaml.safe_load(spec.to_yaml())["objectives"]
    assert written[1] == {"metric": "latency.ms", "direction": "minimize"}, "stored as it counted"


def test_a_cost_may_be_bounded():
    bounded = {"metric": "latency.ms", "role": "constraint", "bound": 2.0}
    spec = spec_from_yaml(with_objectives(CLEAN, bounded))
    assert spec.objectives[1].role == Role("constraint", bound=2.0)


@pytest.mark.parametrize(
    ("metric", "wrong", "right"),
    [
        ("accuracy.robust", "minimize", "maximize"),
        ("latency.ms", "maximize", "minimize"),
    ],
)
def test_a_direction_that_looks_for_the_worst_is_refused(metric: str, wrong: str, right: str):
    said = error_of(with_objectives(CLEAN, {"metric": metric, "direction": wrong}))
    assert "objectives[1].direction" in said and "looks for the worst" in said
    assert f"Did you mean `{right}`?" in said


def test_a_metric_without_a_better_end_of_its_own_needs_a_direction():
    said = error_of(changed("objectives", [{"metric": "score"}], PYTHON))
    assert "objectives[0].direction: is missing" in said and "minimize, maximize" in said


def test_seconds_of_a_gpu_are_no_objective_of_trials_without_one():
    said = error_of(with_objectives(CLEAN, {"metric": "seconds.gpu"}))
    assert "set resources.gpus, or take seconds.cpu" in said


def test_roles_are_no_part_of_the_task():
    plain = spec_from_yaml(GOOD)
    for more in ({"role": "constraint", "bound": 0.8}, {"role": "report"}):
        other = spec_from_yaml(with_objectives(CLEAN, ROBUST | more))
        assert task_id(other.fingerprint(DATA)) == task_id(plain.fingerprint(DATA))


WRONG = [
    # keys of the second objective, parts of the message
    ({"role": "limit"}, ["objectives[1].role = 'limit'", "pareto, constraint, lexicographic"]),
    ({"role": "constraint"}, ["objectives[1].bound: is missing", "bound: 0.80"]),
    ({"role": "lexicographic"}, ["objectives[1].tolerance: is missing", "tolerance: 0.01"]),
    ({"bound": 0.8}, ["objectives[1].bound = 0.8", "role pareto", "role: constraint"]),
    ({"tolerance": 0.1}, ["objectives[1].tolerance = 0.1", "write role: lexicographic"]),
    ({"role": "report", "bound": 0.8}, ["objectives[1].bound = 0.8", "role report has no bound"]),
    (
        {"role": "constraint", "bound": 0.8, "tolerance": 0.1},
        ["objectives[1].tolerance = 0.1", "role constraint has no tolerance"],
    ),
    (
        {"role": "lexicographic", "tolerance": -0.1},
        ["objectives[1].tolerance = -0.1", "at least 0"],
    ),
    ({"role": "constraint", "bound": "high"}, ["objectives[1].bound = 'high'", "number"]),
    ({"role": "constraint", "bound": float("inf")}, ["objectives[1].bound = inf", "finite"]),
    ({"role": "constraint", "bound": True}, ["objectives[1].bound = true", "number"]),
    ({"rôle": "report"}, ["unknown key", "metric, direction, role, bound, tolerance"]),
]


@pytest.mark.parametrize("written, said", WRONG, ids=lambda each: str(each)[:40])
def test_an_error_of_a_wrong_role_names_key_value_and_fix(written, said):
    message = error_of(with_objectives(CLEAN, ROBUST | written))
    for part in said:
        assert part in message.replace("True", "true"), message


def test_the_first_objective_must_be_pareto():
    message = error_of(with_objectives(CLEAN | {"role": "report"}, ROBUST))
    assert "objectives[0].role = 'report'" in message and "leave this key out" in message


def test_two_lexicographic_objectives_are_refused():
    last = {"role": "lexicographic", "tolerance": 0.1}
    message = error_of(with_objectives(CLEAN, ROBUST | last, SECONDS | last))
    assert "objectives[2].role" in message and "objectives[1] is lexicographic" in message


def test_a_constraint_and_a_report_may_be_combined():
    bound, report = {"role": "constraint", "bound": 0.8}, {"role": "report"}
    text = changed(
        "objectives",
        [
            {"metric": "score", "direction": "minimize"},
            {"metric": "left", "direction": "maximize"} | bound,
            {"metric": "right", "direction": "maximize"} | report,
        ],
        PYTHON,
    )
    assert [each.role.name for each in spec_from_yaml(text).objectives] == [
        "pareto", "constraint", "report",
    ]  # fmt: skip

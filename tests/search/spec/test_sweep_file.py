"""Sweep files of W&B: the spec passes every check, and each key is accounted for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from search.spec import SpecError, spec_from_yaml
from search.spec.sweep_file import Sweep, read_sweep, spec_name

PLAIN: dict[str, Any] = {
    "program": "train.py",
    "method": "bayes",
    "metric": {"name": "val_loss"},
    "parameters": {"rate": {"min": 0.0, "max": 1.0}},
    "run_cap": 8,
}


def swept(folder: Path, train: str = "", **changes: Any) -> Sweep:
    path = folder / "sweep.yaml"
    kept = {key: value for key, value in (PLAIN | changes).items() if value is not None}
    path.write_text(yaml.safe_dump(kept, sort_keys=False))
    return read_sweep(path, train)


def refused(folder: Path, **changes: Any) -> str:
    with pytest.raises(SpecError) as raised:
        swept(folder, **changes)
    return str(raised.value)


def said(found: Sweep, label: str) -> str:
    return "\n".join(text for each, text in found.notes if each == label)


def test_a_sweep_becomes_a_spec_that_passes_its_checks(tmp_path: Path) -> None:
    found = swept(
        tmp_path, name="my sweep", run_cap=20, metric={"name": "acc", "goal": "maximize"},
        parameters={"rate": {"min": 0.0, "max": 1.0}, "width": {"value": 16}},
    )  # fmt: skip
    spec = spec_from_yaml(yaml.safe_dump(dict(found.record)))
    assert (spec.name, spec.task.train) == ("my-sweep", "python:train:train")
    assert spec.task.settings == {"width": 16} and list(spec.space) == ["rate"]
    (objective,) = spec.objectives
    assert (objective.metric, objective.direction) == ("acc", "maximize")
    assert (spec.budget.trials, spec.scheduler.name) == (20, "none")


def test_a_goal_is_minimize_by_default_as_at_wandb(tmp_path: Path) -> None:
    assert swept(tmp_path).record["objectives"] == [{"metric": "val_loss", "direction": "minimize"}]


def test_nested_parameters_have_dotted_names(tmp_path: Path) -> None:
    inner = {"parameters": {"momentum": {"min": 0.5, "max": 0.9}, "name": {"value": "sgd"}}}
    found = swept(tmp_path, parameters={"optimizer": inner})
    assert list(found.record["space"]) == ["optimizer.momentum"]
    assert found.record["task"]["settings"] == {"optimizer.name": "sgd"}
    assert 'configuration["optimizer.momentum"]' in said(found, "differs")


def test_names_that_a_spec_cannot_hold_are_changed_aloud(tmp_path: Path) -> None:
    found = swept(
        tmp_path, metric={"name": "val/loss"},
        parameters={"weight-decay": {"min": 0.0, "max": 0.1}},
    )  # fmt: skip
    assert found.record["objectives"][0]["metric"] == "val_loss"
    assert list(found.record["space"]) == ["weight_decay"]
    assert "report val/loss as val_loss" in said(found, "differs")
    assert 'weight-decay: read it as configuration["weight_decay"]' in said(found, "differs")
    assert spec_name("2nd lr") == "_2nd_lr"


def test_two_names_that_become_one_are_refused(tmp_path: Path) -> None:
    parameters = {"a-b": {"min": 0, "max": 1}, "a_b": {"min": 0, "max": 1}}
    assert "would be called a_b, as another" in refused(tmp_path, parameters=parameters)


def test_epochs_become_the_budget(tmp_path: Path) -> None:
    fixed = swept(tmp_path, parameters=PLAIN["parameters"] | {"epochs": {"value": 30}})
    assert fixed.record["budget"]["epochs"] == 30
    assert "settings" not in fixed.record["task"], "the function has trial.epochs"
    searched = swept(tmp_path, parameters={"epochs": {"values": [5, 20]}})
    assert searched.record["budget"]["epochs"] == 20 and "epochs" in searched.record["space"]
    assert "budget.epochs is 10" in said(swept(tmp_path), "differs")


@pytest.mark.parametrize(
    ("early", "grace", "factor"),
    [
        ({"type": "hyperband", "min_iter": 3}, 3, 3),
        # W&B's documentation: max_iter 27, s 2 and eta 3 have the brackets 9 and 3.
        ({"type": "hyperband", "max_iter": 27, "s": 2}, 3, 3),
        ({"type": "hyperband", "min_iter": 2, "eta": 4}, 2, 4),
    ],
)
def test_hyperband_is_successive_halving_from_its_first_bracket(
    tmp_path: Path, early: dict[str, Any], grace: int, factor: int
) -> None:
    found = swept(tmp_path, early_terminate=early)
    assert found.record["scheduler"] == {
        "name": "asha", "grace_epochs": grace, "reduction_factor": factor
    }  # fmt: skip
    spec_from_yaml(yaml.safe_dump(dict(found.record)))


def test_a_bracket_after_the_last_epoch_stops_nothing(tmp_path: Path) -> None:
    parameters = PLAIN["parameters"] | {"epochs": {"value": 5}}
    found = swept(
        tmp_path, parameters=parameters, early_terminate={"type": "hyperband", "min_iter": 9}
    )
    assert "scheduler" not in found.record
    assert "early_terminate" in said(found, "left out")


def test_every_key_without_a_counterpart_is_listed(tmp_path: Path) -> None:
    found = swept(
        tmp_path, method="grid", run_cap=None, project="p", entity="e", description="d",
        command=["python"], job="j", metric={"name": "loss", "target": 0.1},
        early_terminate={"type": "hyperband", "min_iter": 2, "strict": True},
    )  # fmt: skip
    lost = said(found, "left out")
    for key in ("project", "entity", "description", "command", "job", "metric.target",
                "early_terminate.strict"):  # fmt: skip
        assert f"{key}" in lost, key
    assert "method grid" in said(found, "differs") and "no run_cap" in said(found, "differs")


def test_a_grid_of_few_cells_has_as_many_trials(tmp_path: Path) -> None:
    parameters = {"a": {"values": [1, 2, 3]}, "b": {"min": 0, "max": 1}}
    found = swept(tmp_path, method="grid", run_cap=None, parameters=parameters)
    assert found.record["budget"]["trials"] == 6
    many = swept(tmp_path, run_cap=None, parameters={"a": {"min": 0, "max": 10**12}})
    assert many.record["budget"]["trials"] == 32


def test_the_function_is_that_of_the_program_or_the_one_that_is_named(tmp_path: Path) -> None:
    program = swept(tmp_path, program="src/my_train.py")
    assert program.record["task"]["train"] == "python:src.my_train:train"
    named = swept(tmp_path, "my_train:main", program="run.sh")
    assert named.record["task"]["train"] == "python:my_train:main"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"program": "run.sh"}, "sweep.yaml:1  program = 'run.sh': must name a Python file"),
        ({"method": "bayesian"}, "method = 'bayesian': is no method of W&B's. Did you mean"),
        ({"metric": None}, "metric: must say what is optimized"),
        ({"metric": {"name": "a", "goal": "max"}}, "metric.goal = 'max': is neither"),
        ({"metric": {"name": "a", "gaol": "maximize"}}, "metric.gaol: unknown key"),
        ({"parameters": None}, "parameters: must map at least one parameter"),
        ({"parameters": {"a": {"value": 1}}}, "have one value each"),
        ({"parameters": {"a": 1}}, "parameters.a = 1: must be a mapping"),
        ({"parameters": {"a": {"parameters": {}}}}, "must hold `parameters` alone"),
        ({"run_cap": "ten"}, "run_cap = 'ten': must be a whole number"),
        ({"early_terminate": {"type": "envelope"}}, "type: hyperband"),
        ({"early_terminate": {"type": "hyperband"}}, "needs min_iter, or max_iter with s"),
        ({"early_terminate": {"type": "hyperband", "min_iter": 0}}, "must be a number from 1 to"),
    ],
)  # fmt: skip
def test_a_mistake_has_its_line_key_and_fix(
    tmp_path: Path, changes: dict[str, Any], text: str
) -> None:
    assert text in refused(tmp_path, **changes)


def test_all_mistakes_of_a_file_are_reported_at_once(tmp_path: Path) -> None:
    parameters = {"a": {"min": 2, "max": 1}, "b": {"distribution": "x"}}
    assert refused(tmp_path, method="x", parameters=parameters).count("\n") == 2


def test_a_tag_that_would_build_an_object_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_text("program: !!python/object/apply:os.system ['true']\n")
    with pytest.raises(SpecError, match="not YAML"):
        read_sweep(path)


@pytest.mark.parametrize(
    "numbers",
    [
        {"min_iter": float("inf")},
        {"min_iter": 1, "eta": float("inf")},
        {"max_iter": 9, "s": 10**400},
    ],
)
def test_numbers_of_hyperband_beyond_all_epochs_are_mistakes(
    tmp_path: Path, numbers: dict[str, Any]
) -> None:
    said = refused(tmp_path, early_terminate={"type": "hyperband", **numbers})
    assert "must be a number from 1 to 2,147,483,647" in said


def test_more_brackets_than_epochs_start_at_the_first_epoch(tmp_path: Path) -> None:
    stop = {"type": "hyperband", "max_iter": 9, "s": 10**9}
    found = swept(tmp_path, early_terminate=stop)
    assert found.record["scheduler"]["grace_epochs"] == 1


@pytest.mark.parametrize("program", ["../train.py", "/jobs/train.py", "my train.py", ".py"])
def test_a_program_that_is_no_module_of_the_folder_is_a_mistake(
    tmp_path: Path, program: str
) -> None:
    assert "--program MODULE:FUNCTION" in refused(tmp_path, program=program)


def test_a_program_in_a_folder_is_a_module_of_a_package(tmp_path: Path) -> None:
    assert swept(tmp_path, program="./jobs/train.py").record["task"]["train"] == (
        "python:jobs.train:train"
    )

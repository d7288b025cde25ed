"""Errors of a wrong spec: key, value and fix, all mistakes at once."""

import pickle
from pathlib import Path
from typing import Any

import pytest
import yaml

from search.spec import SpecError, load_spec, spec_from_yaml
from search.spec.yaml_document import EXAMPLES
from tests.support.spec_documents import FLOAT, GOOD, PYTHON, changed, error_of

WRONG = [
    # path, value, parts of the message: key, value and fix
    ("nmae", "x", ["nmae: unknown key", "Did you mean `name`?"]),
    ("name", "a b/c", ["name = 'a b/c'", "letters, digits"]),
    ("name", 201 * "a", ["name = 'aaa", "at most 200 characters"]),  # folders are called so
    ("task/name", 201 * "a", ["task.name = 'aaa", "at most 200 characters"]),
    ("name", None, ["name: is missing"]),
    ("seed", -1, ["seed = -1", "at least 0"]),
    ("seed", "zero", ["seed = 'zero'", "whole number"]),
    ("task", None, ["task: is empty", "data, model, network, train, base, settings"]),
    ("task/modle", "cnn", ["task.modle: unknown key", "Did you mean `model`?"]),
    ("task/model", "cn", ["task.model = 'cn'", "`cnn`", "`network:`"]),
    ("task/model", "network", ["task.model = 'network'", "unknown model"]),
    ("task/model", "python:json:loads", ["task.model = 'python:json:loads'", "`train:`"]),
    ("task/network", "python:json:loads", ["task: names model and network; keep one"]),
    ("task/train", "python:json:loads", ["task: names model and train; keep one"]),
    ("task/model", None, ["task.model: is empty; it names what to train"]),
    ("task/data", "digts", ["task.data = 'digts'", "`digits`", "hub:NAME"]),
    ("task/data", None, ["task.data: is missing", "digits"]),
    ("task/data", {"name": "digits", "hub": "mnist"}, ["task.data", "name, hub", "name one"]),
    ("task/data", {"name": "digits", "sise": 3}, ["task.data.sise", "unknown key", "image_size"]),
    ("history", {"digest": "abc"}, ["history.digest = 'abc'", "must be a digest"]),
    ("task/data", {"name": "digits", "image_size": 0}, ["task.data.image_size = 0", "at least 1"]),
    ("task/settings", [1], ["task.settings = [1]", "mapping"]),
    ("task/settings/widht", 3, ["task.settings.widht", "`width`"]),
    ("task/settings/batch_size", "x", ["task.settings.batch_size = 'x'", "2 to 8192"]),
    ("task/settings/blocks", 99, ["task.settings.blocks = 99", "1 to 8"]),
    ("task/settings/blocks", [2], ["task.settings.blocks = [2]", "must be a number"]),
    ("task/settings/epsilon", 0.3, ["task.settings.epsilon", "same for every trial"]),
    ("task/settings/width", 32, ["space.width", "task.settings too", "keep one"]),
    ("task/settings/pgd.steps", 3, ["task.settings.pgd.steps", "`adversarial_training` (pgd)"]),
    ("task/settings/optimizer", "adamw", ["sgd.learning_rate", "needs optimizer sgd"]),
    ("objectives", [], ["objectives", "at least one {metric, direction}"]),
    ("objectives/0/metric", "accuracy.claen", ["objectives[0].metric", "`accuracy.clean`"]),
    ("objectives/1/metric", "accuracy.clean", ["objectives[1].metric", "already"]),
    ("objectives/0/direction", "max", ["objectives[0].direction = 'max'", "maximize, minimize"]),
    ("objectives/0/weight", 2, ["objectives[0].weight", "unknown key", "metric, direction"]),
    ("space", {}, ["space", "at least one hyperparameter", "optimizer"]),
    ("space/learning_rate", FLOAT, ["space.learning_rate", "cnn", "sgd.learning_rate"]),
    ("space/epsilon", FLOAT, ["space.epsilon", "the evaluation is the same for every trial"]),
    ("space/robustness.steps", FLOAT, ["space.robustness.steps", "same for every trial"]),
    ("space/no name", FLOAT, ["space.no name", "starts with a letter"]),
    ("space/width/type", "integer", ["space.width.type = 'integer'", "`int`", "categorical"]),
    ("space/width/type", "float", ["space.width.type = 'float'", "int, categorical"]),
    ("space/width/hgih", 64, ["space.width.hgih", "`high`"]),
    ("space/width/low", 64, ["space.width.low = 64", "below high (64)", "task.settings"]),
    ("space/width/low", 16.5, ["space.width.low = 16.5", "whole number"]),
    ("space/width/low", 0, ["space.width.low = 0", "1 to 1024"]),
    ("space/width/high", None, ["space.width.high", "low and a high"]),
    ("space/width/high", 60, ["space.width.high = 60", "reaches 48"]),
    ("space/width/high", float("inf"), ["space.width.high = inf", "finite"]),
    ("space/width/log", True, ["space.width.step = 16", "log: true"]),
    ("space/width/step", 0, ["space.width.step = 0", "above 0"]),
    ("space/width/choices", [1, 2], ["space.width.choices = [1, 2]", "no such key"]),
    ("space/width/high", 10**400, ["space.width.high", "between -2**63 and 2**63"]),
    ("space/optimizer/choices", ["sgd", 2**64], ["optimizer.choices[1]", "-2**63 and 2**63"]),
    ("space/width", [16, 64], ["space.width = [16, 64]", "must be a mapping", "low, high"]),
    ("space/width", {"type": "int", "low": 16}, ["space.width.high", "is missing"]),
    ("space/sgd.learning_rate/low", -1, ["learning_rate.low = -1", "above 0 with log"]),
    ("space/sgd.learning_rate/log", "yes!", ["learning_rate.log = 'yes!'", "true or false"]),
    ("space/optimizer/choices", [], ["optimizer.choices", "names no value"]),
    ("space", {"optimizer": {"type": "categorical", "choices": ["sgd"]}}, ["nothing to search"]),
    ("space/optimizer/choices", ["sgd", "adam"], ["choices[1] = 'adam'", "`adamw`"]),
    ("space/optimizer/choices", ["sgd", "sgd"], ["choices[1] = 'sgd'", "twice"]),
    ("space/optimizer/low", 1, ["space.optimizer.low = 1", "type categorical has no"]),
    ("space/optimizer/type", "bool", ["space.optimizer.choices", "type bool has no"]),
    ("space/sgd.learning_rate/when", {"optimiser": "sgd"}, ["when.optimiser", "`optimizer`"]),
    ("space/sgd.learning_rate/when", {"optimizer": "x"}, ["when.optimizer = 'x'", "sgd, adamw"]),
    ("space/sgd.learning_rate/when", {"optimizer": "adamw"}, ["= 'adamw'", "no effect", "sgd"]),
    ("space/sgd.learning_rate/when", {"optimizer": []}, ["when.optimizer", "names no value"]),
    ("space/width/when", {"batch_size": 64}, ["width.when.batch_size", "fixed in task.settings"]),
    ("space/width/when", {"sgd.learning_rate": 0.1}, ["when.sgd.learning_rate", "is a float"]),
    ("space/width/when", {"width": 16}, ["space.width.when", "cycle", "width > width"]),
    ("space/pgd.steps", {"type": "int", "low": 1, "high": 3}, ["pgd.steps", "needs its parent"]),
    (
        "space/stages",
        {"type": "categorical", "choices": ["1-1", "2-2-2"]},
        ["space.stages", "needs its parent `block` (residual) in space or task.settings"],
    ),
    ("task/settings/stages", "1-1", ["task.settings.stages", "needs its parent `block`"]),
    ("budget", None, ["budget: is empty", "trials, epochs, hours"]),
    ("budget/trials", 0, ["budget.trials = 0", "at least 1"]),
    ("budget/epochs", 1.5, ["budget.epochs = 1.5", "whole number"]),
    ("budget/trials", True, ["budget.trials = True", "whole number"]),
    ("budget/hours", -2, ["budget.hours = -2", "greater than 0"]),
    ("budget/hours", "2h", ["budget.hours = '2h'", "number"]),
    ("resources/cpu", 2, ["resources.cpu: unknown key", "`cpus`"]),
    ("resources/gpus", 1.5, ["resources.gpus = 1.5", "at most 1"]),
    ("resources/gpus", 2.0, ["resources.gpus = 2", "at most 1", "resources.parallelism"]),
    ("resources/parallelism", "all", ["resources.parallelism = 'all'", "whole number", "auto"]),
    ("resources/parallelism", 0, ["resources.parallelism = 0", "1 or more"]),
    ("resources/accelerator", "A100 80", ["resources.accelerator = 'A100 80'"]),
    ("resources/accelerator", "A100", ["resources.accelerator = 'A100'", "resources.gpus is 0"]),
    ("sampler/name", "tep", ["sampler.name = 'tep'", "`tpe`", "random"]),
    ("sampler", {"name": "tpe", "options": {"seed": 3}}, ["sampler.options.seed", "n_ei_cand"]),
    ("sampler", {"name": "gp", "options": {"n_startup_trials": "x"}}, ["= 'x'", "whole number"]),
    ("sampler", {"options": {"sampler": "tep"}}, ["options.sampler = 'tep'", "`tpe`", "gp"]),
    ("sampler", {"options": {"portfolio": 1.5}}, ["options.portfolio = 1.5", "whole number"]),
    ("sampler", {"options": {"portfolios": 1}}, ["options.portfolios", "`portfolio`"]),
    ("sampler", {"options": {"portfolio": -1}}, ["options.portfolio = -1", "at least 0"]),
    ("sampler", {"options": {"control": -1}}, ["options.control = -1", "at least 0"]),
    ("sampler", {"options": {"control": 1.0}}, ["options.control = 1.0", "whole number"]),
    ("sampler", {"options": {"control": True}}, ["options.control = True", "whole number"]),
    ("sampler", {"options": {"control": 999}}, ["options.control = 999", "half of budget.trials"]),
    ("sampler", {"options": {"controls": 1}}, ["options.controls", "`control`"]),
    ("sampler", {"name": "tpe", "options": {"control": 2}}, ["options.control", "no option of"]),
    ("sampler", {"name": "random", "options": {"a": 1}}, ["options.a", "which has none"]),
    ("sampler", {"name": "tpe", "options": {"n_startup_trials": -1}}, ["= -1", "at least 0"]),
    ("scheduler/name", "hyperband", ["scheduler.name = 'hyperband'", "multi_objective_asha"]),
    ("scheduler/reduction_factor", 1, ["scheduler.reduction_factor = 1", "at least 2"]),
    ("scheduler", {"name": "asha", "grace_epochs": 16}, ["grace_epochs = 16", "epochs (15)"]),
    ("scheduler/grace_epochs", 3, ["scheduler.grace_epochs", "name a scheduler"]),
    ("scheduler", {"name": "none", "grace_epochs": 3}, ["scheduler.grace_epochs", "remove"]),
    ("robustness/epsilon", 8, ["robustness.epsilon = 8", "[0, 1]", "8/255"]),
    ("robustness/epsilon", 0, ["robustness.epsilon = 0", "greater than 0"]),
    ("robustness/norm", "l1", ["robustness.norm = 'l1'", "linf, l2"]),
    ("robustness/cheap_steps", 10, ["robustness.cheap_steps = 10", "below steps (10)"]),
    ("robustness/cheap_steps", 11, ["robustness.cheap_steps = 11", "not exceed steps (10)"]),
    ("robustness/steps", 1, ["robustness.steps = 1", "at least 2", "robustness.cheap_steps"]),
    ("robustness", {"steps": 1, "cheap_steps": 1}, ["robustness.cheap_steps = 1", "below steps"]),
    ("robustness/epsilon", "8/0", ["robustness.epsilon = '8/0'", "must be a number"]),
    ("robustness", 3, ["robustness = 3", "must be a mapping", "confirm_examples"]),
    ("robustness/eps", 0.1, ["robustness.eps: unknown key", "epsilon"]),
    ("history/enabled", "maybe", ["history.enabled = 'maybe'", "true or false"]),
    ("history/experiments", [], ["history.experiments", "enabled: false"]),
    ("history/experiments", "all", ["history.experiments = 'all'", "list"]),
    ("history/same_task", "mine", ["history.same_task = 'mine'", "list"]),
    ("history/same_tasks", ["mine"], ["history.same_tasks: unknown key", "`same_task`"]),
    ("history/rename", {"lr": "widht"}, ["history.rename.lr = 'widht'", "`width`"]),
    ("history/rename_metrics", {"acc": "accuracy"}, ["rename_metrics.acc", "accuracy.clean"]),
]


@pytest.mark.parametrize(("path", "value", "said"), WRONG, ids=lambda each: str(each)[:40])
def test_an_error_of_a_wrong_spec_names_key_value_and_fix(
    path: str, value: Any, said: list[str]
) -> None:
    message = error_of(changed(path, value))
    for words in said:
        assert words in message


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file is empty"),
        ("# only a comment\n", "the file is empty"),
        ("- a\n- b\n", "the file holds a list, not a mapping"),
        ("just words", "the file holds a str"),
        ("name: x\n\ttask: y\n", "wrong.yaml:2: a tab in the indentation"),
        ("name: [1, 2\n", "not YAML"),
        ("a: 1\n---\nb: 2\n", "more than one YAML document"),
        ("name: !!python/object/apply:os.system [ls]\n", "not YAML"),
        ("name: x\n? [1]\n: 2\n", "not YAML"),
        ("a: &a [*a]\n", "an anchor contains itself"),
        (GOOD.replace("budget:", "budgets:"), "budget: is missing. Allowed: trials"),
        (GOOD + "name: again\n", "wrong.yaml:9  name: given twice, first in line 1"),
        (GOOD.replace("width:", "on:"), "wrong.yaml:7  space.on: YAML does not read this key"),
        (GOOD.replace("when: {optimizer: sgd}", "when: sgd"), "when = 'sgd'"),
        ("a: " + "[" * 5000, "wrong.yaml"),
    ],
)
def test_text_that_is_no_spec_is_refused(text: str, said: str) -> None:
    assert said in error_of(text)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text(GOOD)
    with pytest.raises(SpecError, match=r"missing\.yaml: there is no such file.*other\.yaml"):
        load_spec(tmp_path / "missing.yaml")
    with pytest.raises(SpecError, match="this is a folder"):
        load_spec(tmp_path)
    with pytest.raises(SpecError, match=r"the example of that name is .*/specs/digits\.yaml"):
        load_spec(tmp_path / "digits")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SpecError, match="name a YAML file"):
        load_spec(tmp_path / "empty" / "missing.yaml")
    (tmp_path / "latin.yaml").write_bytes("name: caf\xe9\n".encode("latin-1"))
    with pytest.raises(SpecError, match="not UTF-8 text"):
        load_spec(tmp_path / "latin.yaml")


@pytest.mark.parametrize(
    ("spec", "setting"),
    [
        ("digits", "task.data={path: ~nosuch/images}"),
        ("sst2", "task.base=~nosuch/bert"),
        ("sst2", "robustness={attack: words, synonyms: ~nosuch/table.csv}"),
    ],
)
def test_the_home_of_an_unknown_user_is_a_folder_that_is_missing(spec: str, setting: str) -> None:
    with pytest.raises(SpecError, match=r"no (file or )?folder /.*/~nosuch/|~nosuch/.* cannot be"):
        load_spec(EXAMPLES / f"{spec}.yaml", [setting])


def test_all_mistakes_are_reported_at_once_with_their_lines() -> None:
    text = GOOD.replace("width:", "widht:").replace("trials: 16", "trials: none")
    text = text.replace("high: 0.3", "high: 30").replace("data: digits", "data: digts")
    with pytest.raises(SpecError) as caught:
        spec_from_yaml(text + "sede: 3\n", "wrong.yaml")
    found = {(problem.line, problem.key) for problem in caught.value.problems}
    assert found == {
        (2, "task.data"),
        (6, "space.sgd.learning_rate.high"),
        (7, "space.widht"),
        (8, "budget.trials"),
        (9, "sede"),
    }
    lines = str(caught.value).splitlines()
    assert len(lines) == 5
    assert lines[2].startswith("wrong.yaml:7  space.widht: unknown hyperparameter of model cnn. ")
    assert "Did you mean `width`? Allowed: optimizer, " in lines[2]


def test_a_wrong_direction_does_not_hide_a_wrong_metric() -> None:
    text = GOOD.replace("accuracy.clean, direction: maximize", "accuracy.claen, direction: max")
    with pytest.raises(SpecError) as caught:
        spec_from_yaml(text)
    keys = [problem.key for problem in caught.value.problems]
    assert keys[:2] == ["objectives[0].direction", "objectives[0].metric"]


def test_a_spec_error_survives_pickling() -> None:
    with pytest.raises(SpecError) as caught:
        spec_from_yaml(changed("budget/trials", 0), "wrong.yaml")
    copied = pickle.loads(pickle.dumps(caught.value))
    assert copied.problems == caught.value.problems and str(copied) == str(caught.value)


def test_conditions_in_a_cycle_are_refused() -> None:
    text = changed("space/steps/when", {"use_bias": True}, PYTHON)
    text = changed("space/use_bias/when", {"steps": [1, 2]}, text)
    assert "conditions form a cycle" in error_of(text)


def test_robustness_of_a_training_function_needs_an_epsilon() -> None:
    text = changed("robustness/steps", 20, PYTHON)
    assert (
        "robustness.epsilon: is missing, and no size of attack is usual for this task"
        in error_of(text)
    )


def test_a_control_arm_may_take_half_of_the_trials_and_no_more() -> None:
    for trials, control, is_legal in ((9, 4, True), (9, 5, False), (1, 0, True), (1, 1, False)):
        document = {
            **yaml.safe_load(GOOD),
            "budget": {"trials": trials, "epochs": 15},
            "sampler": {"options": {"control": control}},
        }
        text = yaml.safe_dump(document)
        if is_legal:
            assert spec_from_yaml(text).sampler.options["control"] == control
        else:
            with pytest.raises(SpecError, match=f"must be {trials // 2} or less"):
                spec_from_yaml(text)

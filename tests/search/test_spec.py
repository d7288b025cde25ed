"""Spec: what a YAML file may say, what is said about a wrong one, and a task's identity."""

import copy
import dataclasses
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
import yaml

from models.catalog import MODELS, DataDescription, complete, describe_data
from search.space import SearchSpace
from search.spec import Spec, SpecError, load_spec, spec_from_yaml, task_id

optuna.logging.set_verbosity(optuna.logging.WARNING)

SPECS = Path(__file__).parents[2] / "search" / "specs"

GOOD = """\
name: digits
task: {data: digits, model: cnn, settings: {batch_size: 64}}
objectives: [&a {metric: accuracy.clean, direction: maximize}, {<<: *a, metric: accuracy.robust}]
space:
  optimizer: {type: categorical, choices: [sgd, adamw]}
  sgd.learning_rate: {type: float, low: 1e-3, high: 0.3, log: true, when: {optimizer: sgd}}
  width: {type: int, low: 16, high: 64, step: 16}
budget: {trials: 16, epochs: 15, hours: null}
"""
PYTHON = """\
name: mine
task: {model: "python:json.decoder:JSONDecoder", settings: {depth: 3}}
objectives: [{metric: score, direction: minimize}]
space: {steps: {type: int, low: 1, high: 9}, use_bias: {type: bool}}
budget: {trials: 2, epochs: 1}
"""
DATA = DataDescription("digits", "digits", (1, 8, 8), 10, 1000, 297, 500, "d057663734dc")


def changed(path: str, value: Any, text: str = GOOD) -> str:
    """The good spec with one value put at a `/`-separated path."""
    record = yaml.safe_load(text)
    part = record
    *above, last = path.split("/")
    for key in above:
        part = part.setdefault(key, {}) if isinstance(part, dict) else part[int(key)]
    part[last] = copy.deepcopy(value)
    return yaml.safe_dump(record, sort_keys=False)


def error_of(text: str) -> str:
    with pytest.raises(SpecError) as caught:
        spec_from_yaml(text, "wrong.yaml")
    return str(caught.value)


FLOAT = {"type": "float", "low": 0.1, "high": 0.5}
WRONG = [
    # path, value, what the message must hold: key, value and help
    ("nmae", "x", ["nmae: unknown key", "Did you mean `name`?"]),
    ("name", "a b/c", ["name = 'a b/c'", "letters, digits"]),
    ("name", None, ["name: is missing"]),
    ("seed", -1, ["seed = -1", "greater than or equal to 0"]),
    ("seed", "zero", ["seed = 'zero'", "integer"]),
    ("task", None, ["task: is empty", "data, model, base, settings"]),
    ("task/modle", "cnn", ["task.modle: unknown key", "Did you mean `model`?"]),
    ("task/model", "cn", ["task.model = 'cn'", "`cnn`", "python:package.module:function"]),
    ("task/model", "python:json", ["task.model = 'python:json'", "python:package.module:function"]),
    ("task/model", "python:no_such.module:f", ["task.model =", "no module no_such.module"]),
    ("task/data", "digts", ["task.data = 'digts'", "`digits`", "hub:NAME"]),
    ("task/data", None, ["task.data: is missing", "digits"]),
    ("task/data", {"name": "digits", "hub": "mnist"}, ["task.data", "name, hub", "name one"]),
    ("task/data", {"name": "digits", "sise": 3}, ["task.data.sise", "unknown key", "image_size"]),
    ("task/data", {"name": "digits", "image_size": 0}, ["task.data.image_size = 0", "equal to 1"]),
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
    ("space/width", [16, 64], ["space.width = [16, 64]", "must be a mapping", "low, high"]),
    ("space/width", {"type": "int", "low": 16}, ["space.width.high", "is missing"]),
    ("space/sgd.learning_rate/low", -1, ["learning_rate.low = -1", "above 0 with log"]),
    ("space/sgd.learning_rate/log", "yes!", ["learning_rate.log = 'yes!'", "boolean"]),
    ("space/optimizer/choices", ["sgd"], ["optimizer.choices = ['sgd']", "at least two"]),
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
    ("budget", None, ["budget: is empty", "trials, epochs, hours"]),
    ("budget/trials", 0, ["budget.trials = 0", "greater than or equal to 1"]),
    ("budget/epochs", 1.5, ["budget.epochs = 1.5", "integer"]),
    ("budget/trials", True, ["budget.trials = True", "integer"]),
    ("budget/hours", -2, ["budget.hours = -2", "greater than 0"]),
    ("budget/hours", "2h", ["budget.hours = '2h'", "number"]),
    ("resources/cpu", 2, ["resources.cpu: unknown key", "`cpus`"]),
    ("resources/gpus", 1.5, ["resources.gpus = 1.5", "whole number"]),
    ("resources/parallelism", "all", ["resources.parallelism = 'all'", "integer"]),
    ("sampler/name", "tep", ["sampler.name = 'tep'", "`tpe`", "random"]),
    ("sampler", {"name": "tpe", "options": {"seed": 3}}, ["sampler.options.seed", "n_ei_cand"]),
    ("sampler", {"name": "gp", "options": {"n_startup_trials": "x"}}, ["= 'x'", "whole number"]),
    ("sampler", {"options": {"sampler": "tep"}}, ["options.sampler = 'tep'", "`tpe`", "gp"]),
    ("sampler", {"options": {"portfolio": 1.5}}, ["options.portfolio = 1.5", "whole number"]),
    ("sampler", {"options": {"portfolios": 1}}, ["options.portfolios", "`portfolio`"]),
    ("sampler", {"options": {"portfolio": -1}}, ["options.portfolio = -1", "0 or more"]),
    ("sampler", {"options": {"control": -1}}, ["options.control = -1", "0 or more"]),
    ("sampler", {"options": {"control": 1.0}}, ["options.control = 1.0", "whole number"]),
    ("sampler", {"options": {"control": True}}, ["options.control = True", "whole number"]),
    ("sampler", {"options": {"control": 999}}, ["options.control = 999", "half of budget.trials"]),
    ("sampler", {"options": {"controls": 1}}, ["options.controls", "`control`"]),
    ("sampler", {"name": "tpe", "options": {"control": 2}}, ["options.control", "no option of"]),
    ("sampler", {"name": "random", "options": {"a": 1}}, ["options.a", "which has none"]),
    ("sampler", {"name": "tpe", "options": {"n_startup_trials": -1}}, ["= -1", "0 or more"]),
    ("scheduler/name", "hyperband", ["scheduler.name = 'hyperband'", "multi_objective_asha"]),
    ("scheduler/reduction_factor", 1, ["scheduler.reduction_factor = 1", "equal to 2"]),
    ("scheduler/grace_epochs", 16, ["scheduler.grace_epochs = 16", "budget.epochs (15)"]),
    ("scheduler", {"name": "none", "grace_epochs": 3}, ["scheduler.grace_epochs", "remove"]),
    ("robustness/epsilon", 8, ["robustness.epsilon = 8", "[0, 1]", "8/255"]),
    ("robustness/epsilon", 0, ["robustness.epsilon = 0", "greater than 0"]),
    ("robustness/norm", "l1", ["robustness.norm = 'l1'", "linf, l2"]),
    ("robustness/cheap_steps", 10, ["robustness.cheap_steps = 10", "below steps (10)"]),
    ("robustness/eps", 0.1, ["robustness.eps: unknown key", "epsilon"]),
    ("history/enabled", "maybe", ["history.enabled = 'maybe'", "boolean"]),
    ("history/experiments", [], ["history.experiments", "enabled: false"]),
    ("history/experiments", "all", ["history.experiments = 'all'", "list"]),
    ("history/same_task", "mine", ["history.same_task = 'mine'", "list"]),
    ("history/same_tasks", ["mine"], ["history.same_tasks: unknown key", "`same_task`"]),
    ("history/rename", {"lr": "widht"}, ["history.rename.lr = 'widht'", "`width`"]),
    ("history/rename_metrics", {"acc": "accuracy"}, ["rename_metrics.acc", "accuracy.clean"]),
]


@pytest.mark.parametrize(("path", "value", "said"), WRONG, ids=lambda each: str(each)[:40])
def test_a_wrong_spec_is_refused_with_key_value_and_help(
    path: str, value: Any, said: list[str]
) -> None:
    message = error_of(changed(path, value))
    for words in said:
        assert words in message


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
    (tmp_path / "latin.yaml").write_bytes("name: caf\xe9\n".encode("latin-1"))
    with pytest.raises(SpecError, match="not UTF-8 text"):
        load_spec(tmp_path / "latin.yaml")


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


def test_a_spec_error_survives_pickling() -> None:
    with pytest.raises(SpecError) as caught:
        spec_from_yaml(changed("budget/trials", 0), "wrong.yaml")
    copied = pickle.loads(pickle.dumps(caught.value))
    assert copied.problems == caught.value.problems and str(copied) == str(caught.value)


def test_conditions_in_a_cycle_are_refused() -> None:
    text = changed("space/steps/when", {"use_bias": True}, PYTHON)
    text = changed("space/use_bias/when", {"steps": [1, 2]}, text)
    assert "conditions form a cycle" in error_of(text)


def test_robustness_of_a_training_function_is_refused() -> None:
    text = changed("robustness/epsilon", 0.1, PYTHON)
    assert "robustness: does nothing for your own training function" in error_of(text)


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


def test_our_own_model_can_be_asked_for_by_name() -> None:
    text = changed("sampler", {"options": {"sampler": "transfer", "portfolio": 0, "control": 0}})
    assert spec_from_yaml(text).sampler.options["sampler"] == "transfer"


def test_defaults_are_filled_in() -> None:
    spec = spec_from_yaml(GOOD)
    assert spec.sampler.name == "warm" and spec.history.enabled and spec.seed == 0
    assert spec.resources.parallelism == 1 and spec.resources.gpus == 0
    assert spec.task.name == "digits-cnn" and spec.task.data == {"name": "digits"}
    assert spec.budget.hours is None


def test_the_short_name_of_robust_accuracy_is_resolved() -> None:
    text = changed("robustness", {"epsilon": 0.2, "steps": 20, "restarts": 2})
    spec = spec_from_yaml(changed("history/rename_metrics", {"acc": "accuracy.robust"}, text))
    assert spec.objectives[1].metric == spec.robustness.metric() == "accuracy.pgd20x2_linf_0.2"
    assert spec.history.rename_metrics == {"acc": "accuracy.pgd20x2_linf_0.2"}


@pytest.mark.parametrize("written", ["1e-3", "1.0e-3", "0.001", "1.E-3", "10e-4"])
def test_exponents_are_numbers_however_written(written: str) -> None:
    spec = spec_from_yaml(GOOD.replace("low: 1e-3", f"low: {written}"))
    assert spec.space["sgd.learning_rate"].low == pytest.approx(0.001, rel=1e-15)


def test_epsilon_may_be_written_in_grey_levels() -> None:
    spec = spec_from_yaml(changed("robustness/epsilon", "8/255"))
    assert spec.robustness.epsilon == 8 / 255
    assert spec.objectives[1].metric == "accuracy.pgd10_linf_8_255"


def test_a_grace_period_not_asked_for_stays_within_the_epochs() -> None:
    assert spec_from_yaml(changed("budget/epochs", 2)).scheduler.grace_epochs == 2


def test_conditions_of_the_catalog_are_added() -> None:
    text = changed("space/sgd.momentum", FLOAT)
    text = changed(
        "space/adversarial_training", {"type": "categorical", "choices": ["none", "pgd"]}, text
    )
    spec = spec_from_yaml(changed("space/adversarial_share", FLOAT, text))
    assert spec.space["sgd.momentum"].when == {"optimizer": ("sgd",)}
    # fgsm would activate it too, but is not in this space.
    assert spec.space["adversarial_share"].when == {"adversarial_training": ("pgd",)}
    assert SearchSpace.from_spec(spec).conditions["sgd.momentum"] == {"optimizer": ("sgd",)}


def test_a_parent_fixed_in_the_settings_needs_no_condition() -> None:
    record = yaml.safe_load(GOOD)
    del record["space"]["optimizer"], record["space"]["sgd.learning_rate"]["when"]
    record["task"]["settings"]["optimizer"] = "sgd"
    record["space"]["sgd.learning_rate"]["low"] = 0.001
    spec = spec_from_yaml(yaml.safe_dump(record))
    assert SearchSpace.from_spec(spec).conditions == {}


def test_sampled_configurations_are_legal_for_the_model() -> None:
    spec = load_spec(SPECS / "adversarial_training.yaml")
    space = SearchSpace.from_spec(spec)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    for _ in range(30):
        configuration = space.suggest(study.ask())
        complete("cnn", {**spec.task.settings, **configuration})
        assert ("pgd.steps" in configuration) == (configuration["adversarial_training"] == "pgd")


def test_settings_inactive_under_a_configuration_are_left_out_of_a_trial() -> None:
    spec = spec_from_yaml(changed("task/settings/sgd.momentum", 0.5))
    assert "sgd.momentum" not in spec.complete({"optimizer": "adamw", "width": 16})
    assert spec.complete({"optimizer": "sgd", "width": 16})["sgd.momentum"] == 0.5
    with pytest.raises(ValueError, match="widht"):
        spec.complete({"optimizer": "sgd", "widht": 16})


def test_a_training_function_has_free_names_and_needs_no_data() -> None:
    spec = spec_from_yaml(PYTHON)
    assert spec.task.is_function and spec.task.data == {} and spec.task.name == "JSONDecoder"
    assert SearchSpace.from_spec(spec).size() == 18
    assert spec.complete({"steps": 2}) == {"depth": 3, "steps": 2}
    assert "robustness" not in spec.fingerprint(None)
    assert spec_from_yaml(spec.to_yaml()) == spec


def test_a_training_function_is_not_imported_by_checking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "loud_package").mkdir()
    (tmp_path / "loud_package" / "__init__.py").write_text("raise SystemError('imported')")
    (tmp_path / "loud_package" / "train.py").write_text("raise SystemError('imported')")
    monkeypatch.chdir(tmp_path)
    text = PYTHON.replace("json.decoder:JSONDecoder", "loud_package.train:run")
    assert spec_from_yaml(text).task.model == "python:loud_package.train:run"


def test_data_folders_are_relative_to_the_spec_and_must_exist(tmp_path: Path) -> None:
    (tmp_path / "data" / "mine").mkdir(parents=True)
    path = tmp_path / "spec.yaml"
    path.write_text(changed("task/data", "data/mine"))
    spec = load_spec(path)
    assert spec.task.data == {"parquet": str(tmp_path / "data" / "mine")}
    assert spec.task.name == "mine-cnn"
    path.write_text(changed("task/data", {"parquet": "data/other"}))
    with pytest.raises(SpecError, match=r"task\.data = 'data/other': there is no folder"):
        load_spec(path)


def test_hub_data_keeps_its_name() -> None:
    spec = spec_from_yaml(changed("task/data", "hub:ylecun/mnist"))
    assert spec.task.data == {"hub": "ylecun/mnist"} and spec.task.name == "mnist-cnn"


@pytest.mark.parametrize("name", sorted(each.stem for each in SPECS.glob("*.yaml")))
def test_example_specs_are_right_and_survive_a_round_trip(name: str) -> None:
    text = (SPECS / f"{name}.yaml").read_text()
    assert all(f"{word}:" in text for word in ("Shows", "Data", "Cost", "Run"))
    spec = spec_from_yaml(text, str(SPECS / f"{name}.yaml"))
    again = spec_from_yaml(spec.to_yaml(), "elsewhere/spec.yaml")
    assert again == spec
    assert again.to_yaml() == spec.to_yaml()
    configuration = SearchSpace.from_spec(spec).random_configuration(np.random.default_rng(0))
    assert set(spec.complete(configuration)) <= set(MODELS[spec.task.model])


def test_text_that_looks_like_a_number_survives_a_round_trip() -> None:
    kind = "  kind: {type: categorical, choices: ['1e-3', 'no']}\n"
    spec = spec_from_yaml(PYTHON.replace("space: {", "space:\n" + kind + "  steps: {type: bool} #"))
    assert spec_from_yaml(spec.to_yaml()).space["kind"].choices == ("1e-3", "no")


def set_in(tmp_path: Path, *overrides: str, text: str = GOOD) -> Spec:
    path = tmp_path / "spec.yaml"
    path.write_text(text)
    return load_spec(path, overrides)


def test_overrides_replace_values_and_add_keys(tmp_path: Path) -> None:
    spec = set_in(
        tmp_path,
        "budget.trials=4",
        "budget.hours=0.5",
        "space.width.high=128",
        "space.sgd.learning_rate.low=1e-2",
        r"space.sgd\.learning_rate.high=0.2",
        "resources.gpus=0.25",
        "sampler={name: tpe, options: {n_startup_trials: 3}}",
        "sampler.options.multivariate=true",
        "task.settings.batch_size=32",
        "task.settings.label_smoothing=0.1",
        "objectives.1.metric=loss.train",
        "objectives[1].direction=minimize",
        "space.dropout={type: float, low: 0, high: 0.5}",
        "history.rename.lr=sgd.learning_rate",
    )
    rate = spec.space["sgd.learning_rate"]
    assert (spec.budget.trials, spec.budget.hours, spec.resources.gpus) == (4, 0.5, 0.25)
    assert (spec.space["width"].high, rate.low, rate.high) == (128, 0.01, 0.2)
    assert spec.sampler.options == {"n_startup_trials": 3, "multivariate": True}
    assert spec.task.settings == {"batch_size": 32, "label_smoothing": 0.1}
    assert spec.objectives[1].metric == "loss.train"
    assert "dropout" in spec.space and spec.history.rename == {"lr": "sgd.learning_rate"}


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("budget.trails=4", ["--set  budget.trails", "`trials`", "trials, epochs, hours"]),
        ("bugdet.trials=4", ["bugdet.trials", "`budget`"]),
        ("space.widht.high=4", ["space.widht.high", "`width`"]),
        ("space.sgd.learning_rat.low=1", ["sgd.learning_rat.low", "`sgd.learning_rate`"]),
        ("budget.trials=none", ["--set  budget.trials = 'none'", "integer"]),
        ("budget.trials.x=3", ["budget.trials.x", "no keys"]),
        ("objectives.7.metric=x", ["objectives.7.metric", "there is no entry 7"]),
        ("budget.trials", ["budget.trials", "not key=value"]),
        ("=3", ["not key=value"]),
        ("name=[", ["name", "not YAML"]),
        ("space.width.high=9999", ["--set  space.width.high = 9999", "1 to 1024"]),
    ],
)
def test_a_wrong_override_is_refused(tmp_path: Path, override: str, said: list[str]) -> None:
    with pytest.raises(SpecError) as caught:
        set_in(tmp_path, override)
    for words in said:
        assert words in str(caught.value)


def test_a_fingerprint_ignores_how_one_searches() -> None:
    identity = task_id(spec_from_yaml(GOOD).fingerprint(DATA))
    assert re.fullmatch(r"digits-cnn@[0-9a-f]{8}", identity)
    for path, value in [
        ("seed", 7),
        ("name", "other"),
        ("budget/trials", 99),
        ("budget/hours", 2),
        ("space/width/high", 128),
        ("space/dropout", FLOAT),
        ("sampler/name", "random"),
        ("scheduler/name", "asha"),
        ("resources/parallelism", 4),
        ("history/enabled", False),
        ("robustness/epsilon", 0.1),  # the default, written out
    ]:
        assert task_id(spec_from_yaml(changed(path, value)).fingerprint(DATA)) == identity, path


def test_a_fingerprint_changes_with_what_objective_values_mean() -> None:
    good = spec_from_yaml(GOOD)
    identities = [task_id(good.fingerprint(DATA))]
    for path, value in [
        ("robustness/epsilon", 0.11),
        ("robustness/seed", 1),
        ("budget/epochs", 16),
        ("task/settings/batch_size", 32),
        ("objectives/0/metric", "loss.train"),
        ("objectives/0/direction", "minimize"),
    ]:
        identities.append(task_id(spec_from_yaml(changed(path, value)).fingerprint(DATA)))
    other = dataclasses.replace(DATA, digest="0" * 12)
    identities.append(task_id(good.fingerprint(other)))
    assert len(set(identities)) == len(identities)


def test_a_tasks_hash_does_not_depend_on_names() -> None:
    spec = spec_from_yaml(GOOD)
    renamed = spec_from_yaml(changed("task/name", "mine"))
    moved = dataclasses.replace(DATA, name="copy_of_digits")
    one, two = task_id(spec.fingerprint(DATA)), task_id(renamed.fingerprint(moved))
    assert one.split("@")[1] == two.split("@")[1] and two.startswith("mine@")


def test_a_fingerprint_is_json_ready_and_fits_the_real_data() -> None:
    spec = spec_from_yaml(GOOD)
    fingerprint = spec.fingerprint(describe_data(spec.task.data))
    assert fingerprint["data"]["shape"] == [1, 8, 8]
    assert yaml.safe_load(yaml.safe_dump(fingerprint)) == fingerprint


def test_a_spec_cannot_be_changed() -> None:
    spec = spec_from_yaml(GOOD)
    with pytest.raises(ValueError, match="frozen"):
        spec.seed = 3  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(spec)) == spec

"""What a YAML file may say: defaults, short forms, and the way back to text."""

from pathlib import Path

import numpy as np
import optuna
import pytest
import yaml

from models.catalog import MODELS, complete
from search.spec import SpecError, load_spec, spec_from_yaml
from tests.support.spec_documents import FLOAT, GOOD, PYTHON, changed

optuna.logging.set_verbosity(optuna.logging.WARNING)


SPECS = Path(__file__).parents[3] / "search" / "specs"


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
    text = changed("scheduler", {"name": "asha"}, changed("budget/epochs", 2))
    scheduler = spec_from_yaml(text).scheduler
    assert scheduler.grace_epochs == "auto"
    assert scheduler.first_rung(2) == 2
    assert scheduler.first_rung(15) == 3


def test_a_first_rung_from_history_can_be_asked_for_and_is_written() -> None:
    spec = spec_from_yaml(changed("scheduler", {"name": "asha", "grace_epochs": "auto"}))
    assert spec_from_yaml(spec.to_yaml()) == spec
    with pytest.raises(ValueError, match="auto"):
        spec_from_yaml(changed("scheduler", {"name": "asha", "grace_epochs": "early"}))


def test_no_trial_is_stopped_early_unless_a_scheduler_is_named() -> None:
    assert spec_from_yaml(changed("scheduler", {})).scheduler.name == "none"


def test_conditions_of_the_catalog_are_added() -> None:
    text = changed("space/sgd.momentum", FLOAT)
    text = changed(
        "space/adversarial_training", {"type": "categorical", "choices": ["none", "pgd"]}, text
    )
    spec = spec_from_yaml(changed("space/adversarial_share", FLOAT, text))
    assert spec.space["sgd.momentum"].when == {"optimizer": ("sgd",)}
    # fgsm would activate it too, but is not in this space.
    assert spec.space["adversarial_share"].when == {"adversarial_training": ("pgd",)}
    assert spec.search_space().conditions["sgd.momentum"] == {"optimizer": ("sgd",)}


def test_a_parent_fixed_in_the_settings_needs_no_condition() -> None:
    record = yaml.safe_load(GOOD)
    del record["space"]["optimizer"], record["space"]["sgd.learning_rate"]["when"]
    record["task"]["settings"]["optimizer"] = "sgd"
    record["space"]["sgd.learning_rate"]["low"] = 0.001
    spec = spec_from_yaml(yaml.safe_dump(record))
    assert spec.search_space().conditions == {}


def test_sampled_configurations_are_legal_for_the_model() -> None:
    spec = load_spec(SPECS / "adversarial_training.yaml")
    space = spec.search_space()
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
    assert spec.search_space().size() == 18
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
    assert spec_from_yaml(text).task.train == "python:loud_package.train:run"


def test_data_folders_are_relative_to_the_spec_and_must_exist(tmp_path: Path) -> None:
    (tmp_path / "data" / "mine").mkdir(parents=True)
    path = tmp_path / "spec.yaml"
    path.write_text(changed("task/data", "data/mine", changed("robustness/epsilon", 0.05)))
    spec = load_spec(path)
    assert spec.task.data == {"path": str(tmp_path / "data" / "mine")}
    assert spec.task.name == "mine-cnn"
    path.write_text(changed("task/data", {"path": "data/other"}))
    with pytest.raises(SpecError, match=r"task\.data = 'data/other': there is no file or folder"):
        load_spec(path)
    path.write_text(changed("task/data", {"path": "data/mien"}))
    with pytest.raises(SpecError, match=r"there is no .*/data/mien\. Did you mean `mine`\?"):
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
    configuration = spec.search_space().random_configuration(np.random.default_rng(0))
    assert set(spec.complete(configuration)) <= set(MODELS[spec.task.model])


def test_text_that_looks_like_a_number_survives_a_round_trip() -> None:
    kind = "  kind: {type: categorical, choices: ['1e-3', 'no']}\n"
    spec = spec_from_yaml(PYTHON.replace("space: {", "space:\n" + kind + "  steps: {type: bool} #"))
    assert spec_from_yaml(spec.to_yaml()).space["kind"].choices == ("1e-3", "no")


def test_a_parent_that_is_not_mentioned_has_its_default() -> None:
    # `blocks` needs block: plain, which is the default; with the parent it gets the condition.
    blocks = {"type": "int", "low": 1, "high": 4}
    spec = spec_from_yaml(changed("space/blocks", blocks))
    assert not spec.space["blocks"].when
    assert spec.complete({"width": 16, "blocks": 3})["block"] == "plain"
    hidden = spec_from_yaml(changed("task/settings/fully_connected_width", 8))
    assert hidden.complete({"width": 16})["fully_connected_width"] == 8
    block = {"type": "categorical", "choices": ["plain", "residual"]}
    both = spec_from_yaml(changed("space/block", block, changed("space/blocks", blocks)))
    assert both.space["blocks"].when == {"block": ("plain",)}
    fixed = changed("task/settings/block", "residual", changed("space/blocks", blocks))
    with pytest.raises(SpecError, match="never active: it needs block plain"):
        spec_from_yaml(fixed)

import math
import subprocess
import sys

import pytest

from models.catalog import MODELS, Threat, complete, is_active, metrics

CNN = MODELS["cnn"]


def test_catalog_and_descriptions_import_no_torch() -> None:
    code = (
        "import sys; from models.catalog import describe_data; describe_data({'name': 'digits'});"
        "sys.exit('torch' in sys.modules or 'sklearn' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_every_default_is_legal_and_every_parent_comes_first() -> None:
    seen: set[str] = set()
    for name, hyperparameter in CNN.items():
        assert name == hyperparameter.name and hyperparameter.meaning
        assert hyperparameter.check(hyperparameter.default) == hyperparameter.default
        for parent, values in hyperparameter.when.items():
            assert parent in seen
            assert set(values) <= set(CNN[parent].choices or ())
        seen.add(name)


def test_defaults_are_the_classic_small_cnn() -> None:
    configuration = complete("cnn", {})
    assert (configuration["blocks"], configuration["width"]) == (2, 32)
    assert (configuration["kernel_size"], configuration["fully_connected_width"]) == (3, 128)
    assert configuration["adversarial_training"] == "none"


def test_complete_adds_the_active_hyperparameters_only() -> None:
    configuration = complete("cnn", {"optimizer": "sgd", "adversarial_training": "pgd"})
    assert {"sgd.learning_rate", "sgd.momentum", "pgd.steps", "adversarial_share"} <= set(
        configuration
    )
    assert not {"adamw.learning_rate", "fgsm.epsilon"} & set(configuration)
    assert all(is_active(CNN[name], configuration) for name in configuration)


def test_a_value_without_effect_is_left_out() -> None:
    assert "sgd.momentum" not in complete("cnn", {"optimizer": "adamw", "sgd.momentum": 0.5})


def test_complete_of_a_complete_configuration_changes_nothing() -> None:
    once = complete("cnn", {"adversarial_training": "fgsm"})
    assert complete("cnn", once) == once


def test_whole_numbers_become_the_type_that_is_meant() -> None:
    configuration = complete("cnn", {"dropout": 0, "width": 16.0})
    assert isinstance(configuration["dropout"], float)
    assert isinstance(configuration["width"], int)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"widht": 3}, ["widht", "'width'"]),
        ({"width": 0}, ["width", "[1, 1024]"]),
        ({"width": 16.5}, ["width", "whole"]),
        ({"width": True}, ["width", "number"]),
        ({"dropout": math.nan}, ["dropout"]),
        ({"dropout": "0.1"}, ["dropout", "number"]),
        ({"kernel_size": 4}, ["kernel_size", "[1, 3, 5, 7]"]),
        ({"optimizer": "adam"}, ["optimizer", "adamw"]),
        ({"sgd.momentum": 1.0}, ["sgd.momentum", "0.999"]),  # though the optimizer is AdamW
    ],
)
def test_an_illegal_value_is_named_with_what_to_do(values: dict, words: list[str]) -> None:
    with pytest.raises(ValueError) as error:
        complete("cnn", values)
    assert all(word in str(error.value) for word in words)


def test_an_unknown_model_is_named_with_the_nearest() -> None:
    with pytest.raises(ValueError, match="did you mean 'cnn'"):
        complete("cn", {})


def test_metric_names_say_what_was_measured() -> None:
    assert Threat().metric() == "accuracy.pgd10_linf_0.1"
    assert Threat().cheap_metric() == "accuracy.pgd3_linf_0.1"
    assert Threat(epsilon=8 / 255).metric() == "accuracy.pgd10_linf_8_255"
    assert Threat(norm="l2", epsilon=0.5, restarts=2).metric() == "accuracy.pgd10x2_l2_0.5"
    assert Threat(epsilon=0.2).fgsm_metric() == "accuracy.fgsm_linf_0.2"
    assert Threat().metric() in metrics("cnn", Threat())


@pytest.mark.parametrize(
    "setting", [{"norm": "l1"}, {"epsilon": 0}, {"steps": 0}, {"seed": -1}, {"cheap_steps": 11}]
)
def test_a_threat_out_of_range_is_refused(setting: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(setting))):
        Threat(**setting)

import math
import subprocess
import sys

import pytest

from models.catalog import (
    MODELS,
    NETWORKS,
    TextThreat,
    Threat,
    architecture,
    cheap_metric,
    compared_metric,
    complete,
    data_kind,
    default_threat,
    is_active,
    metrics,
    needs_base,
    robust_metric,
    robust_name,
)

CNN = MODELS["cnn"]


def test_catalog_and_embedded_digits_need_no_heavy_package() -> None:
    code = (
        "import sys; from models.catalog import describe_data; describe_data({'name': 'digits'});"
        "print({'datasets', 'torch', 'pandas', 'PIL', 'sklearn'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "set()\n"


@pytest.mark.parametrize("model", MODELS)
def test_every_default_is_legal_and_every_parent_comes_first(model: str) -> None:
    seen: set[str] = set()
    for name, hyperparameter in MODELS[model].items():
        assert name == hyperparameter.name and hyperparameter.meaning
        assert hyperparameter.check(hyperparameter.default) == hyperparameter.default
        for parent, values in hyperparameter.when.items():
            assert parent in seen
            assert set(values) <= set(MODELS[model][parent].choices or ())
        seen.add(name)


def test_a_residual_network_has_stages_and_no_blocks() -> None:
    plain, residual = complete("cnn", {}), complete("cnn", {"block": "residual", "blocks": 3})
    assert plain.keys() - residual.keys() == {"blocks", "fully_connected_width"}
    assert residual.keys() - plain.keys() == {"stages", "downsampling"}
    assert {"block", "blocks", "stages", "downsampling"} <= set(architecture("cnn"))
    assert complete("cnn", residual) == residual


def test_complete_adds_the_active_hyperparameters_only() -> None:
    configuration = complete("cnn", {"optimizer": "sgd", "adversarial_training": "pgd"})
    assert {"sgd.learning_rate", "sgd.momentum", "pgd.steps", "adversarial_share"} <= set(
        configuration
    )
    assert not {"adamw.learning_rate", "fgsm.epsilon"} & set(configuration)
    assert all(is_active(CNN[name], configuration) for name in configuration)


@pytest.mark.parametrize("model", MODELS)
def test_a_default_taken_from_another_is_legal_and_always_known(model: str) -> None:
    seen: set[str] = set()
    for name, hyperparameter in MODELS[model].items():
        if source := hyperparameter.default_from:
            other = MODELS[model][source]
            assert source in seen and not other.when
            assert (hyperparameter.low, hyperparameter.high) == (other.low, other.high)
            assert hyperparameter.default == other.default
        seen.add(name)


@pytest.mark.parametrize("model", ["cnn", "network", "vision_transformer"])
def test_what_was_tried_before_a_weight_decay_of_its_own_keeps_its_meaning(model: str) -> None:
    was = {"adversarial_training": "pgd", "weight_decay": 0.03}
    assert complete(model, was)["adversarial_weight_decay"] == 0.03
    usual = MODELS[model]["weight_decay"].default
    assert complete(model, {"adversarial_training": "pgd"})["adversarial_weight_decay"] == usual
    assert "adversarial_weight_decay" not in complete(model, {"weight_decay": 0.03})
    once = complete(model, was | {"adversarial_weight_decay": 0.2})
    assert (once["weight_decay"], once["adversarial_weight_decay"]) == (0.03, 0.2)
    assert complete(model, once) == once


def test_a_value_without_effect_is_left_out() -> None:
    assert "sgd.momentum" not in complete("cnn", {"optimizer": "adamw", "sgd.momentum": 0.5})


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
    assert Threat().apgd_metric() == "accuracy.apgdt_linf_0.1"
    assert Threat().autoattack_metric() == "accuracy.autoattack_linf_0.1"
    assert Threat().worst_metric() == "accuracy.worst_linf_0.1"
    assert Threat(steps=7).at(8 / 255).metric() == "accuracy.pgd7_linf_8_255"
    assert Threat().metric() in metrics("cnn", Threat())


@pytest.mark.parametrize(
    "setting",
    [
        {"norm": "l1"},
        {"epsilon": 0},
        {"steps": 0},
        {"seed": -1},
        {"cheap_steps": 11},
        {"confirm_examples": 0},
        {"final_examples": -1},
    ],
)
def test_a_threat_out_of_range_is_refused(setting: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(setting))):
        Threat(**setting)


TRANSFORMERS = (
    "text_classifier",
    "text_ranker",
    "entity_tagger",
    "causal_model",
    "vision_transformer",
)


@pytest.mark.parametrize("model", TRANSFORMERS)
def test_each_adaptation_has_its_own_learning_rate_and_nothing_of_the_others(model: str) -> None:
    methods = MODELS[model]["adaptation"].choices or ()
    assert len(methods) == 7
    for method in methods:
        names = complete(model, {"adaptation": method})
        own = {name.split(".")[0] for name in names if "." in name}
        assert own == {method} and f"{method}.learning_rate" in names


@pytest.mark.parametrize(
    ("method", "names"),
    [
        ("fgm", {"fgm.epsilon"}),
        ("pgd", {"pgd.epsilon", "pgd.steps", "pgd.step_size"}),
        ("freelb", {"freelb.epsilon", "freelb.steps", "freelb.step_size", "freelb.initial"}),
        ("smart", {"smart.weight", "smart.epsilon", "smart.steps", "smart.step_size"}),
    ],
)
def test_adversarial_training_of_texts_brings_its_own_sizes(method: str, names: set[str]) -> None:
    configuration = complete("text_classifier", {"adversarial_training": method})
    assert {name for name in configuration if name.startswith(f"{method}.")} == names


def test_adversarial_training_of_a_vision_transformer_is_that_of_the_cnn() -> None:
    values = {"adversarial_training": "pgd"}
    added = set(complete("cnn", values)) - set(complete("cnn", {}))
    assert set(complete("vision_transformer", values)) >= added
    with pytest.raises(ValueError, match="fgsm"):
        complete("vision_transformer", {"adversarial_training": "freelb"})


def test_class_weights_are_for_classes_and_lengths_for_texts() -> None:
    has = {name: {"class_weights", "max_length"} & set(MODELS[name]) for name in TRANSFORMERS}
    assert has["text_classifier"] == has["entity_tagger"] == {"class_weights", "max_length"}
    assert has["causal_model"] == {"max_length"} and not has["vision_transformer"]


def test_each_model_says_what_it_learns_from_and_whether_from_a_pretrained_one() -> None:
    kinds = {model: data_kind(model) for model in MODELS}
    assert kinds == {
        "cnn": "images",
        "text_classifier": "classification",
        "text_ranker": "ranking",
        "entity_tagger": "entities",
        "causal_model": "dialogue",
        "vision_transformer": "images",
        "network": "images",
        "text_network": "classification",
    }
    needing = {*TRANSFORMERS, "text_network"}
    assert {model for model in MODELS if needs_base(model)} == needing


@pytest.mark.parametrize("model", [each for each in MODELS if each not in NETWORKS])
def test_an_architecture_names_hyperparameters_that_there_are(model: str) -> None:
    names = architecture(model)
    assert names and set(names) <= set(MODELS[model])
    rates = [name for name in names if name.endswith(("learning_rate", "dropout"))]
    assert not rates, "what only training uses does not fix the weights"


def test_the_robust_metric_of_entities_is_an_f1() -> None:
    assert robust_name("entity_tagger") == "f1.robust"
    assert robust_name("cnn") == robust_name("text_classifier") == "accuracy.robust"
    assert robust_metric("entity_tagger", TextThreat()) == "f1.characters_0.15"
    cheap = "selection.accuracy.characters_0.15_cheap32"
    assert cheap_metric("text_classifier", TextThreat()) == cheap
    assert robust_metric("vision_transformer", Threat()) == "accuracy.pgd10_linf_0.1"


@pytest.mark.parametrize("model", MODELS)
def test_a_model_reports_its_clean_and_robust_metrics_and_their_costs(model: str) -> None:
    threat = default_threat(model)
    names = metrics(model, threat)
    assert len(set(names)) == len(names)
    assert {robust_metric(model, threat), cheap_metric(model, threat), "seconds.train"} <= set(
        names
    )
    assert {"parameters.total", "latency.ms", "throughput.per_second"} <= set(names)
    costs = {"memory.peak_mb", "seconds.setup", "loss.validation"}
    assert costs & set(names) == (costs if needs_base(model) else set())


def test_what_a_cnn_reports_says_which_part_it_was_measured_on() -> None:
    assert metrics("cnn", Threat()) == (
        "loss.train",
        "selection.accuracy.clean",
        "selection.accuracy.pgd3_linf_0.1",
        "selection.accuracy.fgsm_linf_0.1",
        "selection.collapsed",
        "accuracy.clean",
        "accuracy.pgd10_linf_0.1",
        "accuracy.fgsm_linf_0.1",
        "accuracy.corrupted",
        "accuracy.corrupted_noise",
        "accuracy.corrupted_blur",
        "accuracy.corrupted_contrast",
        "epoch.selected",
        "gradients.train",
        "seconds.train",
        "seconds.evaluation",
        "work.train",
        "work.evaluation",
        "seconds.total",
        "seconds.cpu",
        "seconds.gpu",
        "parameters.total",
        "parameters.trainable",
        "disk.model_mb",
        "work.example",
        "latency.ms",
        "latency.spread",
        "throughput.per_second",
    )


def test_a_scheduler_compares_what_never_becomes_an_objective() -> None:
    threat = Threat()
    compared = {name: compared_metric("cnn", threat, name) for name in metrics("cnn", threat)}
    assert compared["accuracy.clean"] == "selection.accuracy.clean"
    assert compared[threat.metric()] == "selection.accuracy.pgd3_linf_0.1"
    assert compared["seconds.train"] == "seconds.train"
    assert set(compared.values()) <= set(metrics("cnn", threat))
    texts = TextThreat()
    robust = robust_metric("text_classifier", texts)
    known = set(metrics("text_classifier", texts))
    for name, other in {
        "accuracy.clean": "selection.accuracy.clean",
        "f1.macro": "selection.f1.macro",
        robust: f"selection.{robust}_cheap32",
        "parameters.trainable": "parameters.trainable",
    }.items():
        assert compared_metric("text_classifier", texts, name) == other and other in known


def test_corruptions_are_named_as_they_are_measured() -> None:
    from models.adversarial.pixels.corruptions import CORRUPTIONS

    names = {f"accuracy.corrupted_{name}" for name in CORRUPTIONS} | {"accuracy.corrupted"}
    assert {name for name in metrics("cnn", Threat()) if "corrupted" in name} == names

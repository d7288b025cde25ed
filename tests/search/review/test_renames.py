"""Likely renames are proposed if name and values agree, and never applied."""

from __future__ import annotations

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from search.review import decision_lines
from search.review.renames import likeness, proposed_metric_renames, proposed_renames
from search.space import SearchSpace
from tests.support.earlier_searches import SGD, earlier, reconciled

SPACE = SearchSpace(
    {
        "learning_rate": FloatDistribution(1e-4, 1e-1, log=True),
        "batch_size": IntDistribution(16, 256),
        "weight_decay": FloatDistribution(1e-6, 1e-2, log=True),
        "activation": CategoricalDistribution(("relu", "gelu")),
    }
)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("lr", "learning_rate"),
        ("eta", "learning_rate"),
        ("learning_rate_init", "learning_rate"),
        ("learningRate", "learning_rate"),
        ("config/lr", "learning_rate"),
        ("bs", "batch_size"),
        ("wd", "weight_decay"),
        ("n_layers", "num_layers"),
        ("sgd.lr", "sgd.learning_rate"),
    ],
)
def test_synonyms_are_alike(old: str, new: str) -> None:
    assert likeness(old, new) >= 0.8
    assert likeness(new, old) == pytest.approx(likeness(old, new), abs=0.2)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("width", "depth"),
        ("beta1", "beta2"),
        ("sgd.learning_rate", "adamw.learning_rate"),
        ("momentum", "weight_decay"),
        ("weight_init", "weight_decay"),
        ("", "learning_rate"),
    ],
)
def test_names_of_different_things_are_not_alike(old: str, new: str) -> None:
    assert likeness(old, new) < 0.8


def test_names_and_values_must_agree() -> None:
    values = {"lr": [0.01, 0.001], "bs": [4096], "wd": ["none"], "act": ["gelu", "tanh"]}
    # The batch sizes are outside, the decays unreadable, half the activations known.
    expected = {"lr": "learning_rate", "act": "activation"}
    assert proposed_renames(SPACE, values) == expected


def test_a_hyperparameter_that_history_has_is_not_renamed() -> None:
    assert proposed_renames(SPACE, {"lr": [0.01], "learning_rate": [0.02]}) == {}
    assert proposed_renames(SPACE, {"lr": [0.01], "learning_rate": []}) == {}


def test_of_two_equally_likely_names_none_is_proposed() -> None:
    assert proposed_renames(SPACE, {"lr": [0.01], "eta": [0.01]}) == {}


def test_a_proposed_rename_is_not_applied() -> None:
    old = {("lr" if name == "learning_rate" else name): value for name, value in SGD.items()}
    found = reconciled(earlier([old], None))
    assert found.trials[0].unknown == {"learning_rate"}
    assert decision_lines(found.decisions)[0] == (
        "proposed rename: lr in s1 looks like learning_rate, which is missing there: add "
        "`history.rename: {lr: learning_rate}` to use it in 1 trial"
    )
    again = reconciled(earlier([old], None), rename={"lr": "learning_rate"})
    assert again.trials[0].configuration["learning_rate"] == 0.01
    assert {each.kind for each in again.decisions} == {"renamed", "added"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("val_acc", "accuracy"),
        ("valAcc", "accuracy.clean"),
        ("validation/accuracy", "accuracy.clean"),
        ("eval_f1", "f1"),
        ("f1_score", "f1"),
        ("val_loss", "loss.validation"),
        ("err", "error"),
    ],
)
def test_a_metric_of_the_validation_split_may_be_the_objective(old: str, new: str) -> None:
    assert proposed_metric_renames([new], [old, "seconds"]) == {old: new}


@pytest.mark.parametrize("old", ["train_acc", "test_accuracy", "val_err", "accuracy.pgd10", "loss"])
def test_a_metric_of_another_split_or_quantity_is_not(old: str) -> None:
    assert proposed_metric_renames(["accuracy.clean"], [old]) == {}


def test_of_two_metrics_that_could_be_the_objective_none_is_proposed() -> None:
    assert proposed_metric_renames(["accuracy"], ["val_acc", "valid_acc"]) == {}

"""Hyperparameters of different code that have the same name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import yaml
from optuna.distributions import CategoricalDistribution, IntDistribution

from search.history import History
from search.history.other_code import apart, own_name
from search.objectives.objective import from_lists
from search.review import Reconciled, reconcile
from search.space import SearchSpace
from search.spec.sections import HistorySettings
from tests.support.earlier_searches import ACCURACY, earlier

SPACE = SearchSpace(
    {
        "model.depth": IntDistribution(1, 4),
        "optimizer": CategoricalDistribution(("sgd", "adamw")),
    }
)
MINE, OTHER = "python:nets:deep", "python:nets:wide"


def known(**fingerprint: Any) -> History:
    found = earlier([{"model.depth": 1 + i % 4, "optimizer": "sgd"} for i in range(5)], SPACE)
    return replace(found, searches={"s1": replace(found.searches["s1"], fingerprint=fingerprint)})


def seen(history: History) -> Reconciled:
    return reconcile(history, SPACE, from_lists([ACCURACY], ["maximize"]))


def names(history: History) -> set[str]:
    return {name for trial in seen(history).trials for name in trial.configuration}


def test_the_own_hyperparameters_of_another_builder_are_not_matched_by_name() -> None:
    for trained in (MINE, "cnn"):
        assert names(apart(known(model=OTHER), trained, is_function=False)) == {"optimizer"}


def test_the_same_address_is_the_same_code_also_if_its_source_was_edited() -> None:
    history = known(model=MINE, code="0123456789ab")
    assert apart(history, MINE, is_function=False) is history


def test_all_hyperparameters_of_another_training_function_are_its_own() -> None:
    assert not seen(apart(known(model=OTHER), MINE, is_function=True)).trials
    found = apart(known(model="cnn", objectives=[]), MINE, is_function=True)
    assert not seen(found).trials


def test_what_another_tool_logged_is_matched_by_name() -> None:
    for fingerprint in ({}, {"model": "ResNet"}, {"model": 5}):
        for is_function in (True, False):
            history = known(**fingerprint)
            assert apart(history, MINE, is_function=is_function) is history


def test_a_line_of_review_says_how_to_match_them_all_the_same() -> None:
    history = apart(known(model=OTHER), MINE, is_function=False)
    first = seen(history).lines()[0]
    assert first == (
        "proposed rename: model.depth (of python:nets:wide) in s1 looks like model.depth, which "
        "is missing there: add `history.rename: {model.depth (of python:nets:wide): model.depth}` "
        "to use it in 5 trials"
    )
    written = yaml.safe_load(first.split("`")[1].replace("history.rename", "rename"))
    settings = HistorySettings.model_validate(written)
    assert names(history.renamed(settings.rename)) == {"model.depth", "optimizer"}


def test_the_space_of_the_other_search_has_the_same_names_as_its_trials() -> None:
    found = apart(known(model=OTHER), MINE, is_function=False)
    space = found.searches["s1"].space
    assert space is not None
    assert list(space.distributions) == [f"model.depth (of {OTHER})", "optimizer"]
    assert [own_name(name) for name in space.distributions] == ["model.depth", "optimizer"]

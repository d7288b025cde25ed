"""A categorical of one choice is a constant: every trial has it, and no sampler models it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution

from search.space import SearchSpace
from search.space.encoding import encode
from tests.support.samplers import FAST, maker
from tests.support.studies import CONDITIONAL, create_study, run

# `augment` had two choices in the earlier searches.
FIXED = SearchSpace(
    {**CONDITIONAL.distributions, "augment": CategoricalDistribution([True])},
    CONDITIONAL.conditions,
)
# A parent of one choice decides for its children.
ONLY_SGD = SearchSpace(
    {
        name: CategoricalDistribution(["sgd"]) if name == "optimizer" else kind
        for name, kind in CONDITIONAL.distributions.items()
        if not name.startswith("adamw")
    },
    {name: given for name, given in CONDITIONAL.conditions.items() if "adamw" not in name},
)


@pytest.mark.parametrize("history", ["cold", "same task"])
@pytest.mark.parametrize("name", [each for each in FAST if each != "gp"])
def test_every_sampler_proposes_the_one_choice_and_searches_the_rest(
    name: str, history: str
) -> None:
    study = create_study(maker(name, history, 1, space=FIXED)(0), 1)
    tried = run(study, 12, FIXED)
    assert [each["augment"] for each in tried] == [True] * 12
    assert len({each["width"] for each in tried}) > 3
    assert all(trial.params["augment"] is True for trial in study.trials)


@pytest.mark.slow
def test_a_process_models_a_space_with_a_parent_of_one_choice() -> None:
    study = create_study(maker("gp", "same task", 1, space=ONLY_SGD)(0), 1)
    tried = run(study, 14, ONLY_SGD)
    assert {each["optimizer"] for each in tried} == {"sgd"}
    assert all("sgd.momentum" in each for each in tried)


def test_its_column_is_constant() -> None:
    known: list[dict[str, Any]] = [{"width": 8, "augment": True}, {"width": 64, "augment": True}]
    points = encode(FIXED, [*known, {"width": 8}])
    constant = [column for column in points.T if np.ptp(column) == 0]
    assert points.shape[1] == encode(CONDITIONAL, known).shape[1] - 1
    assert len(constant) >= 1 and np.isfinite(points).all()

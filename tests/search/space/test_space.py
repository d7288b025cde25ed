"""SearchSpace: membership, conditions, JSON, counting."""

import itertools
import json
import math
from typing import Any

import numpy as np
import optuna
import pytest
from hypothesis import given
from optuna.distributions import (
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from search.space import SearchSpace
from tests.support.spaces import ADAMW, SEEDS, SPACE

optuna.logging.set_verbosity(optuna.logging.WARNING)


def test_parents_come_before_their_children_whatever_the_order_given() -> None:
    names = list(SPACE.distributions)
    for child, parents in SPACE.conditions.items():
        assert all(names.index(parent) < names.index(child) for parent in parents)


def test_suggest_asks_for_active_hyperparameters_only() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    seen = set()
    for _ in range(40):
        trial = study.ask()
        configuration = SPACE.suggest(trial)
        assert SPACE.contains(configuration)
        assert set(trial.params) == set(configuration)
        seen.add((configuration["optimizer"], "nesterov.delay" in configuration))
        study.tell(trial, 0.0)
    assert seen == {("adamw", False), ("sgd", False), ("sgd", True)}


def test_suggest_hands_optuna_the_very_distributions_of_the_space() -> None:
    study = optuna.create_study()
    trial = study.ask()
    configuration = SPACE.suggest(trial)
    assert study.trials[0].distributions == {
        name: SPACE.distributions[name] for name in configuration
    }


def test_the_child_of_an_inactive_parent_is_inactive() -> None:
    assert not SPACE.is_active("nesterov.delay", {"optimizer": "adamw", "sgd.nesterov": True})
    assert SPACE.is_active("nesterov.delay", {"optimizer": "sgd", "sgd.nesterov": True})
    assert not SPACE.is_active("nesterov.delay", {"optimizer": "sgd", "sgd.nesterov": 1})


@given(seed=SEEDS)
def test_random_configurations_lie_in_the_space(seed: int) -> None:
    configuration = SPACE.random_configuration(np.random.default_rng(seed))
    assert SPACE.problems(configuration) == []
    assert configuration == SPACE.random_configuration(np.random.default_rng(seed))


def test_the_end_of_a_grid_is_drawn_as_it_stands() -> None:
    space = SearchSpace({"x": FloatDistribution(0.0, 0.3, step=0.1)})  # 3 * 0.1 > 0.3
    generator = np.random.default_rng(0)
    drawn = [space.random_configuration(generator) for _ in range(40)]
    assert all(map(space.contains, drawn)) and {"x": 0.3} in drawn


def test_random_configurations_draw_log_ranges_by_magnitude() -> None:
    generator = np.random.default_rng(0)
    drawn = [SPACE.random_configuration(generator)["width"] for _ in range(2000)]
    # Half of the draws lie below the geometric mean 64 of 16 and 256: binomial with 2,000 draws has
    # sigma 0.011, so 4 sigmas are 0.045 (false alarm 6e-5); the half unit at the ends shifts it by
    # less than 0.01.
    assert np.mean(np.array(drawn) < 64) == pytest.approx(0.5, abs=0.055)
    assert min(drawn) < 20 and max(drawn) > 200


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"width": "64"}, "width = '64' is not in 16 to 256"),
        ({"width": 300}, "width = 300"),
        ({"width": True}, "width = True"),
        ({"width": 64.0}, "width = 64.0"),
        ({"dropout": 0.25}, "0.0 to 0.5 in steps of 0.1"),
        ({"dropout": math.nan}, "dropout = nan"),
        ({"batch_size": True}, "batch_size = True"),
        ({"optimizer": "adam"}, "'sgd', 'adamw'"),
        ({"sgd.learning_rate": 0.1}, "sgd.learning_rate is set but inactive under optimizer"),
        ({"lr": 0.1}, "lr is not a hyperparameter"),
    ],
)
def test_problems_say_what_keeps_a_configuration_out(change: dict[str, Any], said: str) -> None:
    assert SPACE.contains(ADAMW)
    assert said in "; ".join(SPACE.problems({**ADAMW, **change}))


def test_a_missing_active_hyperparameter_is_a_problem() -> None:
    assert SPACE.problems({k: v for k, v in ADAMW.items() if k != "width"}) == ["width is missing"]


def test_json_gives_back_an_equal_space() -> None:
    assert SearchSpace.from_json(SPACE.to_json()) == SPACE
    assert list(SearchSpace.from_json(SPACE.to_json()).distributions) == list(SPACE.distributions)


def _with_numbers(kind: str, **changes: Any) -> str:
    numbers = {"low": 0, "high": 9, "log": False, "step": 1} | changes
    entry = {"name": f"{kind}Distribution", "attributes": numbers}
    return json.dumps({"distributions": {"x": entry}, "conditions": {}})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"distributions": 3, "conditions": {}}',
        '{"distributions": {"x": {"name": "Exotic", "attributes": {}}}, "conditions": {}}',
        '{"distributions": {"x": {}}, "conditions": {}}',
        '{"distributions": {}, "conditions": {"x": {"y": [1]}}}',
        json.dumps({**json.loads(SPACE.to_json()), "conditions": {"width": 3}}),
        "[" * 100_000,
        _with_numbers("Int", high=math.inf),
        _with_numbers("Float", step=1e-320),
        _with_numbers("Float", high=10**400),
    ],
)
def test_text_that_is_no_space_raises_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="not a search space in JSON"):
        SearchSpace.from_json(text)


@pytest.mark.parametrize(
    ("conditions", "said"),
    [
        ({"a": {"nobody": (1,)}}, "nobody"),
        ({"nobody": {"a": (1,)}}, "nobody"),
        ({"a": {"b": (7,)}}, "depends on b = 7"),
        ({"a": {"b": (1,)}, "b": {"a": (1,)}}, "cycle"),
    ],
)
def test_impossible_conditions_raise_at_construction(conditions: Any, said: str) -> None:
    choices = CategoricalDistribution((1, 2))
    with pytest.raises(ValueError, match=said):
        SearchSpace({"a": choices, "b": choices}, conditions)


def test_size_counts_what_enumeration_counts() -> None:
    space = SearchSpace(
        {
            "a": CategoricalDistribution(("x", "y", "z")),
            "b": IntDistribution(1, 5),
            "a.child": IntDistribution(0, 6, step=2),
            "b.child": CategoricalDistribution((True, False)),
            "both": IntDistribution(1, 3),
            "free": FloatDistribution(0.0, 1.0, step=0.5),
        },
        {
            "a.child": {"a": ("x", "y")},
            "b.child": {"b": (1, 2)},
            "both": {"a": ("x",), "b.child": (True,)},
        },
    )
    total = 0
    for a, b in itertools.product("xyz", range(1, 6)):
        for b_child in (True, False) if b <= 2 else (None,):
            a_children = 4 if a in "xy" else 1
            total += a_children * (3 if a == "x" and b_child else 1) * 3
    assert space.size() == total
    keys = {space.key(configuration) for configuration in space.configurations()}
    assert len(keys) == total
    assert all(space.contains(configuration) for configuration in space.configurations())


def test_every_kind_of_value_is_among_the_configurations_of_a_finite_space() -> None:
    space = SearchSpace(
        {
            "batch": IntDistribution(1, 3, log=True),
            "dropout": FloatDistribution(0.0, 0.3, step=0.1),
            "kernel": IntDistribution(3, 7, step=2),
            "fixed": FloatDistribution(0.5, 0.5),
        }
    )
    assert list(space.configurations()) == [
        {"batch": batch, "dropout": dropout, "kernel": kernel, "fixed": 0.5}
        for batch in (1, 2, 3)
        for dropout in (0.0, pytest.approx(0.1), pytest.approx(0.2), pytest.approx(0.3))
        for kernel in (3, 5, 7)
    ]


def test_a_continuous_space_has_no_size() -> None:
    assert SPACE.size() is None and list(SPACE.configurations()) == []
    assert SearchSpace({}).size() == 1


def test_key_recognises_duplicates_by_their_active_part() -> None:
    assert SPACE.key(ADAMW) == SPACE.key({**ADAMW, "sgd.learning_rate": 0.1})
    assert SPACE.key(ADAMW) == SPACE.key(dict(reversed(ADAMW.items())))
    assert SPACE.key(ADAMW) != SPACE.key({**ADAMW, "dropout": 0.1})
    assert SPACE.key({**ADAMW, "dropout": 0}) == SPACE.key({**ADAMW, "dropout": 0.0})
    assert SPACE.key({**ADAMW, "dropout": 0.3}) == SPACE.key({**ADAMW, "dropout": 3 * 0.1})
    rate = "adamw.learning_rate"
    assert SPACE.key({**ADAMW, rate: 0.003}) != SPACE.key({**ADAMW, rate: 3 * 0.001 + 1e-18 * 500})
    switch = SearchSpace({"x": CategoricalDistribution((1, True))})
    assert switch.key({"x": 1}) != switch.key({"x": True})


def test_a_stored_space_with_an_integer_beyond_all_floats_is_refused() -> None:
    with pytest.raises(ValueError, match="x has an end beyond all floats"):
        SearchSpace.from_json(_with_numbers("Int", high=10**400))

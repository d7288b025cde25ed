"""SearchSpace: membership, conditions, restating foreign configurations, JSON, counting."""

import itertools
import json
import math
from typing import Any

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from search.space import SearchSpace

optuna.logging.set_verbosity(optuna.logging.WARNING)

SPACE = SearchSpace(
    {
        "sgd.nesterov": CategoricalDistribution((False, True)),
        "sgd.learning_rate": FloatDistribution(1e-3, 0.3, log=True),
        "adamw.learning_rate": FloatDistribution(1e-4, 1e-2, log=True),
        "optimizer": CategoricalDistribution(("sgd", "adamw")),
        "nesterov.delay": IntDistribution(1, 9, step=2),
        "width": IntDistribution(16, 256, log=True),
        "dropout": FloatDistribution(0.0, 0.5, step=0.1),
        "batch_size": CategoricalDistribution((32, 64, 128)),
    },
    {
        "sgd.learning_rate": {"optimizer": ("sgd",)},
        "sgd.nesterov": {"optimizer": ("sgd",)},
        "nesterov.delay": {"sgd.nesterov": (True,)},
        "adamw.learning_rate": {"optimizer": ("adamw",)},
    },
)
ADAMW = {
    "optimizer": "adamw",
    "adamw.learning_rate": 0.001,
    "width": 64,
    "dropout": 0.3,
    "batch_size": 64,
}

ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=10**400, max_value=10**401),
    st.floats(),
    st.text(max_size=6),
    st.sampled_from(["64", "64.0", "0.1", "1e-3", "True", "sgd", " adamw ", "nan", "9" * 5000]),
    st.lists(st.integers(), max_size=2),
    st.floats().map(np.float64),
    st.just(np.array([1, 2])),
)
FOREIGN = st.dictionaries(st.one_of(st.sampled_from([*SPACE.distributions, "lr"])), ANYTHING)
SEEDS = st.integers(0, 2**32 - 1)


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


@pytest.mark.parametrize(
    ("distribution", "value", "restated", "note"),
    [
        (IntDistribution(16, 256), "64", 64, ""),
        (IntDistribution(16, 256), 64.0, 64, ""),
        (IntDistribution(16, 256), "64.4", 64, "rounded to 64"),
        (IntDistribution(16, 256), np.int64(64), 64, ""),
        (IntDistribution(16, 256), 10**400, 256, "clipped to 256"),
        (IntDistribution(16, 256), -1e300, 16, "clipped to 16"),
        (IntDistribution(16, 64, step=16), 40.1, 48, "rounded to 48"),
        (FloatDistribution(0.0, 1.0), "0.1", 0.1, ""),
        (FloatDistribution(0.0, 1.0), 1, 1.0, ""),
        (FloatDistribution(1e-3, 1.0, log=True), 0, 1e-3, "clipped to 0.001"),
        (FloatDistribution(0.0, 0.5, step=0.1), 0.30000000000000004, 0.3, ""),
        (FloatDistribution(0.0, 0.5, step=0.1), "0.33", 0.3, "rounded to 0.3"),
        (CategoricalDistribution((False, True)), "True", True, ""),
        (CategoricalDistribution((False, True)), "false", False, ""),
        (CategoricalDistribution((True, "True")), "True", "True", ""),
        (CategoricalDistribution((32, 64)), "64", 64, ""),
        (CategoricalDistribution(("32", "64")), 64, "64", ""),
        (CategoricalDistribution((0.1, 0.2)), "0.10", 0.1, ""),
        (CategoricalDistribution((1, 2)), 2.0, 2, ""),
        (CategoricalDistribution(("32", "64")), 64.0, "64", ""),
    ],
)
def test_restate_turns_stored_values_into_the_spaces_types(
    distribution: BaseDistribution, value: Any, restated: Any, note: str
) -> None:
    result = SearchSpace({"x": distribution}).restate({"x": value})
    assert result.unknown == ()
    # Up to the last digit: low plus three steps of 0.1 is 0.30000000000000004.
    expected = pytest.approx(restated, rel=1e-12) if isinstance(restated, float) else restated
    assert result.configuration["x"] == expected
    assert type(result.configuration["x"]) is type(restated)
    assert (note in " ".join(result.notes)) if note else result.notes == ()


@pytest.mark.parametrize(
    ("distribution", "value"),
    [
        (IntDistribution(1, 9), None),
        (IntDistribution(1, 9), True),
        (IntDistribution(1, 9), "many"),
        (IntDistribution(1, 9), [3]),
        (FloatDistribution(0, 1), math.nan),
        (FloatDistribution(0, 1), "inf"),
        (FloatDistribution(0, 1), ""),
        (CategoricalDistribution((True, False)), 1),
        (CategoricalDistribution((1, 2)), True),
        (CategoricalDistribution(("sgd", "adamw")), "SGD2"),
        (CategoricalDistribution(("sgd", "adamw")), None),
    ],
)
def test_restate_calls_unknown_what_it_cannot_read(
    distribution: BaseDistribution, value: Any
) -> None:
    result = SearchSpace({"x": distribution}).restate({"x": value})
    assert (result.configuration, result.unknown) == ({}, ("x",))
    assert len(result.notes) == 1


def test_restate_drops_what_is_foreign_or_inactive_and_says_so() -> None:
    result = SPACE.restate({**ADAMW, "sgd.learning_rate": 0.1, "momentum": 0.9})
    assert result.configuration == ADAMW
    assert any("'momentum' is not in this space" in note for note in result.notes)
    assert any("sgd.learning_rate is inactive under optimizer" in note for note in result.notes)


def test_restate_leaves_out_what_depends_on_an_unknown_parent() -> None:
    result = SPACE.restate({**ADAMW, "optimizer": None})
    assert result.unknown == ("optimizer",)
    assert "adamw.learning_rate" not in result.configuration
    assert any("adamw.learning_rate" in note for note in result.notes)


@pytest.mark.parametrize("nothing", [None, 3, "width", [1]])
def test_restate_survives_what_is_no_configuration(nothing: Any) -> None:
    result = SPACE.restate(nothing)
    assert result.configuration == {}
    assert set(result.unknown) == {"optimizer", "width", "dropout", "batch_size"}


@settings(max_examples=300)
@given(foreign=FOREIGN)
def test_what_is_restated_without_unknowns_lies_in_the_space(foreign: dict[str, Any]) -> None:
    result = SPACE.restate(foreign)
    if not result.unknown:
        assert SPACE.problems(result.configuration) == []
    else:
        assert all("is missing" in problem for problem in SPACE.problems(result.configuration))


@settings(max_examples=300)
@given(foreign=FOREIGN)
def test_restating_twice_changes_nothing_more(foreign: dict[str, Any]) -> None:
    once = SPACE.restate(foreign)
    twice = SPACE.restate(once.configuration)
    assert twice.configuration == once.configuration
    assert twice.unknown == once.unknown
    assert twice.notes == ()


@pytest.mark.filterwarnings("ignore:The distribution is specified by")  # Optuna lowers `high`
@settings(max_examples=200)
@given(
    low=st.floats(-1e6, 1e6),
    step=st.floats(1e-3, 1e3),
    steps=st.integers(1, 1000),
    value=st.floats(-1e7, 1e7),
)
def test_values_snapped_to_a_grid_lie_on_it(
    low: float, step: float, steps: int, value: float
) -> None:
    space = SearchSpace({"x": FloatDistribution(low, low + steps * step, step=step)})
    assert space.contains(space.restate({"x": value}).configuration)


@settings(max_examples=100)
@given(seed=SEEDS)
def test_a_configuration_of_the_space_is_restated_as_it_is(seed: int) -> None:
    configuration = SPACE.random_configuration(np.random.default_rng(seed))
    stored = {name: str(value) for name, value in configuration.items()}  # as MLflow keeps params
    for given_back in (configuration, stored):
        result = SPACE.restate(given_back)
        assert result.notes == () and result.unknown == ()
        assert SPACE.key(result.configuration) == SPACE.key(configuration)


def test_json_gives_back_an_equal_space() -> None:
    assert SearchSpace.from_json(SPACE.to_json()) == SPACE
    assert list(SearchSpace.from_json(SPACE.to_json()).distributions) == list(SPACE.distributions)


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
        ({"a": {"b": (7,)}}, "waits for b = 7"),
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


def test_a_continuous_space_has_no_size() -> None:
    assert SPACE.size() is None
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

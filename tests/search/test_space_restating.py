"""Foreign configurations restated in a space: types, unknowns, what is dropped, grids."""

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
from tests.search.spaces import ADAMW, SEEDS, SPACE

optuna.logging.set_verbosity(optuna.logging.WARNING)

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


@pytest.mark.slow
@settings(max_examples=300)
@given(foreign=FOREIGN)
def test_what_is_restated_without_unknowns_lies_in_the_space(foreign: dict[str, Any]) -> None:
    result = SPACE.restate(foreign)
    if not result.unknown:
        assert SPACE.problems(result.configuration) == []
    else:
        assert all("is missing" in problem for problem in SPACE.problems(result.configuration))


@pytest.mark.slow
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

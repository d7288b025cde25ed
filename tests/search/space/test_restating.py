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
from search.space.restating import restate
from tests.support.spaces import ADAMW, SEEDS, SPACE

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
    ("distribution", "value", "restated"),
    [
        (IntDistribution(16, 256), "64", 64),
        (IntDistribution(16, 256), 64.0, 64),
        (IntDistribution(16, 256), np.int64(64), 64),
        (FloatDistribution(0.0, 1.0), "0.1", 0.1),
        (FloatDistribution(0.0, 1.0), 1, 1.0),
        (FloatDistribution(0.0, 0.5, step=0.1), 0.30000000000000004, 0.3),
        (CategoricalDistribution((False, True)), "True", True),
        (CategoricalDistribution((False, True)), "false", False),
        (CategoricalDistribution((True, "True")), "True", "True"),
        (CategoricalDistribution((32, 64)), "64", 64),
        (CategoricalDistribution(("32", "64")), 64, "64"),
        (CategoricalDistribution((0.1, 0.2)), "0.10", 0.1),
        (CategoricalDistribution((1, 2)), 2.0, 2),
        (CategoricalDistribution(("32", "64")), 64.0, "64"),
        (CategoricalDistribution(("l1", None)), None, None),
        (CategoricalDistribution(("l1", None)), "None", None),
    ],
)
@pytest.mark.parametrize("moves_inside", [False, True])
def test_restate_turns_stored_values_into_the_spaces_types(
    distribution: BaseDistribution, value: Any, restated: Any, moves_inside: bool
) -> None:
    space = SearchSpace({"x": distribution})
    result = restate(space, {"x": value}, moves_inside=moves_inside)
    assert result.unknown == frozenset() and result.is_exact
    # Up to the last digit: low plus three steps of 0.1 is 0.30000000000000004.
    expected = pytest.approx(restated, rel=1e-12) if isinstance(restated, float) else restated
    assert result.configuration["x"] == expected
    assert type(result.configuration["x"]) is type(restated)
    assert result.reads["x"].problem == ""


@pytest.mark.parametrize(
    ("distribution", "value", "problem", "stays", "moved"),
    [
        (IntDistribution(16, 256), "64.4", "between", 64.4, 64),
        (IntDistribution(16, 256), 10**300, "outside", 10**300, 256),
        (IntDistribution(16, 256), -1e300, "outside", int(-1e300), 16),
        (IntDistribution(16, 256), 300.5, "outside", 300.5, 256),
        (IntDistribution(16, 64, step=16), 40.1, "between", 40.1, 48),
        (IntDistribution(16, 64, step=16), "24", "between", 24, 32),
        (FloatDistribution(1e-3, 1.0, log=True), 1e-9, "outside", 1e-9, 1e-3),
        (FloatDistribution(0.0, 0.5, step=0.1), "0.33", "between", 0.33, 0.3),
        (FloatDistribution(0.0, 0.5, step=0.1), 7, "outside", 7.0, 0.5),
    ],
)
def test_a_number_that_the_space_lacks_stays_unless_it_is_to_be_moved_inside(
    distribution: BaseDistribution, value: Any, problem: str, stays: Any, moved: Any
) -> None:
    space = SearchSpace({"x": distribution})
    for moves_inside, expected in ((False, stays), (True, moved)):
        result = restate(space, {"x": value}, moves_inside=moves_inside)
        assert (result.unknown, result.is_exact) == (frozenset(), False)
        assert result.reads["x"].problem == problem
        assert result.configuration["x"] == pytest.approx(expected, rel=1e-12)
        assert type(result.configuration["x"]) is type(expected)


@pytest.mark.parametrize(
    ("distribution", "value", "problem"),
    [
        (IntDistribution(1, 9), None, "missing"),
        (IntDistribution(1, 9), True, "missing"),
        (IntDistribution(1, 9), "many", "missing"),
        (IntDistribution(1, 9), [3], "missing"),
        (IntDistribution(1, 9), 10**400, "missing"),
        (FloatDistribution(0, 1), math.nan, "missing"),
        (FloatDistribution(0, 1), "inf", "missing"),
        (FloatDistribution(0, 1), "", "missing"),
        (FloatDistribution(1e-3, 1.0, log=True), 0, "missing"),
        (CategoricalDistribution((True, False)), 1, "vanished"),
        (CategoricalDistribution((1, 2)), True, "vanished"),
        (CategoricalDistribution(("sgd", "adamw")), "SGD2", "vanished"),
        (CategoricalDistribution(("sgd", "adamw")), None, "missing"),
        (CategoricalDistribution(("sgd", "adamw")), " none", "missing"),
        (CategoricalDistribution(("sgd", "adamw")), ["sgd"], "missing"),
    ],
)
@pytest.mark.parametrize("moves_inside", [False, True])
def test_restate_calls_unknown_what_it_cannot_read(
    distribution: BaseDistribution, value: Any, problem: str, moves_inside: bool
) -> None:
    space = SearchSpace({"x": distribution})
    result = restate(space, {"x": value}, moves_inside=moves_inside)
    assert (result.configuration, result.unknown) == ({}, {"x"})
    assert result.reads["x"].problem == problem


def test_restate_drops_foreign_and_inactive_hyperparameters_and_is_not_exact() -> None:
    result = restate(SPACE, {**ADAMW, "sgd.learning_rate": 0.1, "momentum": 0.9})
    assert result.configuration == ADAMW and result.unknown == frozenset()
    assert result.reads.keys() == {*ADAMW, "sgd.learning_rate"} and not result.is_exact
    assert not restate(SPACE, {**ADAMW, "sgd.learning_rate": 0.1}).is_exact
    assert not restate(SPACE, {**ADAMW, "momentum": 0.9}).is_exact


def test_restate_leaves_out_children_of_an_unknown_parent() -> None:
    vanished = restate(SPACE, {**ADAMW, "optimizer": "lion"})
    assert vanished.unknown == {"optimizer"}  # its own children were truly inactive
    assert "adamw.learning_rate" not in vanished.configuration
    both = restate(SPACE, {**ADAMW, "optimizer": None, "sgd.learning_rate": 0.1})
    children = set(SPACE.conditions)
    assert both.unknown == {"optimizer"} | children
    assert not both.configuration.keys() & children


def test_restate_infers_a_missing_parent_from_its_children() -> None:
    result = restate(SPACE, {**ADAMW, "optimizer": None})
    assert (result.configuration, result.inferred) == (ADAMW, {"optimizer"})
    assert result.unknown == frozenset() and not result.is_exact


def test_a_condition_on_the_end_of_a_range_holds_where_a_number_is_moved_to_it() -> None:
    space = SearchSpace(
        {"depth": IntDistribution(1, 9), "skips": IntDistribution(1, 3)}, {"skips": {"depth": (9,)}}
    )
    stated = {"depth": 20, "skips": 2}
    assert restate(space, stated).configuration == {"depth": 20}
    assert restate(space, stated, moves_inside=True).configuration == {"depth": 9, "skips": 2}


@pytest.mark.parametrize("nothing", [None, 3, "width", [1]])
def test_restate_accepts_data_that_is_no_configuration(nothing: Any) -> None:
    result = restate(SPACE, nothing)
    assert result.configuration == {}
    assert result.unknown == SPACE.distributions.keys()


@pytest.mark.slow
@settings(max_examples=300)
@given(foreign=FOREIGN)
def test_what_is_moved_inside_without_unknowns_lies_in_the_space(foreign: dict[str, Any]) -> None:
    result = restate(SPACE, foreign, moves_inside=True)
    if not result.unknown:
        assert SPACE.problems(result.configuration) == []
    else:
        assert all("is missing" in problem for problem in SPACE.problems(result.configuration))


@pytest.mark.slow
@settings(max_examples=300)
@given(foreign=FOREIGN, moves_inside=st.booleans())
def test_restating_twice_changes_nothing_more(foreign: dict[str, Any], moves_inside: bool) -> None:
    once = restate(SPACE, foreign, moves_inside=moves_inside)
    twice = restate(SPACE, once.configuration, moves_inside=moves_inside)
    assert twice.configuration == once.configuration
    assert once.unknown <= twice.unknown
    # What a vanished category kept inactive may have been active once nothing is stated.
    has_vanished = any(found.problem == "vanished" for found in once.reads.values())
    assert twice.unknown == once.unknown or has_vanished
    legal = [""] if moves_inside else ["", "outside", "between"]
    assert all(found.problem in legal for found in twice.reads.values())


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
    assert space.contains(restate(space, {"x": value}, moves_inside=True).configuration)


@settings(max_examples=100)
@given(seed=SEEDS)
def test_a_configuration_of_the_space_is_restated_as_it_is(seed: int) -> None:
    configuration = SPACE.random_configuration(np.random.default_rng(seed))
    stored = {name: str(value) for name, value in configuration.items()}  # as MLflow keeps params
    for given_back in (configuration, stored):
        for moves_inside in (False, True):
            result = restate(SPACE, given_back, moves_inside=moves_inside)
            assert result.is_exact and result.unknown == frozenset()
            assert SPACE.key(result.configuration) == SPACE.key(configuration)


def test_a_trial_from_before_a_parent_existed_shows_its_value_by_its_children() -> None:
    # A CNN's trial that was logged when `block` was no hyperparameter yet.
    space = SearchSpace(
        {"block": CategoricalDistribution(("plain", "residual")), "blocks": IntDistribution(1, 8),
         "stages": CategoricalDistribution(("1-1", "2-2-2"))},
        {"blocks": {"block": ("plain",)}, "stages": {"block": ("residual",)}},
    )  # fmt: skip
    restated = restate(space, {"blocks": 3, "width": 32})
    assert restated.configuration == {"block": "plain", "blocks": 3}
    assert restated.inferred == {"block"} and not restated.unknown

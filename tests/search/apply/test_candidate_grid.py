"""CandidateGrid: arrays of candidates are equal to the configurations that they encode."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from search.apply.candidate_grid import CandidateGrid
from search.space import SearchSpace
from search.space.encoding import encode
from tests.support import studies

# Optuna warns where rounding makes it shorten a drawn grid by a step.
pytestmark = pytest.mark.filterwarnings("ignore:The distribution is specified")
EXAMPLES = settings(max_examples=60)


@st.composite
def distributions(draw: st.DrawFn) -> BaseDistribution:
    kind = draw(st.sampled_from(["float", "log", "grid", "int", "steps", "log int", "category"]))
    if kind == "category":
        choices = st.sampled_from(["a", "b", True, False, None, 1, 2.5, "1"])
        return CategoricalDistribution(
            draw(st.lists(choices, min_size=1, max_size=5, unique_by=repr))
        )
    if kind in ("int", "steps", "log int"):
        low = draw(st.integers(1 if kind == "log int" else -20, 50))
        high = low + draw(st.integers(0, 300))
        step = draw(st.integers(1, 7)) if kind == "steps" else 1
        return IntDistribution(low, low + (high - low) // step * step, kind == "log int", step)
    # A range is one value, or wider than rounding.
    if kind == "log":
        low = draw(st.floats(1e-6, 1.0))
        return FloatDistribution(low, low * draw(st.just(1.0) | st.floats(1.01, 1e4)), log=True)
    low = draw(st.floats(-10, 10, allow_subnormal=False))
    if kind == "grid":
        step = draw(st.sampled_from([0.1, 0.25, 0.3, 2.0]))
        return FloatDistribution(low, low + step * draw(st.integers(0, 80)), step=step)
    return FloatDistribution(low, low + draw(st.just(0.0) | st.floats(0.01, 5)))


@st.composite
def spaces(draw: st.DrawFn) -> SearchSpace:
    """Draws a category and hyperparameters, some of them conditional on it or on each other."""
    parent = CategoricalDistribution(["p", "q", True])
    found: dict[str, BaseDistribution] = {"parent": parent}
    conditions = {}
    for index in range(draw(st.integers(1, 4))):
        found[f"h{index}"] = draw(distributions())
        if draw(st.booleans()):
            values = draw(st.sampled_from([("p",), ("q", True), (True,)]))
            conditions[f"h{index}"] = {"parent": values}
    if isinstance(found["h0"], CategoricalDistribution):
        found["grandchild"] = draw(distributions())
        conditions["grandchild"] = {"h0": (found["h0"].choices[0],)}
    return SearchSpace(found, conditions)


def assert_legal(grid: CandidateGrid, places: np.ndarray) -> None:
    space = grid.space
    configurations = [grid.configuration(place) for place in places]
    assert [each for each in configurations if not space.contains(each)] == []
    assert ((places >= 0) & (places <= 1 + 1e-12)).all()
    # Through a logarithm and back: rounding only. The finest grid here has 300 values.
    assert grid.encoded(places) == pytest.approx(encode(space, configurations), abs=1e-7)


@pytest.mark.slow
@EXAMPLES
@given(spaces(), st.integers(0, 2**32 - 1))
def test_drawn_candidates_are_legal_and_their_columns_are_those_of_encode(space, seed):
    grid = CandidateGrid(space)
    assert_legal(grid, grid.draw(np.random.default_rng(seed), 12))


@pytest.mark.slow
@EXAMPLES
@given(spaces(), st.integers(0, 2**32 - 1))
def test_neighbours_are_legal_and_half_of_them_change_one_hyperparameter(space, seed):
    grid, generator = CandidateGrid(space), np.random.default_rng(seed)
    centre = grid.draw(generator, 1)[0]
    near = grid.near(centre, generator, 12)
    assert_legal(grid, near)
    assert ((near[:6] != centre).sum(axis=1) <= 1).all()


@EXAMPLES
@given(spaces(), st.integers(0, 2**32 - 1))
def test_a_configuration_is_found_again_at_its_position(space, seed):
    grid = CandidateGrid(space)
    configuration = space.random_configuration(np.random.default_rng(seed))
    again = grid.configuration(grid.of(configuration))
    assert again.keys() == configuration.keys()
    for name, value in configuration.items():
        if isinstance(value, float):
            # A range of up to 40,000 times its least value, to rounding.
            assert again[name] == pytest.approx(value, rel=1e-9, abs=1e-9)
        else:
            assert again[name] is value or again[name] == value


@EXAMPLES
@given(spaces())
def test_groups_name_the_hyperparameter_of_every_column(space):
    sizes = {
        name: len(each.choices) if isinstance(each, CategoricalDistribution) else 1
        for name, each in space.distributions.items()
    }
    for name in space.conditions:
        sizes[name] += 1
    expected = [index for index, size in enumerate(sizes.values()) for _ in range(size)]
    grid = CandidateGrid(space)
    assert grid.groups.tolist() == expected
    assert encode(space, [{}]).shape == (1, len(expected))


STRAY = [{}, {"optimizer": "sgd", "width": 4096, "sgd.momentum": 0.44}, {"width": 22.6}]


@pytest.mark.parametrize("stray", STRAY, ids=["empty", "outside", "between"])
def test_a_configuration_outside_the_space_or_with_gaps_becomes_a_legal_one(stray):
    grid = CandidateGrid(studies.CONDITIONAL)
    made = grid.configuration(grid.of(stray))
    assert studies.CONDITIONAL.problems(made) == []
    assert made["width"] == (64 if stray.get("width") == 4096 else 23)  # 23: the middle, and 22.6


def test_what_a_configuration_lacks_starts_in_the_middle_as_a_cold_search_does():
    grid = CandidateGrid(studies.CONDITIONAL)
    assert grid.configuration(grid.of({})) == grid.middle()


@pytest.mark.parametrize("stray", STRAY, ids=["empty", "outside", "between"])
def test_its_columns_are_those_of_the_configuration_it_becomes(stray):
    grid = CandidateGrid(studies.CONDITIONAL)
    assert_legal(grid, grid.of(stray)[None])


def test_the_middle_is_the_middle_of_ranges_and_the_first_choice():
    assert CandidateGrid(studies.CONDITIONAL).middle() == {
        "optimizer": "sgd",
        "width": 23,  # of 8 to 64 in the logarithm: sqrt(8 * 64) = 22.6
        "blocks": 2,
        "augment": True,
        "sgd.learning_rate": pytest.approx(math.sqrt(1e-3)),
        "sgd.momentum": pytest.approx(0.4, abs=0.1 + 1e-9),  # 0.45 lies between two values
    }


def test_every_value_of_a_grid_is_drawn_equally_often():
    space = SearchSpace(
        {
            "steps": IntDistribution(1, 5),
            "grid": FloatDistribution(0.0, 0.9, step=0.3),
            "kind": CategoricalDistribution(["a", "b", "c"]),
        }
    )
    grid = CandidateGrid(space)
    places = grid.draw(np.random.default_rng(0), 6_000)
    for index, count in enumerate((5, 4, 3)):
        found = Counter(places[:, index].tolist())
        share = 1 / count
        spread = math.sqrt(6_000 * share * (1 - share))
        assert len(found) == count
        # Five standard deviations, twelve shares: a false alarm in 140,000 seeds.
        assert max(abs(number - 6_000 * share) for number in found.values()) < 5 * spread


def test_a_move_on_a_coarse_grid_reaches_another_value():
    grid = CandidateGrid(SearchSpace({"blocks": IntDistribution(1, 3)}))
    near = grid.near(np.array([0.5]), np.random.default_rng(0), 40)
    # One hyperparameter, which the first half changes; from the middle there is room both ways.
    assert set(near[:20, 0].tolist()) == {0.0, 1.0}


def test_a_range_as_wide_as_one_rounding_error_is_no_error():
    low = 0.125
    space = SearchSpace({"rate": FloatDistribution(low, math.nextafter(low, 1.0), log=True)})
    assert 0.0 <= encode(space, [{"rate": low}])[0, 0] <= 1.0


def test_nothing_to_encode_has_no_rows():
    grid = CandidateGrid(studies.CONDITIONAL)
    empty = grid.encoded(np.empty((0, len(studies.CONDITIONAL.distributions))))
    assert empty.shape == (0, len(grid.groups))

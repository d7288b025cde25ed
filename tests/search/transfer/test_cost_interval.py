"""The interval for the next one of a few positive numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from search.transfer.cost_forecast import Estimate
from search.transfer.cost_interval import FEWEST, LEAST_DEVIATION, next_one

# The 0.975 quantile of Student's t with two degrees of freedom, from a printed table.
T_OF_TWO = 4.3027


def test_the_interval_is_that_of_one_further_normal_observation_of_the_logarithm() -> None:
    found = next_one([1.0, math.e, math.e**2])
    assert found is not None
    # Mean 1, deviation 1: half of the interval is t times the root of 1 + 1/3.
    half = T_OF_TWO * math.sqrt(4 / 3)
    assert found.value == pytest.approx(math.e)
    assert math.log(found.low) == pytest.approx(1 - half, abs=1e-3)
    assert math.log(found.high or 0.0) == pytest.approx(1 + half, abs=1e-3)
    assert (found.count, found.missed) == (3, 0)


def test_fewer_numbers_than_three_give_no_interval() -> None:
    assert next_one([]) is None and next_one([1.0, 2.0]) is None
    assert next_one([1.0], missed=[2.0]) is None
    assert FEWEST == 3


def test_a_search_that_never_arrived_is_a_lower_limit_and_leaves_no_upper_end() -> None:
    found = next_one([1.0, 2.0, 3.0], missed=[50.0])
    assert found is not None and found.high is None and found.missed == 1
    assert math.log(found.value) == pytest.approx((math.log(2) + math.log(3)) / 2)
    assert found.contains(1e9) and not found.contains(found.low / 2)


def test_if_half_of_them_never_arrived_the_median_is_unknown() -> None:
    assert next_one([1.0, 2.0], missed=[3.0, 4.0]) is None


def test_numbers_that_agree_by_chance_keep_the_least_deviation() -> None:
    found = next_one([5.0, 5.0, 5.0])
    assert found is not None
    half = T_OF_TWO * LEAST_DEVIATION * math.sqrt(4 / 3)
    assert math.log(found.value / found.low) == pytest.approx(half, abs=1e-4)


def test_what_it_is_multiplied_with_later_widens_the_interval() -> None:
    exact, uncertain = next_one([1.0, 2.0, 4.0]), next_one([1.0, 2.0, 4.0], deviation=0.5)
    assert exact is not None and uncertain is not None
    narrow, wide = (math.log(each.value / each.low) for each in (exact, uncertain))
    assert wide == pytest.approx(math.hypot(narrow, 1.96 * 0.5), abs=1e-4)


@pytest.mark.parametrize("seed", range(30))
def test_the_interval_contains_the_value(seed: int) -> None:
    generator = np.random.default_rng(seed)
    numbers = np.exp(generator.normal(0, 3, generator.integers(3, 9))).tolist()
    missed = np.exp(generator.normal(0, 3, generator.integers(0, 3))).tolist()
    found = next_one(numbers, missed)
    assert found is None or found.contains(found.value)


def test_the_interval_holds_for_nineteen_of_twenty() -> None:
    generator = np.random.default_rng(0)
    held = 0
    for _ in range(2000):
        *seen, unseen = np.exp(generator.normal(1.0, 0.8, 6)).tolist()
        found = next_one(seen)
        assert found is not None
        held += found.contains(unseen)
    # 1,900 are expected with a deviation of 9.7: four of them, a false alarm in 16,000.
    assert abs(held - 1900) < 39


def test_a_number_that_may_be_off_by_a_factor_of_more_than_100_is_vague() -> None:
    assert Estimate(1.0, 0.009, 2.0, 3).is_vague and Estimate(1.0, 0.5, 101.0, 3).is_vague
    assert not Estimate(1.0, 0.02, 50.0, 3).is_vague
    assert Estimate(1.0, 0.009, None, 3).is_vague and not Estimate(1.0, 0.5, None, 3).is_vague


def test_a_multiple_keeps_what_it_is_based_on() -> None:
    assert Estimate(2.0, 1.0, None, 4, 1).times(3.0) == Estimate(6.0, 3.0, None, 4, 1)


@pytest.mark.parametrize("odd", [0.0, -1.0, math.inf, math.nan])
def test_what_is_no_positive_number_gives_no_interval(odd: float) -> None:
    assert next_one([1.0, 2.0, odd]) is None and next_one([1.0, 2.0, 3.0], [odd]) is None


def test_numbers_that_differ_beyond_all_measure_are_vague_and_do_not_overflow() -> None:
    found = next_one([1e-290, 1.0, 1e290], deviation=1e9)
    assert found is not None and found.is_vague and 0 < found.low < (found.high or 0) < math.inf

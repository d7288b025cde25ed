"""Points in the unit cube, and filling in what a configuration does not use."""

from __future__ import annotations

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from search.space import SearchSpace
from search.space.encoding import FARTHEST, active, encode, fill

SPACE = SearchSpace(
    {
        "kind": CategoricalDistribution(["a", "b"]),
        "rate": FloatDistribution(1e-4, 1e-2, log=True),
        "b.size": IntDistribution(0, 10),
    },
    {"b.size": {"kind": ("b",)}},
)


def test_a_case_worked_by_hand():
    half = np.sqrt(0.5)
    points = encode(SPACE, [{"kind": "a", "rate": 1e-3}, {"kind": "b", "rate": 1e-4, "b.size": 10}])
    expected = [[half, 0.0, 0.5, 0.5, 0.0], [0.0, half, 0.0, 1.0, 1.0]]
    np.testing.assert_allclose(points, expected, atol=1e-12)


def test_two_categories_lie_one_apart():
    points = encode(SPACE, [{"kind": "a", "rate": 1e-3}, {"kind": "b", "rate": 1e-3}])
    assert np.linalg.norm(points[0, :2] - points[1, :2]) == pytest.approx(1.0)


def test_a_number_beyond_its_range_keeps_its_place():
    rates = [1e-5, 1e-1, 1e-30, 0.0, 1e300]
    points = encode(SPACE, [{"kind": "a", "rate": rate} for rate in rates])
    # By hand: one decade is half of this range of two; far away is cut off.
    expected = [-0.5, 1.5, -FARTHEST, -FARTHEST, 1 + FARTHEST]
    np.testing.assert_allclose(points[:, 2], expected, atol=1e-12)


def test_nothing_has_the_width_of_everything():
    assert encode(SPACE, []).shape == (0, 5)
    assert encode(SPACE, [{}]).shape == (1, 5)
    assert encode(SearchSpace({}), [{}]).shape == (1, 0)


def test_filling_keeps_what_is_used_and_cutting_takes_it_back():
    configuration = {"kind": "a", "rate": 1e-3}
    filled = fill(SPACE, configuration, seed=1)
    assert set(filled) == set(SPACE.distributions)
    assert active(SPACE, filled) == configuration
    assert filled == fill(SPACE, configuration, seed=1)
    assert filled != fill(SPACE, configuration, seed=2)

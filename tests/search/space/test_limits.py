"""Ranges that no sampler can take are refused with key, value and what to do instead."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import optuna
import pytest
import yaml
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.trial import create_trial

from search.space.limits import FEWEST_FLOATS, FLOATS_IN_A_STEP, problem_of
from search.space.values import draw, holds, nearest
from search.spec import SpecError, spec_from_yaml
from tests.support.launches import hills

WHOLE = {"type": "int", "low": 0}
FLOAT = {"type": "float", "low": 0.0}
REFUSED = [
    (WHOLE | {"high": 2**53 + 1}, "space.x.high = 9007199254740993: is beyond 2**53"),
    (WHOLE | {"high": 1e20}, "space.x.high = 1e+20: is beyond 2**53"),
    (WHOLE | {"high": 2**61, "step": 2**60}, "space.x.high = 2305843009213693952: is beyond 2**53"),
    (WHOLE | {"low": -(10**19), "high": 1}, "space.x.low = -10000000000000000000: must be between"),
    (FLOAT | {"low": -1e308, "high": 1e308}, "space.x.low = -1e+308: is beyond 1e+150"),
    (FLOAT | {"high": 1e308}, "space.x.high = 1e+308: is beyond 1e+150"),
    (FLOAT | {"high": 5e-324}, "space.x.high = 5e-324: is too close to low (0.0)"),
    (FLOAT | {"low": 1e16, "high": 1e16 + 4}, "is too close to low (1e+16)"),
    (FLOAT | {"low": 5e-324, "high": 1.0, "log": True}, "space.x.low = 5e-324: is below 1e-150"),
    (FLOAT | {"low": 1.0, "high": 1 + 1e-15, "log": True}, "is too close to low (1.0)"),
    (FLOAT | {"high": 1.0, "step": 1e-320}, "space.x.step = 1e-320: is too small"),
    (FLOAT | {"high": 1.0, "step": 1e-9}, "space.x.step = 1e-09: is too small for a grid"),
    (WHOLE | {"high": 2**53, "step": 2**53 - 1}, "is not low plus whole steps"),
]


@pytest.mark.parametrize("part, message", REFUSED)
def test_a_range_that_floats_cannot_represent_is_refused_with_its_key_and_line(
    part: dict[str, Any], message: str
) -> None:
    with pytest.raises(SpecError, match=r"^spec.yaml:\d+  space\.x\.") as caught:
        spec_from_yaml(hills_of(part))
    assert message in str(caught.value) and len(caught.value.problems) == 1


LEGAL = [
    IntDistribution(0, 2**53), IntDistribution(-(2**53), 2**53),
    IntDistribution(1, 2**53, log=True),
    IntDistribution(0, 2**53, step=2**52), FloatDistribution(-1e150, 1e150),
    FloatDistribution(1e-150, 1e150, log=True), FloatDistribution(0.0, 1e-150),
    FloatDistribution(0.0, 1.0, step=1e-7), FloatDistribution(-1e6, 1e6, step=1.0),
    FloatDistribution(1.0, 1.0 + FEWEST_FLOATS * math.ulp(2.0)),
]  # fmt: skip


@pytest.mark.parametrize("distribution", LEGAL, ids=str)
def test_every_draw_from_a_range_that_is_not_refused_is_in_it_for_optuna_too(
    distribution: FloatDistribution | IntDistribution,
) -> None:
    assert not problem_of(distribution)
    generator = np.random.default_rng(0)
    drawn = [draw(distribution, generator) for _ in range(200)]
    drawn += [nearest(distribution, end) for end in (distribution.low, distribution.high)]
    assert all(holds(distribution, value) for value in drawn)
    assert len(set(drawn)) > 2
    study = optuna.create_study()
    for value in drawn:  # raises if Optuna finds a value outside
        study.add_trial(
            create_trial(params={"x": value}, distributions={"x": distribution}, value=0.0)
        )


def test_the_values_of_the_finest_grid_are_values_of_it_for_optuna() -> None:
    step = FLOATS_IN_A_STEP * math.ulp(1.0)
    grid = FloatDistribution(-1.0, -1.0 + step * round(2 / step), step=step)
    generator = np.random.default_rng(1)
    for value in (draw(grid, generator) for _ in range(500)):
        create_trial(params={"x": value}, distributions={"x": grid}, value=0.0)


def hills_of(part: dict[str, Any]) -> str:
    return yaml.safe_dump(hills("two_hills", space={"x": part}))

"""The cost model: what a full training of a configuration costs, from trials of any task."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from optuna.distributions import FloatDistribution

from search.extract.costs import FEWEST_COSTS, cost_model, costs_of
from search.history import Trial
from search.space import SearchSpace
from search.space.encoding import encode

SPACE = SearchSpace({"width": FloatDistribution(1.0, 100.0, log=True),
                     "rate": FloatDistribution(0.0, 1.0)})  # fmt: skip


def trials(search: str, count: int, *, seconds: float = 1.0, work: float = 0.0, seed: int = 0):
    """Trials whose cost is proportional to the square of the width."""
    generator = np.random.default_rng(seed)
    drawn = [SPACE.random_configuration(generator) for _ in range(count)]
    return [
        Trial(
            state="complete", configuration=each, search=search, epoch=10,
            seconds=seconds * each["width"] ** 2, work=work * each["width"] ** 2,
        )
        for each in drawn
    ]  # fmt: skip


def ratio(model, wide: float, narrow: float) -> float:
    points = encode(SPACE, [{"width": wide, "rate": 0.5}, {"width": narrow, "rate": 0.5}])
    first, second = model.log_cost(points)
    return math.exp(first - second)


def test_a_cost_that_grows_with_the_square_of_the_width_is_learned_from_other_tasks() -> None:
    others = costs_of([*trials("a", 40), *trials("b", 40, seconds=1000.0, seed=1)], SPACE)
    model = cost_model(others, costs_of([], SPACE))
    # Ridge pulls the slope towards 0: with 80 trials by less than a twentieth of the logarithm.
    assert math.log(ratio(model, 20.0, 2.0)) == pytest.approx(math.log(100.0), rel=0.05)
    assert math.isnan(model.level)


def test_trials_of_the_task_give_the_level_and_its_unit() -> None:
    others = costs_of(trials("a", 40), SPACE)
    model = cost_model(others, costs_of(trials("own", 10, work=5e9, seed=2), SPACE))
    point = encode(SPACE, [{"width": 10.0, "rate": 0.5}])
    assert model.unit == "work"
    assert math.exp(model.log_cost(point)[0]) == pytest.approx(5e11, rel=0.2)


@pytest.mark.parametrize("seconds", [1e308, 1e200, math.inf, math.nan])
def test_a_cost_that_nothing_can_have_is_left_out(seconds: float) -> None:
    known = trials("a", 10)
    # A stopped one is scaled to the longest training of its search, here beyond all floats.
    broken = replace(known[0], state="stopped", epoch=1, seconds=seconds)
    found, sound = costs_of([broken, *known[1:]], SPACE), costs_of(known[1:], SPACE)
    assert found.logs.tolist() == sound.logs.tolist()
    model = cost_model(found, costs_of([], SPACE))
    assert model is not None and np.isfinite(model.coefficients).all()


def test_seconds_count_where_not_every_trial_of_a_search_has_its_work() -> None:
    mixed = [*trials("a", 4, work=7.0), *trials("a", 4, seed=1)]
    found = costs_of(mixed, SPACE)
    assert found.units == ("seconds",)
    assert len(found) == 8


def test_a_trial_that_was_stopped_costs_what_its_end_would_have() -> None:
    full = Trial(state="complete", configuration={"width": 3.0, "rate": 0.1}, epoch=10, seconds=50)
    half = Trial(state="stopped", configuration={"width": 4.0, "rate": 0.1}, epoch=5, seconds=25)
    assert np.exp(costs_of([full, half], SPACE).logs).tolist() == pytest.approx([50.0, 50.0])


def test_trials_without_a_cost_or_without_an_end_are_left_out() -> None:
    unknown = [Trial(state="complete", configuration={"width": 3.0, "rate": 0.1})]
    running = [Trial(state="running", configuration={"width": 3.0, "rate": 0.1}, seconds=3.0)]
    instant = [replace(running[0], state="complete", seconds=0.002)]
    assert len(costs_of([*unknown, *running, *instant], SPACE)) == 0


def test_there_is_no_model_of_too_few_costs_or_of_equal_ones() -> None:
    nothing = costs_of([], SPACE)
    assert cost_model(nothing, costs_of(trials("a", FEWEST_COSTS - 1), SPACE)) is None
    same = [Trial(state="complete", configuration={"width": w, "rate": 0.2}, seconds=2.0)
            for w in (1.0, 3.0, 9.0, 27.0)]  # fmt: skip
    assert cost_model(nothing, costs_of(same, SPACE)) is None


def test_the_error_is_that_of_trials_left_out() -> None:
    generator = np.random.default_rng(3)
    noisy = [
        Trial(
            state="complete", configuration=each.configuration, epoch=10,
            seconds=each.seconds * math.exp(0.5 * generator.standard_normal()),
        )
        for each in trials("", 200)
    ]  # fmt: skip
    model = cost_model(costs_of([], SPACE), costs_of(noisy, SPACE))
    # The standard error of a deviation of 200 values is 5 %; 4 of them, and some for the ridge.
    assert model.error == pytest.approx(0.5, rel=0.25)

"""The cost of the first trial of a search, whose configuration is known."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from optuna.distributions import FloatDistribution

from search.apply.prior_data import PriorData
from search.extract.costs import costs_of
from search.extract.device_speed import DeviceSpeed
from search.history import Trial
from search.space import SearchSpace
from search.transfer.cost_interval import LEAST_DEVIATION
from search.transfer.first_trial import first_trial
from search.transfer.past_costs import PastCosts
from tests.support.priced_searches import costs_before, new_search, priced
from tests.support.synthetic_history import TASK

SPACE = SearchSpace({"x": FloatDistribution(0.0, 1.0)})

TRAINED = {"optimizer": "sgd", "width": 16}


def trial(number: int, **costs: float) -> Trial:
    """A trial whose cost rises with x, a thousandfold over the range."""
    x = number / 20
    cost = {name: factor * 1000**x for name, factor in costs.items()}
    return Trial(state="complete", configuration={"x": x}, epoch=1, search="a", task=TASK, **cost)  # type: ignore[arg-type]


def test_a_configuration_that_was_trained_before_costs_what_it_did() -> None:
    costs = costs_before(
        priced("a", [0.5, None, 0.6], [10.0, 1.0, 40.0], repeats=TRAINED), new_search()
    )
    found = first_trial(TRAINED, TASK, costs, PriorData(), SPACE)
    assert found is not None
    # The trial that was stopped does not count; of the others the geometric mean does.
    assert found.seconds == pytest.approx(20.0)
    assert found.deviation == pytest.approx(LEAST_DEVIATION * math.sqrt(1.5))
    assert found.least_seconds == pytest.approx(20 * math.exp(-1.96 * found.deviation), rel=1e-3)


def test_choices_that_are_equal_in_python_are_other_configurations() -> None:
    costs = costs_before(priced("a", [0.5, 0.6], 10.0, repeats={"width": 0}), new_search())
    assert first_trial({"width": False}, TASK, costs, PriorData(), SPACE) is None
    found = first_trial({"width": 0.0}, TASK, costs, PriorData(), SPACE)
    assert found is not None and found.seconds == pytest.approx(10.0)


def test_another_configuration_costs_what_the_model_says() -> None:
    prior = PriorData(same_task=tuple(trial(number, seconds=2.0) for number in range(21)))
    found = first_trial({"x": 0.5}, TASK, PastCosts(), prior, SPACE)
    assert found is not None
    assert found.seconds == pytest.approx(2 * 1000**0.5, rel=0.1)


def test_work_becomes_seconds_at_the_speed_of_the_device() -> None:
    trials = tuple(trial(number, seconds=2.0, work=1e9) for number in range(21))
    prior = PriorData(same_task=trials)
    costs = PastCosts(device="GPU", speed=DeviceSpeed(5e8, 21))
    found = first_trial({"x": 0.5}, TASK, costs, prior, SPACE)
    assert found is not None
    assert found.seconds == pytest.approx(2 * 1000**0.5, rel=0.1)
    assert first_trial({"x": 0.5}, TASK, replace(costs, speed=None), prior, SPACE) is None


def test_costs_of_other_tasks_alone_do_not_tell_it() -> None:
    others = costs_of([trial(number, seconds=2.0) for number in range(21)], SPACE)
    assert first_trial({"x": 0.5}, TASK, PastCosts(), PriorData(costs=others), SPACE) is None
    assert first_trial({"x": 0.5}, TASK, PastCosts(), PriorData(), SPACE) is None


def test_a_cost_that_no_training_has_is_unknown() -> None:
    trials = tuple(trial(number, seconds=2e-300) for number in range(21))
    # Below the least seconds the costs are not known at all; a model of enormous work is wrong.
    assert first_trial({"x": 0.5}, TASK, PastCosts(), PriorData(same_task=trials), SPACE) is None
    enormous = PriorData(same_task=tuple(trial(number, work=1e290) for number in range(21)))
    costs = PastCosts(device="GPU", speed=DeviceSpeed(1.0, 21))
    assert first_trial({"x": 0.5}, TASK, costs, enormous, SPACE) is None

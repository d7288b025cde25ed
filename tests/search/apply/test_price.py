"""The price of a candidate: its cost and the mean cost of the space."""

from __future__ import annotations

import math

import numpy as np
import optuna
import pytest
from optuna.distributions import FloatDistribution

from search.apply import WarmStartSampler
from search.apply.price import log_price, predicted_cost
from search.extract.costs import CostModel
from search.space import SearchSpace

LINE = SearchSpace({"x": FloatDistribution(0.0, 1.0)})


def model(slope: float, level: float = 0.0) -> CostModel:
    """A model of one column whose features are its position in [-1, 1] and that squared."""
    return CostModel(np.array([slope, 0.0]), level, "seconds", 0.1, 10)


def test_without_a_model_of_costs_every_price_is_the_same() -> None:
    assert log_price(None, np.array([[0.1], [0.9]]), np.array([[0.5]])).tolist() == [0.0, 0.0]


def test_the_price_is_the_cost_plus_the_mean_cost_of_the_space() -> None:
    # Costs are e^(slope * position): e^-2 at x = 0, 1 in the middle, e^2 at x = 1.
    pool = np.array([[0.0], [1.0]])
    mean = (math.exp(-2) + math.exp(2)) / 2
    found = np.exp(log_price(model(2.0), np.array([[0.0], [0.5], [1.0]]), pool))
    wanted = [math.exp(-2) + mean, 1 + mean, math.exp(2) + mean]
    assert found.tolist() == pytest.approx(wanted)


def test_a_cost_is_predicted_where_the_level_of_the_task_is_known() -> None:
    found = predicted_cost(model(2.0, math.log(30.0)), np.array([0.5]))
    assert found["cost"] == pytest.approx(30.0)
    # Six digits are kept, so it is off by at most half of the last.
    assert found["factor"] == pytest.approx(math.exp(0.196), abs=0.5e-5)
    assert predicted_cost(model(2.0, math.nan), np.array([0.5])) == {}


def test_a_cost_beyond_all_measurements_is_none_and_overflows_nothing() -> None:
    for level in (1000.0, math.log(1e151)):
        assert predicted_cost(model(0.0, level), np.array([0.5])) == {}


def spent(*, cost: bool, seed: int) -> float:
    """Search a flat valley, in which x = 1 costs a thousand times x = 0; return the seconds."""
    sampler = WarmStartSampler(None, LINE, seed, cost=cost)
    study = optuna.create_study(sampler=sampler)
    total = 0.0
    for _ in range(14):
        trial = study.ask()
        x = trial.suggest_float("x", 0.0, 1.0)
        seconds = 1000.0**x
        trial.set_user_attr("seconds", seconds)
        study.tell(trial, max(0.0, 0.2 - x))
        total += seconds
    return total


def test_where_many_configurations_are_as_good_the_cheap_ones_are_tried() -> None:
    ratios = [spent(cost=True, seed=seed) / spent(cost=False, seed=seed) for seed in range(4)]
    assert np.median(ratios) < 0.7


def test_the_forecast_of_a_proposal_has_the_cost_of_the_trial() -> None:
    sampler = WarmStartSampler(None, LINE, 0)
    study = optuna.create_study(sampler=sampler)
    for _ in range(10):
        trial = study.ask()
        x = trial.suggest_float("x", 0.0, 1.0)
        trial.set_user_attr("seconds", 10.0**x)
        study.tell(trial, (x - 0.3) ** 2)
    forecast = sampler.origin(9)["forecast"]
    x = study.trials[9].params["x"]
    assert forecast["unit"] == "seconds"
    assert forecast["cost"] == pytest.approx(10.0**x, rel=0.3)
    assert forecast["most"] >= forecast["gain"]

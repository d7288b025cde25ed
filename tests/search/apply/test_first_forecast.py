"""What is expected of a first proposal, from past tasks alone."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from optuna.distributions import FloatDistribution

from search.apply.first_forecast import FirstForecasts
from search.apply.prior_data import PriorData
from search.apply.proposal_source import Proposal, origin
from search.apply.task_models import task_models
from search.extract.costs import cost_model, costs_of
from search.history import Trial
from search.objectives import Objective
from search.space import SearchSpace

LINE = SearchSpace({"x": FloatDistribution(0.0, 1.0)})
ACCURACY, LOSS = Objective("accuracy.clean", "maximize"), Objective("loss", "minimize")
PLACES = np.linspace(0.0, 1.0, 21)


def trials(task: str, values: object, objective: Objective, seconds: float = 0.0) -> list[Trial]:
    """A task's trials on a line; the cost of a trial is e^x times `seconds`."""
    return [
        Trial(
            state="complete", configuration={"x": float(x)}, values=(float(value),),
            objectives=(objective,), seconds=seconds * math.exp(x), task=task, search=task,
            number=number,
        )
        for number, (x, value) in enumerate(zip(PLACES, np.array(values), strict=True))
    ]  # fmt: skip


def prior_of(*tasks: list[Trial], objective: Objective, same: list[Trial] | None = None):
    every = [trial for each in tasks for trial in each]
    models = task_models(every, LINE, [objective], {}).models
    return PriorData(tuple(same or ()), models, costs=costs_of(every, LINE))


def forecast_of(prior: PriorData, x: float, objective: Objective, step: str = "portfolio"):
    proposal = Proposal({"x": x}, origin(step))
    return FirstForecasts(LINE, [objective], prior).added_to(proposal).origin.get("forecast", {})


def test_tasks_of_one_scale_say_the_value_and_its_interval_covers_a_task_like_them():
    shape = -2.0 * (PLACES - 0.5) ** 2
    tasks = [trials(f"t{n}", 0.9 + 0.01 * n + shape, ACCURACY) for n in range(4)]
    found = forecast_of(prior_of(*tasks, objective=ACCURACY), 0.5, ACCURACY)
    mean, low, high = found["value"]["accuracy.clean"]
    # The four have .90 to .93 in the middle: mean .915, standard deviation .0129, and one more
    # task lies within t(3) = 3.182 times that times sqrt(5/4).
    assert mean == pytest.approx(0.915, abs=0.005)  # models are smooth
    # The error of the models is part of the interval, too: a tenth of the spread of the tasks.
    assert mean - low == pytest.approx(0.0459, abs=0.01)
    assert high - mean == pytest.approx(0.0459, abs=0.01)
    assert found["tasks"] == 4
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_no_share_of_examples_is_expected_above_one():
    tasks = [trials(f"t{n}", 0.9 + 0.045 * n - 0.8 * PLACES, ACCURACY) for n in range(3)]
    found = forecast_of(prior_of(*tasks, objective=ACCURACY), 0.0, ACCURACY)
    assert found["value"]["accuracy.clean"][2] == 1.0


def test_a_value_that_may_be_off_by_more_than_a_factor_of_100_is_not_said():
    # One of ten tasks is 300 orders of magnitude below the others, and one value 470 below all:
    # the upper end would be beyond all floats.
    levels = [1e149] * 9 + [1e-150]
    tasks = [trials(f"t{n}", each * (1 + PLACES), LOSS) for n, each in enumerate(levels)]
    tasks[0][20] = replace(tasks[0][20], values=(5e-324,))
    found = forecast_of(prior_of(*tasks, objective=LOSS), 0.2, LOSS)
    assert found["tasks"] == 10 and not found["value"]


def test_tasks_of_different_scales_say_the_rank_alone():
    tasks = [trials(f"t{n}", 1000.0**n * (1.0 + PLACES), LOSS) for n in range(4)]
    best, worst = (
        forecast_of(prior_of(*tasks, objective=LOSS), place, LOSS) for place in (0.0, 1.0)
    )
    assert best["value"] == worst["value"] == {}
    # The best of 21 is at 1/42; models are smooth, so within two ranks of it.
    assert best["rank"]["loss"][0] < 0.1
    assert worst["rank"]["loss"][0] > 0.9


def test_losses_of_one_scale_are_compared_by_factors():
    tasks = [trials(f"t{n}", 1.5**n * np.exp(5 * PLACES), LOSS) for n in range(3)]
    mean, low, high = forecast_of(prior_of(*tasks, objective=LOSS), 0.5, LOSS)["value"]["loss"]
    assert mean == pytest.approx(1.5 * math.exp(2.5), rel=0.1)  # of 1, 1.5 and 2.25 times
    assert mean / low == pytest.approx(high / mean, rel=1e-3)


def test_values_that_count_by_rank_say_no_value():
    tasks = [
        [replace(each, is_by_rank=True) for each in trials(f"t{n}", 0.9 - PLACES / 9, ACCURACY)]
        for n in range(3)
    ]
    found = forecast_of(prior_of(*tasks, objective=ACCURACY), 0.0, ACCURACY)
    assert found["value"] == {}
    assert found["rank"]["accuracy.clean"][0] < 0.1


def test_a_single_task_says_no_value():
    found = forecast_of(
        prior_of(trials("t", 0.9 - PLACES / 9, ACCURACY), objective=ACCURACY), 0.0, ACCURACY
    )
    assert found["value"] == {}
    assert "rank" in found


def test_a_metric_without_a_name_has_no_unit():
    nameless = Objective("", "minimize")
    tasks = [trials(f"t{n}", 1.0 + PLACES, nameless) for n in range(3)]
    assert forecast_of(prior_of(*tasks, objective=nameless), 0.0, nameless)["value"] == {}


def test_the_cost_of_a_new_task_is_the_mean_of_past_ones_with_their_spread():
    levels = (1.0, 1.2, 1.4)
    tasks = [trials(f"t{n}", 1.0 + PLACES, LOSS, math.exp(level)) for n, level in enumerate(levels)]
    found = forecast_of(prior_of(*tasks, objective=LOSS), 0.5, LOSS)
    # e^(1.2 + 0.5) in the middle; t(2) = 4.303 times 0.2 times sqrt(4/3) is 0.994.
    assert found["cost"] == pytest.approx(math.exp(1.7), rel=0.02)
    assert math.log(found["factor"]) == pytest.approx(0.994, rel=0.02)
    assert found["unit"] == "seconds"


def test_a_cost_that_may_be_anything_is_not_forecast():
    two = [trials(f"t{n}", 1.0 + PLACES, LOSS, 10.0**n) for n in range(2)]
    assert "cost" not in forecast_of(prior_of(*two, objective=LOSS), 0.5, LOSS)


def test_the_cost_of_a_task_searched_before_is_its_own():
    own = trials("own", 1.0 + PLACES, LOSS, 100.0)[:5]
    others = [trials(f"t{n}", 1.0 + PLACES, LOSS, 1.0) for n in range(2)]
    found = forecast_of(prior_of(*others, objective=LOSS, same=own), 0.5, LOSS, "confirm")
    # Five trials tell the slope up to the ridge.
    assert found["cost"] == pytest.approx(100.0 * math.exp(0.5), rel=0.05)
    assert set(found) == {"cost", "unit", "factor"}  # its record says the values


def test_what_is_given_is_forecast_by_a_model_of_this_task():
    own = trials("own", 0.9 - 0.1 * PLACES, ACCURACY)
    prior = prior_of(objective=ACCURACY, same=own)
    mean, low, high = forecast_of(prior, 0.5, ACCURACY, "first")["value"]["accuracy.clean"]
    assert mean == pytest.approx(0.85, abs=0.01)
    assert low <= mean <= high


def test_a_proposal_of_a_model_keeps_its_own_forecast_and_a_random_one_has_none():
    tasks = [trials(f"t{n}", 1.0 + PLACES, LOSS, 1.0) for n in range(3)]
    forecasts = FirstForecasts(LINE, [LOSS], prior_of(*tasks, objective=LOSS))
    made = Proposal({"x": 0.5}, origin("history-model") | {"forecast": {"cost": 1.0}})
    drawn = Proposal({"x": 0.5}, origin("random"))
    assert forecasts.added_to(made) is made
    assert forecasts.added_to(drawn) is drawn


def test_without_history_nothing_is_forecast():
    proposal = Proposal({"x": 0.5}, origin("opening"))
    assert FirstForecasts(LINE, [LOSS], PriorData()).added_to(proposal) is proposal
    given = Proposal({"x": 0.5}, origin("first"))
    assert FirstForecasts(LINE, [LOSS], PriorData()).added_to(given) is given


def test_fewer_than_two_tasks_tell_no_usual_level():
    one = costs_of(trials("t", PLACES, LOSS, 1.0), LINE)
    model = cost_model(one, costs_of([], LINE))
    assert model is not None
    assert model.usual is None

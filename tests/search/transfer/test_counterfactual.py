"""Simulated cold searches: the same each time, cut honestly, and said to be a simulation."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.distributions import FloatDistribution

from search.apply import WarmStartSampler
from search.history import History
from search.objectives import Objective
from search.space import SearchSpace
from search.transfer.costs import Cost
from search.transfer.counterfactual import Counterfactual, counterfactual_sentence, simulate
from search.transfer.progress import trials_of
from search.transfer.surrogate import DrawnFunction, fit_surrogate
from tests.search.extract.synthetic import CLEAN, history, row, search

optuna.logging.set_verbosity(optuna.logging.WARNING)
SPACE = SearchSpace.from_distributions(
    {name: FloatDistribution(0, 1) for name in ("x", "y", "z", "u", "v")}
)


def bowl(configuration: dict[str, float]) -> float:
    return 1.0 - sum((value - 0.3) ** 2 for value in configuration.values())


def searched(configurations: list[dict[str, float]], **changes: Any) -> History:
    goal: dict[str, Any] = {"objectives": (Objective(CLEAN, "maximize"),)}
    rows = [
        row(number, [bowl(each)], configuration=each, **changes)
        for number, each in enumerate(configurations)
    ]
    return history(rows, [search(space=SPACE, warm=True, **goal)])


def at_random(count: int, seed: int) -> list[dict[str, float]]:
    generator = np.random.default_rng(seed)
    return [
        dict(zip(SPACE.distributions, generator.random(5).tolist(), strict=True))
        for _ in range(count)
    ]


def simulated(known: History, **options: Any) -> Counterfactual | None:
    this = known.searches["cold"]
    # All the time it wants: a busy machine would cut it.
    settings = {"seeds": 6, "seconds": math.inf} | options
    return simulate(trials_of(known, "cold"), this, Cost(1, "GPU"), **settings)


GOOD_FIRST = [dict.fromkeys(SPACE.distributions, 0.3), *at_random(13, 1)]


def test_a_search_that_began_where_it_is_best_has_saved_trials() -> None:
    found = simulated(searched(GOOD_FIRST))
    assert found is not None and found.trials_saved > 0 and found.fitted == found.trials == 14
    assert found.wide[0] <= found.middle[0] <= found.trials_saved <= found.middle[1]
    # Ten seconds a trial, one GPU.
    assert found.hours_saved == pytest.approx(found.trials_saved * 10 / 3600)


def test_a_search_that_was_best_at_its_end_has_saved_less_than_one_at_its_beginning() -> None:
    first, last = simulated(searched(GOOD_FIRST)), simulated(searched(GOOD_FIRST[::-1]))
    assert first is not None and last is not None
    assert last.trials_saved < first.trials_saved


def test_cold_searches_save_nothing_against_simulated_cold_searches() -> None:
    saved, holding = [], 0
    for seed in range(6):
        study = optuna.create_study(
            sampler=WarmStartSampler(None, SPACE, 100 + seed, objectives=[CLEAN]),
            direction="maximize",
        )
        study.optimize(lambda trial: bowl(SPACE.suggest(trial)), n_trials=12)
        found = simulated(searched([trial.params for trial in study.trials]))
        if found is not None:
            saved.append(found.trials_saved)
            holding += found.wide[0] <= 0 <= found.wide[1]
    # If chance alone decides, one of six medians at least is 0 or less with probability 0.98; a
    # range over six simulations holds zero with 5/7: none of six does with probability 0.0005.
    assert len(saved) >= 4 and min(saved) <= 0 and holding >= 1


def test_the_same_search_is_simulated_the_same() -> None:
    known = searched(GOOD_FIRST)
    assert simulated(known, seeds=2) == simulated(known, seeds=2)


def test_time_cuts_all_simulations_after_the_same_trial_and_says_so() -> None:
    ticks: Iterator[float] = iter(range(1000))
    # The deadline is set at 0; then the clock is asked once before each trial of all.
    found = simulated(searched(GOOD_FIRST), seconds=5.0, clock=lambda: next(ticks))
    assert found is not None and found.is_cut and found.trials == 4
    assert "Time allowed for the first 4 trials only." in counterfactual_sentence(found, None)


def test_trials_that_were_stopped_are_trials_that_reached_nothing() -> None:
    stopped = [
        row(number, [], state="stopped", objectives=[CLEAN], configuration=each)
        for number, each in enumerate(at_random(3, 5))
    ]
    complete = [
        row(number + 3, [bowl(each)], configuration=each) for number, each in enumerate(GOOD_FIRST)
    ]
    goal: dict[str, Any] = {"objectives": (Objective(CLEAN, "maximize"),)}
    known = history([*stopped, *complete], [search(space=SPACE, **goal)])
    found, without = simulated(known), simulated(searched(GOOD_FIRST))
    assert found is not None and without is not None
    assert (found.fitted, found.trials) == (14, 17)
    assert found.trials_saved < without.trials_saved


def test_too_little_to_model_is_not_simulated() -> None:
    assert simulated(searched(at_random(7, 1))) is None
    assert simulated(searched(GOOD_FIRST, state="failed")) is None
    constant = [
        row(number, [0.5], configuration=each) for number, each in enumerate(at_random(12, 1))
    ]
    goal: dict[str, Any] = {"objectives": (Objective(CLEAN, "maximize"),)}
    assert simulated(history(constant, [search(space=SPACE, **goal)])) is None
    unknown = history(constant, [search(space=None, **goal)])
    assert simulated(unknown) is None


def test_a_simulation_is_never_called_a_measurement() -> None:
    found = Counterfactual(
        simulations=20, fitted=16, tau=0.5, trials=16, is_cut=False, higher=0.7, trials_saved=5.0,
        middle=(1.0, 9.0), wide=(-2.0, 11.0), hours_saved=2.0,
    )  # fmt: skip
    assert counterfactual_sentence(found, Cost(1, "GPU")) == (
        "A simulation, not a measurement: on a surrogate of this search's 16 complete trials, "
        "which tells 75% of their pairs in order, over 16 trials history would have saved 5 trials "
        "and 2.0 GPU-hours, at the median of 20 cold searches (80 % +1 to +9, 95 % -2 to +11, by "
        "the cold sampler's luck and the surrogate's doubt). The range holds zero, so this shows "
        "neither gain nor loss. A surrogate is smoother than training and knows only what this "
        "search tried, so trust it less than one cold search."
    )


def test_a_drawn_function_has_one_value_at_a_point_and_agrees_with_the_trials() -> None:
    configurations = at_random(30, 2)
    losses = np.array([[-bowl(each)] for each in configurations])
    surrogate = fit_surrogate(SPACE, configurations, losses)
    function = DrawnFunction(surrogate, np.random.default_rng(0))
    drawn = np.array([function.at(each) for each in configurations])
    again = np.array([function.at(each) for each in configurations])
    np.testing.assert_allclose(drawn, again, atol=1e-3)
    # Five standard deviations of the noise: one false alarm in a million values.
    assert np.abs(drawn - losses).max() <= 5 * surrogate.noise[0] + 1e-3


def test_draws_away_from_all_trials_spread_and_at_the_trials_do_not() -> None:
    near = [{name: 0.01 * index for name in SPACE.distributions} for index in range(12)]
    losses = np.array([[-bowl(each)] for each in near])
    surrogate = fit_surrogate(SPACE, near, losses)
    far = dict.fromkeys(SPACE.distributions, 1.0)
    values = np.array(
        [
            [
                DrawnFunction(surrogate, np.random.default_rng(seed)).at(each)[0]
                for seed in range(40)
            ]
            for each in (near[5], far)
        ]
    )
    assert values[1].std() > 10 * values[0].std()


def test_what_is_left_out_is_predicted_as_without_it() -> None:
    configurations = at_random(10, 3)
    losses = np.array([[-bowl(each)] for each in configurations])
    (process,) = fit_surrogate(SPACE, configurations, losses).processes
    others = process.points[1:]
    covariance = process.kernel(others) + process.noise * np.eye(len(others))
    weights = np.linalg.solve(covariance, process.values[1:])
    by_hand = float(process.kernel(process.points[:1], others)[0] @ weights)
    expected = process.center + process.scale * by_hand
    assert process.left_out()[0] == pytest.approx(expected, abs=1e-6)

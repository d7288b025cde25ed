"""Portfolio: which of the earlier configurations come first."""

from __future__ import annotations

import numpy as np
from optuna.distributions import FloatDistribution

from search.apply.portfolio import Portfolio, choose
from search.apply.source import Situation, Tried
from search.review import Evidence
from search.space import SearchSpace

SPACE = SearchSpace({"x": FloatDistribution(0.0, 1.0)})


def task(name, best, n=21, scale=1.0):
    """A task whose loss is the distance from its best x, on a grid."""
    return [
        Evidence(name, f"{name}/{x:.2f}", "complete", {"x": x}, (scale * abs(x - best),), True)
        for x in np.linspace(0, 1, n).tolist()
    ]


def test_the_first_serves_most_tasks_and_the_second_the_one_left_over():
    evidence = [*task("a", 0.2), *task("b", 0.2), *task("c", 0.9)]
    chosen = choose(evidence, SPACE, ["minimize"], 2, 0)
    # Worked by hand: 0.2 is best on two tasks of three; then only c has something to gain.
    assert [choice.configuration for choice in chosen] == [{"x": 0.2}, {"x": 0.9}]
    assert chosen[1].gains["a"] == chosen[1].gains["b"] == 0.0
    assert chosen[1].gains["c"] > 0


def test_the_scale_of_a_tasks_values_does_not_matter():
    small = [*task("a", 0.2), *task("b", 0.8)]
    large = [*task("a", 0.2, scale=1000.0), *task("b", 0.8)]
    chosen = [
        [choice.configuration for choice in choose(rows, SPACE, ["minimize"], 4, 0)]
        for rows in (small, large)
    ]
    assert chosen[0] == chosen[1]


def test_a_maximised_objective_chooses_the_largest():
    evidence = [Evidence("a", str(x), "complete", {"x": x}, (x,), True) for x in (0.1, 0.9, 0.5)]
    assert choose(evidence, SPACE, ["maximize"], 1, 0)[0].configuration == {"x": 0.9}


def test_two_objectives_get_both_ends_of_the_front():
    evidence = [
        Evidence("a", str(x), "complete", {"x": float(x)}, (x, 1 - x), True)
        for x in np.linspace(0, 1, 11)
    ]
    portfolio = choose(evidence, SPACE, ["minimize"] * 2, 5, 0)
    chosen = [choice.configuration["x"] for choice in portfolio]
    assert min(chosen) < 0.35 and max(chosen) > 0.65
    assert len(set(chosen)) == 5


def test_the_greedy_choice_is_that_of_plain_greedy():
    generator = np.random.default_rng(0)
    evidence = [
        Evidence(name, f"{name}{i}", "complete", {"x": float(x)}, tuple(values), True)
        for name in "abc"
        for i, (x, values) in enumerate(
            zip(generator.random(12), generator.random((12, 2)), strict=True)
        )
    ]
    longer = choose(evidence, SPACE, ["minimize"] * 2, 6, 0)
    totals = [sum(choice.gains.values()) for choice in longer]
    assert totals == sorted(totals, reverse=True)  # a greedy choice never gains more later
    assert [choice.run_id for choice in choose(evidence, SPACE, ["minimize"] * 2, 3, 0)] == [
        choice.run_id for choice in longer[:3]
    ]


def test_no_history_no_portfolio_and_no_more_than_there_is():
    assert choose([], SPACE, ["minimize"], 5, 0) == []
    assert choose(task("a", 0.5, n=1), SPACE, ["minimize"], 0, 0) == []
    assert len(choose(task("a", 0.5, n=3), SPACE, ["minimize"], 9, 0)) == 3


def test_a_missing_hyperparameter_is_filled_in():
    space = SearchSpace({"x": FloatDistribution(0, 1), "y": FloatDistribution(0, 1)})
    chosen = choose(task("a", 0.5), space, ["minimize"], 3, 0)
    assert all(space.contains(choice.configuration) for choice in chosen)


def test_what_was_tried_is_skipped():
    source = Portfolio(task("a", 0.5), SPACE, ["minimize"], 2, 0)
    tried = Tried()
    situation = Situation(0, SPACE, ("minimize",), (), tried, 0)
    first = source.propose(situation)
    tried.add(SPACE, first.configuration)
    second = source.propose(situation)
    assert second.configuration != first.configuration
    tried.add(SPACE, second.configuration)
    assert source.propose(situation) is None

"""The goal of a forecast is what the median earlier search of the task ended with."""

from __future__ import annotations

import pytest

from search.objectives.objective import Role, from_lists
from search.transfer.cost_forecast import Goal
from search.transfer.cost_goal import goal_of, median_search
from tests.support.priced_searches import ONE, costs_before, new_search, priced, together
from tests.support.synthetic_history import BOTH, CLEAN, ROBUST, history, row, search


def test_it_is_the_median_final_level_and_of_two_the_lower_one() -> None:
    parts = [priced(f"s{day}", [best], 1.0, day=day) for day, best in enumerate((0.9, 0.5, 0.7))]
    known = together(*parts)
    found = goal_of(costs_before(known, new_search()).searches, ONE)
    assert found == Goal("s2", {CLEAN: 0.7}, pytest.approx(0.8), (pytest.approx(0.1),))
    two = together(*parts[:2])
    lower = goal_of(costs_before(two, new_search()).searches, ONE)
    assert lower is not None and lower.search == "s1"


def test_without_a_search_whose_trials_count_there_is_none() -> None:
    assert goal_of([], ONE) is None and median_search([]) is None
    bounded = from_lists(
        (CLEAN, ROBUST), ("maximize", "maximize"), (Role(), Role("constraint", bound=0.9))
    )
    known = history([row(0, [0.5, 0.5])], [search(objectives=bounded)])
    this = new_search(objectives=bounded)
    assert goal_of(costs_before(known, this).searches, bounded) is None


def test_of_several_objectives_it_has_the_best_value_of_each_that_counts() -> None:
    known = history(
        [row(0, [0.5, 0.6]), row(1, [0.7, 0.4], configuration={"width": 9})], [search()]
    )
    found = goal_of(costs_before(known, new_search(objectives=BOTH)).searches, BOTH)
    assert found is not None and found.values == {CLEAN: 0.7, ROBUST: 0.6}
    assert found.level == pytest.approx(0.6 * 0.7 + 0.2 * 0.5)  # from (-0.1, -0.1)
    assert found.in_words() == f"a front like cold's (best {CLEAN} 0.7000 and {ROBUST} 0.6000)"


def test_it_is_in_the_objectives_of_the_new_search_not_in_those_of_the_earlier_one() -> None:
    known = history([row(0, [0.5, 0.6])], [search()])  # both are objectives
    reported = from_lists((CLEAN, ROBUST), ("maximize", "maximize"), (Role(), Role("report")))
    turned = (BOTH[1], BOTH[0])
    for objectives, values in ((reported, {CLEAN: 0.5}), (turned, {CLEAN: 0.5, ROBUST: 0.6})):
        found = goal_of(costs_before(known, new_search(objectives=objectives)).searches, objectives)
        assert found is not None and found.values == values


def test_the_noise_of_a_training_is_taken_off_where_it_is_known() -> None:
    # Deviations of .02 around .6 with three degrees of freedom: t is 3.1824.
    values = [0.58, 0.62, 0.58, 0.62]
    deviation = (4 * 0.02**2 / 3) ** 0.5
    known = priced("a", values, 1.0, repeats={"width": 16})
    (found,) = costs_before(known, new_search()).searches
    goal = goal_of([found], ONE)
    assert goal is not None
    assert goal.values[CLEAN] == pytest.approx(0.62 - 3.1824 * 2**0.5 * deviation, abs=1e-5)
    assert goal.level == pytest.approx(goal.values[CLEAN] + 0.1)
    # Three repeats are needed.
    (fewer,) = costs_before(
        priced("a", values[:3], 1.0, repeats={"width": 16}), new_search()
    ).searches
    assert fewer.repeatable_level == pytest.approx(0.72)


def test_noise_that_drowns_every_value_leaves_no_goal() -> None:
    known = priced("a", [0.05, 0.95, 0.05, 0.95], 1.0, repeats={"width": 16})
    assert goal_of(costs_before(known, new_search()).searches, ONE) is None

"""The cost of a search, estimated as the earlier ones would have been."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from search.history import History
from search.objectives.objective import Role, from_lists
from search.transfer.cost_estimate import (
    LEAST_DEVIATION_OF_TRIALS,
    NEW_TASK,
    NO_SEARCH,
    NO_VALUE,
    VAGUE,
)
from search.transfer.cost_forecast import ColdCost
from search.transfer.cost_interval import FEWEST, LEAST_DEVIATION
from search.transfer.first_trial import FirstTrial
from tests.support.priced_searches import forecast, new_search, priced, together, with_failed
from tests.support.synthetic_history import CLEAN, ROBUST, history, row, search

HOUR = 3600.0
# A first trial of 100 s, known exactly.
FIRST = FirstTrial(100.0, 0.0)


def doubling() -> History:
    """A cold search, then three whose trials cost twice as much as the mean one before them.

    Each starts with the best known value and improves on it at its second trial.
    """
    return together(
        priced("cold", [0.3, 0.4, 0.5], 10.0),
        priced("w1", [0.5, 0.6], 20.0, day=1),  # 10 before
        priced("w2", [0.6, 0.7], 28.0, day=2),  # (30 + 40) / 5 = 14 before
        priced("w3", [0.7, 0.8], 36.0, day=3),  # (70 + 56) / 7 = 18 before
    )


def test_a_trial_is_expected_to_change_in_cost_as_it_did_for_the_searches_before() -> None:
    found = forecast(doubling())
    assert found.per_trial is not None and found.basis == "searches"
    # (126 + 72) / 9 = 22 s before, and twice as much here.
    assert found.per_trial.value == pytest.approx(44 / HOUR)
    assert found.per_trial.count == 3


def test_the_cost_to_the_goal_is_that_of_the_first_trial_by_what_searches_needed_of_theirs() -> (
    None
):
    found = forecast(doubling(), first=FIRST)
    assert found.goal is not None and found.to_goal is not None
    # The final levels are .6, .7, .8, .9; of the two in the middle the lower one is that of w1.
    assert (found.goal.search, found.goal.values) == ("w1", {"accuracy.clean": 0.6})
    # Each of the three had its goal (cold's .5, then cold's, then w1's) at its first trial.
    assert found.to_goal.value == pytest.approx(100 / HOUR)
    assert found.to_goal.low == pytest.approx(100 / HOUR)  # it takes a trial at least
    # Three that agree have a deviation of .35: by 4.3027 of Student's t and the root of 4/3.
    factor = math.exp(4.3027 * LEAST_DEVIATION_OF_TRIALS * math.sqrt(4 / 3))
    assert found.to_goal.high == pytest.approx(100 * factor / HOUR, rel=1e-3)
    assert (found.to_goal.count, found.to_goal.missed) == (3, 0)


def test_a_first_trial_that_was_cut_short_is_no_unit() -> None:
    known = together(
        priced("cold", [0.5], 10.0),
        *(
            priced(f"w{day}", [None, 0.6], [1.0, 20.0], day=day)  # stopped after a second
            for day in (1, 2, 3)
        ),
    )
    found = forecast(known, first=FIRST).to_goal
    # Each took 21 s, of which its first whole training was 20.
    assert found is not None and found.value == pytest.approx(105 / HOUR)


def test_the_cold_searches_cost_to_the_same_goal_is_said() -> None:
    cold = priced("cold", [0.3, 0.5], [10.0, 30.0])
    assert forecast(cold).cold == ColdCost(40 / HOUR, 1, 1)
    lower = priced("lower", [0.2, 0.4, 0.4], [10.0, 30.0, 50.0], warm=False, day=1)
    # The goal is the lower one's final level: the first reaches it at its second trial, too.
    assert forecast(together(cold, lower)).cold == ColdCost(40 / HOUR, 2, 2)
    third = priced("third", [0.9], [5.0], warm=False, day=2)
    # Now the goal is the first one's: 40 s, never, and 5 s.
    assert forecast(together(cold, lower, third)).cold == ColdCost(40 / HOUR, 3, 2)


def test_with_a_single_search_a_mean_trial_is_one_of_its_trials() -> None:
    found = forecast(priced("cold", [0.1, 0.2, 0.3, 0.4], [10.0, 20.0, 40.0, 80.0]), first=FIRST)
    assert found.per_trial is not None and found.basis == "trials"
    assert found.per_trial.value == pytest.approx(37.5 / HOUR)
    assert found.per_trial.low < 10 / HOUR and (found.per_trial.high or 0.0) > 80 / HOUR
    assert found.per_trial.count == 4
    assert found.to_goal is None
    assert found.unknown_to_goal == (
        f"it takes {FEWEST} warm searches of a task searched before, and there is none"
    )


def test_failed_trials_are_paid_for_and_are_no_example_of_what_a_trial_costs() -> None:
    known = with_failed(priced("cold", [0.5] * 10, [3.0] * 3 + [3600.0] * 7), 0, 1, 2)
    found = forecast(known).per_trial
    assert found is not None and found.count == 7
    assert found.value == pytest.approx((3 * 3.0 + 7 * 3600.0) / 10 / HOUR)
    # Seven alike: by 2.4469 of Student's t, the least deviation and the root of 8/7; the lower end
    # with as many failures as there were, the upper one without any.
    factor = math.exp(2.4469 * LEAST_DEVIATION * math.sqrt(8 / 7))
    assert found.low == pytest.approx(found.value / factor, rel=1e-4)
    assert found.high == pytest.approx(factor, rel=1e-4)
    sudden = with_failed(priced("cold", [0.5] * 10, [9000.0] * 3 + [3600.0] * 7), 0, 1, 2)
    assert forecast(sudden).per_trial == replace(
        found, value=pytest.approx(1.45), low=pytest.approx(1 / factor, rel=1e-4),
        high=pytest.approx(1.45),
    )  # fmt: skip


def test_a_task_on_which_no_trial_counts_has_no_goal() -> None:
    roles = from_lists(
        (CLEAN, ROBUST), ("maximize", "maximize"), (Role(), Role("constraint", bound=0.9))
    )
    known = together(
        priced("a", [0.5], 1.0), history([row(0, [0.5, 0.5])], [search(objectives=roles)])
    )
    assert forecast(known, new_search(objectives=roles)).unknown_to_goal == NO_SEARCH
    noisy = priced("a", [0.05, 0.95, 0.05, 0.95], 1.0, repeats={"width": 16})
    assert forecast(noisy).unknown_to_goal == NO_VALUE


def test_without_history_everything_is_unknown() -> None:
    found = forecast(History.empty())
    assert (found.per_trial, found.to_goal, found.goal, found.cold) == (None, None, None, None)
    assert found.lines() == [f"cost: unknown, because {NO_SEARCH}"]


def test_a_new_task_has_no_goal_and_its_trials_cost_as_on_similar_tasks_by_size() -> None:
    def of_task(name: str, examples: int, epochs: int, seconds: float) -> History:
        return priced(
            name, [0.5, 0.6], seconds, task=f"{name}@1", epochs=epochs,
            fingerprint={"data": {"name": name, "train": examples}},
        )  # fmt: skip

    known = together(
        of_task("a", 100, 1, 1.0), of_task("b", 1000, 1, 10.0), of_task("c", 100, 10, 10.0)
    )
    this = new_search("new@1", epochs=10, fingerprint={"data": {"name": "new", "train": 1000}})
    found = forecast(known, this, FIRST)
    assert found.per_trial is not None and (found.basis, found.per_trial.count) == ("tasks", 3)
    # A hundredth of a second an example and epoch.
    assert found.per_trial.value == pytest.approx(100 / HOUR)
    assert (found.goal, found.cold, found.unknown_to_goal) == (None, None, NEW_TASK)
    # Where the examples of one are not known, only epochs count.
    alike = together(
        *(of_task(name, size, 1, 10.0) for name, size in (("a", 9), ("b", 99), ("c", 1)))
    )
    unsized = forecast(alike, replace(this, fingerprint={})).per_trial
    assert unsized is not None and unsized.value == pytest.approx(100 / HOUR)
    two = forecast(known.only(["a", "b"]), this)
    assert two.unknown == f"{NEW_TASK}; it takes 3 similar tasks, and there are 2"


def test_the_cost_of_a_search_without_history_is_that_of_cold_searches() -> None:
    parts = [
        priced(f"c{day}", [0.1, 0.5], [10.0, 10.0 * day], day=day, warm=False)
        for day in range(1, 4)
    ]
    found = forecast(together(*parts), new_search(warm=False))
    assert found.to_goal is not None
    assert found.to_goal.value == pytest.approx(30 / HOUR)  # of 20, 30 and 40
    two = forecast(together(*parts[:2]), new_search(warm=False))
    assert two.unknown_to_goal == "it takes 3 cold searches of this task, and there are 2"


def test_a_search_that_never_reached_its_goal_leaves_no_upper_end() -> None:
    missed = priced("w4", [0.1, 0.2], 36.0, day=4)
    found = forecast(together(doubling(), missed), first=FIRST)
    assert found.to_goal is not None and found.to_goal.high is None
    assert (found.to_goal.count, found.to_goal.missed) == (4, 1)


def test_there_is_no_upper_end_beyond_the_cost_of_all_trials() -> None:
    few = forecast(doubling(), new_search(trials_budget=1), first=FirstTrial(600.0, 0.0))
    assert few.to_goal is not None and few.to_goal.high is None
    many = forecast(doubling(), new_search(trials_budget=1000), first=FIRST)
    assert many.to_goal is not None and many.to_goal.high is not None


def test_what_may_be_off_by_a_factor_of_more_than_100_is_unknown() -> None:
    known = together(
        priced("cold", [0.5, 0.5], 1.0), priced("w1", [0.5, 0.5], 1000.0, day=1),
        priced("w2", [0.5, 0.5], 0.001, day=2), priced("w3", [0.5, 0.5], 1000.0, day=3),
    )  # fmt: skip
    found = forecast(known, first=FirstTrial(1.0, 3.0))
    assert found.per_trial is None and found.unknown == VAGUE
    assert found.to_goal is None and found.unknown_to_goal == VAGUE


def test_if_the_cost_of_the_first_trial_is_unknown_so_is_that_to_the_goal() -> None:
    found = forecast(doubling(), first=None)
    assert found.unknown_to_goal == "the cost of the first trial cannot be predicted"


@pytest.mark.parametrize("seed", range(5))
def test_however_history_grows_there_is_a_forecast_that_contains_its_points(seed: int) -> None:
    generator = np.random.default_rng(seed)
    parts: list[History] = []
    for day in range(8):
        count = int(generator.integers(1, 5))
        values = [None if u < 0.2 else float(u) for u in generator.random(count)]
        parts.append(priced(
            f"s{day}", values, np.exp(generator.normal(0, 1, count)).tolist(), day=day,
            task=f"t{generator.integers(0, 2)}@1", warm=bool(generator.integers(0, 2)),
        ))  # fmt: skip
        for warm in (True, False):
            this = new_search("t0@1", warm=warm)
            found = forecast(together(*parts), this, FirstTrial(1.0, 0.3))
            assert (found.per_trial is None) == bool(found.unknown)
            assert (found.to_goal is None) == bool(found.unknown_to_goal)
            for each in (found.per_trial, found.to_goal):
                assert each is None or each.contains(each.value)
            assert all(found.lines())

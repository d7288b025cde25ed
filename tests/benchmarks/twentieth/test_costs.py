"""What a search costs, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks.transfer.recorded_tasks import Task
from benchmarks.twentieth.costs import (
    COLD_TPE,
    OWN_COLD,
    Recorded,
    cost_of,
    mean_of,
    trained_costs,
    whole_work,
)

# Row r of the table has accuracy r / 10, so its regret is (4 - r) / 2, and costs 10 ** r seconds.
TABLE = Task("a", np.arange(5) / 10, 10.0 ** np.arange(5))


def searched(*rows: list[int], own_cold: list[list[int]] | None = None) -> Recorded:
    """Return a sequence of searches of one task; its goal is the regret of row 3.

    Cold TPE has rows 2 and 4 in the end, so the mean of the regrets 1 and 0. It costs 4 trials and
    (1 + 10 + 100) * 4 / 3 = 148 seconds, and 2 trials and 1 + 10,000 seconds.
    """
    cold = {COLD_TPE: {"a": [[0, 1, 2], [0, 4, 0]]}, OWN_COLD: {"a": own_cold or []}}
    return Recorded({"a": TABLE}, [0], [["a"] * len(rows)], np.array([rows]), cold)


def test_the_cost_is_all_trials_up_to_the_first_that_reaches_the_goal() -> None:
    assert cost_of([False, True, False], [5.0, 3.0, 2.0]) == (2.0, 8.0, 0.0)
    assert cost_of([True, True], [5.0, 3.0]) == (1.0, 5.0, 0.0)


def test_a_search_that_misses_its_goal_costs_one_mean_trial_in_addition() -> None:
    assert cost_of([False, False], [5.0, 3.0]) == (3.0, 12.0, 1.0)


def test_costs_are_relative_to_cold_searches_of_the_task_by_the_same_rule() -> None:
    found = searched([0, 3, 0], [1, 2, 0])
    assert found.goal("a") == pytest.approx(0.5)
    trials, seconds = 3.0, (148 + 10_001) / 2
    assert found.usual(COLD_TPE)["a"] == pytest.approx([trials, seconds, 0.5])
    assert found.costs()[0] == pytest.approx(
        np.array([[2 / trials, 1001 / seconds, 0], [4 / trials, 148 / seconds, 1]])
    )


def test_our_own_cold_search_is_another_denominator() -> None:
    found = searched([0, 3, 0], own_cold=[[3, 0, 0]])
    assert found.costs(OWN_COLD)[0] == pytest.approx(np.array([[2, 1.001, 0]]))
    assert searched([0, 3, 0]).usual(OWN_COLD) == {}


def test_a_known_best_that_reaches_the_goal_is_all_that_a_repeated_search_costs() -> None:
    # Both rows 3 and 4 reach it; row 4 is the best known, though it costs more.
    found = searched([3, 4, 0], [0, 0, 0])
    unit = found.usual(COLD_TPE)["a"]
    first, again = found.costs(revalidates=True)[0]
    assert first == pytest.approx(found.costs()[0, 0])
    assert again == pytest.approx([1 / unit[0], 10_000 / unit[1], 0])
    assert found.costs()[0, 1] == pytest.approx([4 / unit[0], 4 / unit[1], 1])


def test_a_known_best_that_misses_the_goal_costs_one_trial_in_addition() -> None:
    found = searched([0, 2, 1], [1, 3, 0], [0, 0, 0])
    unit = found.usual(COLD_TPE)["a"]
    _, second, third = found.costs(revalidates=True)[0]
    # Row 2 was the best: 100 seconds, then rows 1 and 3.
    assert second == pytest.approx([3 / unit[0], (100 + 10 + 1000) / unit[1], 0])
    # All earlier searches count: the second one found row 3.
    assert third == pytest.approx([1 / unit[0], 1000 / unit[1], 0])


def test_a_miss_stays_a_miss_when_the_known_best_is_trained_again() -> None:
    found = searched([0, 2, 1], [0, 1, 0])
    unit = found.usual(COLD_TPE)["a"]
    assert found.costs(revalidates=True)[0, 1] == pytest.approx([5 / unit[0], 116 / unit[1], 1])


def test_the_known_best_alone_is_unknown_at_a_first_meeting() -> None:
    found = searched([0, 2, 1], [0, 1, 0])
    first, again = found.incumbents()[0]
    unit = found.usual(COLD_TPE)["a"]
    assert np.isnan(first).all()
    assert again == pytest.approx([1 / unit[0], 100 / unit[1], 1])
    assert found.recurs().tolist() == [[False, True]]


def test_a_mean_over_chosen_searches_weights_searches_and_not_sequences() -> None:
    values = np.array([[1.0, 3.0], [5.0, 9.0], [7.0, 7.0]])
    chosen = np.array([[True, True], [True, False], [False, False]])
    middle, low, high = mean_of(values, chosen)
    # The third sequence has none; of the others the mean is between 2 and 5.
    assert (middle, low, high) == pytest.approx((3.0, 2.0, 5.0))
    assert np.isnan(mean_of(values, np.zeros_like(chosen))).all()


def test_real_searches_are_compared_task_by_task_wherever_they_stand() -> None:
    done: list[dict[str, Any]] = [
        {
            "tasks": ["x", "y"],
            "volumes": {"warm": [[1, 2], [7, 9]], "cold": [[1, 2], [5, 8]]},
            "work": {"warm": [[4, 6], [1, 2]], "cold": [[4, 6], [3, 5]]},
        },
        {
            "tasks": ["y", "x"],
            "volumes": {"warm": [[6, 7], [3, 3]], "cold": [[6, 7], [2, 3]]},
            "work": {"warm": [[1, 1], [9, 1]], "cold": [[1, 1], [2, 5]]},
        },
    ]
    # Goals: x the median of 2 and 3, y that of 8 and 7. The first search of a repetition misses.
    costs = trained_costs(done)
    assert costs["warm"].tolist() == [[[3, 15, 1], [2, 3, 0]], [[3, 3, 1], [1, 9, 0]]]
    assert costs["cold"].tolist() == [[[3, 15, 1], [2, 8, 0]], [[3, 3, 1], [2, 7, 0]]]
    assert whole_work(done).tolist() == [[10, 8], [2, 7]]

"""Progress counts every trial that ended, against one reference point for all searches."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from search.objectives import Objective
from search.transfer.progress import (
    Progress,
    beyond_worst,
    cold_searches,
    counted_losses,
    find_search,
    progress_of,
    reference_point,
    trials_of,
)
from tests.support.synthetic_history import START, history, row, search


def test_the_reference_lies_a_tenth_of_the_range_beyond_the_worst() -> None:
    losses = np.array([[0.0, 5.0], [1.0, 5.0]])
    # By hand: 1 + 0.1 * 1; the second objective never changes and gets a margin of one.
    assert beyond_worst(losses).tolist() == pytest.approx([1.1, 6.0])


CLEAN, LOSS = Objective("accuracy.clean", "maximize"), Objective("loss", "minimize")


def test_the_reference_of_a_share_is_beyond_its_worst_possible_value() -> None:
    goal = (CLEAN, Objective("f1.macro", "maximize"))
    names = [each.metric for each in goal]
    known = history([row(0, [0.9, 0.8], objectives=names)], [search(objectives=goal)])
    assert reference_point(known, known.searches["cold"]) == pytest.approx([0.1, 0.1])
    # Percent are no shares, whatever the name: 90 is the worst, and never changes.
    percent = history([row(0, [90.0, 0.8], objectives=names)], [search(objectives=goal)])
    assert reference_point(percent, percent.searches["cold"]) == pytest.approx([-89.0, 0.1])


def test_a_later_search_does_not_move_the_reference_of_a_loss() -> None:
    goal = (CLEAN, LOSS)
    logged = {"objectives": ["accuracy.clean", "loss"], "directions": ["maximize", "minimize"]}
    first = [row(number, [0.5, 1.0 + number], **logged) for number in range(8)]  # losses 1 to 8
    later = [row(number, [0.5, 90.0], search="later", **logged) for number in range(9)]
    searches = [
        search(objectives=goal),
        search("later", objectives=goal, started=START + timedelta(hours=1)),
    ]
    known = history(first + later, searches)
    for each in known.searches.values():
        assert reference_point(known, each) == pytest.approx([0.1, 8.7])
    # With fewer complete trials in the first search all of them count.
    few = history(first[:2] + later[:2], searches)
    assert reference_point(few, few.searches["cold"]) == pytest.approx([0.1, 90 + 8.9])


def test_levels_never_fall_and_count_epochs_of_all_trials() -> None:
    rows = [
        row(0, [], state="failed", epoch=1),
        row(1, [0.5, 0.5]),
        row(2, [], state="stopped", epoch=2),
        row(3, [0.4, 0.4]),
        row(4, [0.7, 0.4]),
        row(5, [], state="running", epoch=1),
    ]
    known = history(rows, [search()])
    trials = trials_of(known, "cold")
    found = progress_of(trials, counted_losses([trials], search())[0], np.array([-0.3, -0.3]))
    assert found.epochs == (1, 6, 8, 13, 18)
    # By hand, from the point (0.3, 0.3): nothing, 0.2 * 0.2, the same twice, plus 0.2 * 0.1.
    assert found.levels == pytest.approx((0.0, 0.04, 0.04, 0.04, 0.06))


def test_a_level_is_reached_by_the_first_trial_that_has_it() -> None:
    found = Progress((5, 10, 15), (0.0, 0.3, 0.3))
    assert found.trials_to(0.3) == 2
    assert found.trials_to(0.4) is None
    assert found.trials_to(0.0) is None


def test_only_earlier_cold_searches_of_the_task_with_the_same_objectives_compare() -> None:
    later = START + timedelta(hours=1)
    names = ["cold", "warm", "other task", "one objective", "late", "empty"]
    rows = [row(0, [0.5, 0.5], search=name) for name in names[:-1]]
    searches = [
        search("cold"),
        search("warm", warm=True),
        search("other task", task="other"),
        search("one objective", objectives=(Objective("accuracy.clean", "maximize"),)),
        search("late", started=later + timedelta(hours=1)),
        search("empty"),
        search("this", started=later),
    ]
    assert [each.id for each in cold_searches(history(rows, searches), "this")] == ["cold"]


def test_an_unknown_search_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"no search 'x'.*it has: cold"):
        find_search(history([], [search()]), "x")

"""Which trials stop at a rung when objectives have roles, or after a collapse."""

from __future__ import annotations

import pytest

from search.objectives import Objective
from search.objectives.objective import PARETO, Role
from search.optimize.scheduler import MultiObjectiveASHA
from tests.support.schedulers import CLEAN, ROBUST, double, report, trial

AT_LEAST = (PARETO, Role("constraint", bound=0.3))
WITHIN = (PARETO, Role("lexicographic", tolerance=0.05))


def decisions(scheduler, *rows):
    return [report(scheduler, str(index), 1, *row) for index, row in enumerate(rows)]


def test_at_a_rung_a_feasible_trial_comes_before_an_infeasible_one():
    scheduler = double(roles=AT_LEAST)
    rows = [(0.9, 0.1), (0.5, 0.3), (0.95, 0.2), (0.4, 0.9)]
    # Of three one stays, and only (0.5, 0.3) is feasible; of four still one stays,
    # and (0.4, 0.9), on every front, is less clean.
    assert decisions(scheduler, *rows) == ["CONTINUE", "CONTINUE", "STOP", "STOP"]
    assert report(double(roles=()), "x", 1, 0.4, 0.9) == "CONTINUE"


def test_while_none_is_feasible_the_nearest_stays_and_then_the_best_of_the_front():
    scheduler = double(roles=AT_LEAST)
    assert decisions(scheduler, (0.9, 0.1), (0.9, 0.05), (0.2, 0.2)) == ["CONTINUE"] * 3
    assert report(scheduler, "x", 1, 0.99, 0.15) == "STOP"  # one of four stays
    assert report(scheduler, "y", 1, 0.5, 0.1) == "STOP"
    # Of six two stay: the nearest to the bound, and of the front what is farthest from it.
    assert report(scheduler, "z", 1, 0.995, 0.12) == "CONTINUE"


def test_a_minimised_bound_is_a_largest_value():
    seconds = Objective("seconds", "minimize", Role("constraint", bound=10.0))
    scheduler = MultiObjectiveASHA((Objective("loss", "minimize"), seconds), 1, 9)

    def said(name, loss, seconds):
        return scheduler.on_trial_result(
            None, trial(name), {"epoch": 1, "loss": loss, "seconds": seconds}
        )

    assert said("a", 0.5, 9.0) == said("b", 0.4, 10.0) == "CONTINUE"
    assert said("c", 0.1, 11.0) == "STOP"


def test_the_best_first_value_of_a_rung_says_who_is_within_the_tolerance():
    scheduler = double(roles=WITHIN)
    rows = [(0.80, 0.1), (0.78, 0.2), (0.70, 0.9), (0.79, 0.3)]
    assert decisions(scheduler, *rows) == ["CONTINUE", "CONTINUE", "STOP", "CONTINUE"]
    # A better one moves the tolerance: now it alone is within it.
    assert report(scheduler, "better", 1, 0.90, 0.0) == "CONTINUE"
    assert report(scheduler, "late", 1, 0.79, 0.9) == "STOP"


def test_a_refilled_rung_compares_by_roles_as_well():
    scheduler = double(roles=AT_LEAST)
    scheduler.refill([("a", {CLEAN: {1: 0.9}, ROBUST: {1: 0.1}}),
                      ("b", {CLEAN: {1: 0.5}, ROBUST: {1: 0.4}})])  # fmt: skip
    assert report(scheduler, "c", 1, 0.95, 0.2) == "STOP"


def test_a_bound_is_compared_with_the_expected_value_at_the_end():
    at_the_end = [("a", {CLEAN: {1: 0.4, 9: 0.8}, ROBUST: {1: 0.2, 9: 0.4}}),
                  ("b", {CLEAN: {1: 0.4, 9: 0.8}, ROBUST: {1: 0.25, 9: 0.45}})]  # fmt: skip
    scheduler = double(roles=AT_LEAST)
    scheduler.refill(at_the_end)
    # Both gained 0.2 from here. So 0.1 will do, and is cleaner; with 0.09 it would fall short.
    assert report(scheduler, "c", 1, 0.5, 0.1) == "CONTINUE"
    scheduler = double(roles=AT_LEAST)
    scheduler.refill(at_the_end)
    assert report(scheduler, "d", 1, 0.5, 0.09) == "STOP"


def test_a_resumed_search_knows_the_same_ends():
    going_on, resumed = double(roles=AT_LEAST), double(roles=AT_LEAST)
    assert report(going_on, "a", 1, 0.4, 0.2) == "CONTINUE"
    result = {"epoch": 9, CLEAN: 0.8, ROBUST: 0.4}
    going_on.on_trial_complete(None, trial("a"), result)
    going_on.on_trial_complete(None, trial("stopped"), result | {"epoch": 3})
    resumed.refill([("a", {CLEAN: {1: 0.4, 9: 0.8}, ROBUST: {1: 0.2, 9: 0.4}})])
    assert going_on._ends == resumed._ends == {"a": (-0.8, -0.4)}


def test_too_few_roles_are_refused():
    with pytest.raises(ValueError, match="2, 2 and 1"):
        double(roles=(PARETO,))


def test_a_trial_that_ends_collapsed_is_not_stopped():
    scheduler = double(collapsed="collapsed")
    assert report(scheduler, "a", 1, 0.9, 0.0, collapsed=1.0, done=True) == "CONTINUE"


def test_a_collapsed_trial_stands_at_its_rung_as_one_that_resume_refills():
    scheduler = double(collapsed="collapsed")
    assert report(scheduler, "a", 1, 0.9, 0.0, collapsed=1.0) == "STOP"
    assert scheduler.rungs[1] == {"a": (-0.9, 0.0)}

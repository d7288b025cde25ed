"""Roles: who is best and who comes first, worked by hand on small matrices, and as properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.objectives import pareto, roles
from search.objectives.objective import PARETO, Role, from_lists

NAN = float("nan")
UP = ("maximize", "maximize")
AT_LEAST = Role("constraint", bound=0.80)
WITHIN = Role("lexicographic", tolerance=0.01)
REPORT = Role("report")


def goals(directions, counted=()):
    """Objectives without a name of their own."""
    return from_lists([f"m{i}" for i in range(len(directions))], directions, counted)


def best(values, *second, directions=UP):
    return np.flatnonzero(roles.best(values, goals(directions, (PARETO, *second)))).tolist()


def ordered(values, *second, directions=UP):
    return pareto.order(roles.steering(values, goals(directions, (PARETO, *second)))).tolist()


def test_pareto_is_the_front_as_it_always_was():
    values = [[0.9, 0.1], [0.8, 0.2], [0.7, 0.1]]
    assert best(values, PARETO) == [0, 1]
    assert roles.best(values, goals(UP)).tolist() == [True, True, False]


def test_under_a_constraint_the_best_that_keeps_it_is_best():
    values = [[0.99, 0.79], [0.95, 0.80], [0.94, 0.95], [0.95, 0.70]]
    assert best(values, AT_LEAST) == [1]
    # 1 and 2 keep the bound, 0 misses it by 0.01 and 3 by 0.10, whatever their accuracy.
    assert ordered(values, AT_LEAST) == [1, 2, 0, 3]


def test_a_minimised_constraint_is_a_largest_value():
    values = [[0.99, 31.0], [0.95, 30.0], [0.90, 1.0]]
    bound, directions = Role("constraint", bound=30.0), ("maximize", "minimize")
    assert best(values, bound, directions=directions) == [1]
    assert ordered(values, bound, directions=directions) == [1, 2, 0]


def test_where_no_trial_keeps_the_bound_the_least_violating_is_best():
    values = [[0.99, 0.2], [0.90, 0.7], [0.91, 0.7], [0.5, 0.6]]
    assert best(values, AT_LEAST) == [2]  # as far off as 1, and better in the other
    assert ordered(values, AT_LEAST)[2:] == [3, 0]


def test_several_bounds_are_missed_by_the_sum():
    directions = ("maximize", "maximize", "minimize")
    values = [[0.9, 0.7, 3.0], [0.8, 0.6, 2.0], [0.7, 0.9, 2.5]]
    limit = Role("constraint", bound=2.0)  # missed by 0.1 + 1.0, 0.2 + 0 and 0 + 0.5
    assert best(values, AT_LEAST, limit, directions=directions) == [1]
    assert ordered(values, AT_LEAST, limit, directions=directions) == [1, 2, 0]


def test_a_lexicographic_objective_decides_among_those_within_the_tolerance():
    values = [[0.98, 0.1], [0.97, 0.5], [0.975, 0.4], [0.96, 0.9], [0.90, 1.0]]
    # 0.98 - 0.97 is the tolerance and rounding, so 1 counts.
    assert best(values, WITHIN) == [1]
    assert ordered(values, WITHIN) == [1, 2, 0, 3, 4]


def test_a_better_first_value_moves_the_tolerance():
    before = [[0.90, 0.9], [0.905, 0.1]]
    assert best(before, WITHIN) == [0]
    assert best([*before, [0.95, 0.0]], WITHIN) == [2]


def test_of_lexicographic_winners_that_are_equal_the_first_objective_decides():
    assert best([[0.975, 0.5], [0.98, 0.5], [0.98, 0.4]], WITHIN) == [1]
    assert best([[0.98, 0.5], [0.98, 0.5]], WITHIN) == [0, 1]
    assert best([[0.98, 0.5], [0.979, 0.6]], Role("lexicographic", tolerance=0.0)) == [0]


def test_a_reported_objective_is_not_looked_at():
    assert best([[0.9, 0.1], [0.8, 0.9]], REPORT) == [0]
    assert best([[0.9, NAN], [0.8, 0.9]], REPORT) == [0]
    assert ordered([[0.8, 0.9], [0.9, NAN]], REPORT) == [1, 0]


def test_a_constraint_and_a_report_go_together():
    directions = ("maximize", "maximize", "minimize")
    values = [[0.99, 0.1, 1.0], [0.90, 0.8, 900.0], [0.95, 0.9, NAN]]
    assert best(values, AT_LEAST, REPORT, directions=directions) == [2]


def test_a_constraint_decides_who_sets_the_tolerance():
    directions = ("maximize", "maximize", "maximize")
    values = [[0.99, 0.1, 0.9], [0.90, 0.8, 0.1], [0.895, 0.9, 0.2]]
    assert best(values, AT_LEAST, WITHIN, directions=directions) == [2]


def test_two_pareto_objectives_under_a_constraint_are_a_front():
    directions = ("maximize", "maximize", "maximize")
    values = [[0.9, 0.1, 0.8], [0.8, 0.2, 0.8], [0.99, 0.99, 0.1], [0.8, 0.1, 0.9]]
    assert best(values, PARETO, AT_LEAST, directions=directions) == [0, 1]


def test_what_lacks_a_steering_value_is_never_best_and_comes_last():
    values = [[0.9, NAN], [NAN, 0.9], [0.1, 0.9]]
    for role in (AT_LEAST, WITHIN):
        assert best(values, role) == [2]
        assert ordered(values, role)[0] == 2
        assert best([[0.9, NAN]], role) == []
        assert best([], role) == []


def test_a_small_violation_is_not_lost_beside_large_losses():
    values = [[1e15, 1.0], [1e15 - 2, 1.0 + 1e-12], [0.0, 1.0 + 2e-12]]
    bound, directions = Role("constraint", bound=1.0), ("minimize", "minimize")
    assert ordered(values, bound, directions=directions) == [0, 1, 2]


finite = st.floats(-1e6, 1e6)
number = st.one_of(finite, st.just(NAN))
direction = st.sampled_from(["minimize", "maximize"])


@st.composite
def trials(draw, columns=2, of=number):
    rows = draw(st.lists(st.tuples(*[of] * columns), max_size=8))
    return [list(row) for row in rows], tuple(draw(direction) for _ in range(columns))


@given(trials(columns=3))
def test_with_pareto_alone_the_order_is_that_of_the_losses(drawn):
    values, directions = drawn
    plain = pareto.losses(values, goals(directions))
    for given_roles in ((), (PARETO,) * 3):
        assert np.array_equal(
            roles.steering(values, goals(directions, given_roles)), plain, equal_nan=True
        )
        assert np.array_equal(
            roles.best(values, goals(directions, given_roles)), pareto.front(plain)
        )


@given(trials(), finite)
def test_whatever_keeps_a_bound_comes_before_whatever_does_not(drawn, bound):
    values, directions = drawn
    given_roles = (PARETO, Role("constraint", bound=bound))
    column = roles.steering(values, goals(directions, given_roles))[:, 0]
    kept = [
        value[1] >= bound if directions[1] == "maximize" else value[1] <= bound for value in values
    ]
    known = ~np.isnan(column)
    good = [loss for loss, keeps in zip(column, kept, strict=True) if keeps and loss == loss]
    bad = [loss for loss, keeps in zip(column, kept, strict=True) if not keeps and loss == loss]
    assert not good or not bad or max(good) < min(bad)
    assert known.tolist() == [bool(np.isfinite(value).all()) for value in values]


@pytest.mark.slow
@given(trials(of=finite), st.floats(0.0, 1e3))
def test_the_first_of_the_order_is_among_the_best(drawn, tolerance):
    values, directions = drawn
    for role in (Role("lexicographic", tolerance=tolerance), Role("constraint", bound=tolerance)):
        mask = roles.best(values, goals(directions, (PARETO, role)))
        column = roles.steering(values, goals(directions, (PARETO, role)))[:, 0]
        assert mask.any() == bool(len(values))
        assert (column[mask] == column.min(initial=np.inf)).all()


@pytest.mark.slow
@given(trials(columns=3), st.sampled_from([PARETO, AT_LEAST, WITHIN]))
def test_another_reported_objective_changes_nothing(drawn, second):
    values, directions = drawn
    without = [row[:2] for row in values]
    more = (PARETO, second, REPORT)
    fewer = (PARETO, second)
    assert np.array_equal(
        roles.best(values, goals(directions, more)),
        roles.best(without, goals(directions[:2], fewer)),
    )
    # Plain pareto leaves a row its known values; under roles a row is known or not.
    expected = roles.steering(without, goals(directions[:2], fewer))
    expected[np.isnan(expected).any(axis=1)] = NAN
    steered = roles.steering(values, goals(directions, more))
    assert np.array_equal(steered, expected, equal_nan=True)


@pytest.mark.slow
@given(trials(of=finite), st.randoms(use_true_random=False))
def test_the_order_of_the_trials_does_not_matter(drawn, random):
    values, directions = drawn
    places = list(range(len(values)))
    random.shuffle(places)
    for role in (AT_LEAST, WITHIN, REPORT):
        mask = roles.best(values, goals(directions, (PARETO, role)))
        shuffled = roles.best(
            [values[place] for place in places], goals(directions, (PARETO, role))
        )
        assert shuffled.tolist() == mask[places].tolist()

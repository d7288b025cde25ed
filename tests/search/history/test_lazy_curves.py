"""Curves restated as values are: under other names, turned around, and only when looked at."""

from __future__ import annotations

import pickle

from search.history.lazy_curves import LazyCurves, restated_curves

LOGGED = {"error": {1: 0.4, 2: 0.3}, "loss": {1: 2.0}}


def never() -> dict[str, dict[int, float]]:
    raise AssertionError("nobody looked at these curves")


def test_curves_that_need_no_change_stay_the_same_object() -> None:
    curves = LazyCurves(never)
    assert restated_curves(curves, {}, ()) is curves


def test_curves_are_restated_only_when_looked_at() -> None:
    restated_curves(LazyCurves(never), {"accuracy": "error"}, ["accuracy"])


def test_what_stands_for_an_objective_is_turned_under_the_objectives_name_alone() -> None:
    found = restated_curves(LOGGED, {"accuracy": "error"}, ["accuracy"])
    assert found == LOGGED | {"accuracy": {1: -0.4, 2: -0.3}}


def test_one_metric_may_stand_for_two_objectives() -> None:
    found = restated_curves(LOGGED, {"first": "error", "second": "error"}, ["second"])
    assert found["first"] == {1: 0.4, 2: 0.3} and found["second"] == {1: -0.4, 2: -0.3}


def test_a_curve_of_the_objectives_own_name_gives_way_to_that_of_its_counterpart() -> None:
    both = LOGGED | {"accuracy": {1: 9.0}}
    assert restated_curves(both, {"accuracy": "error"}, ())["accuracy"] == {1: 0.4, 2: 0.3}
    assert "accuracy" not in restated_curves(both, {"accuracy": "never logged"}, ())


def test_restated_curves_are_pickled_as_a_plain_dictionary() -> None:
    found = restated_curves(LOGGED, {}, ["error"])
    again = pickle.loads(pickle.dumps(found))
    assert type(again) is dict and again == found == LOGGED | {"error": {1: -0.4, 2: -0.3}}

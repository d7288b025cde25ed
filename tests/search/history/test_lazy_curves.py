"""Curves restated like values: under other names, inverted, and only on access."""

from __future__ import annotations

import pickle

from search.history.lazy_curves import LazyCurves, restated_curves

LOGGED = {"error": {1: 0.4, 2: 0.3}, "loss": {1: 2.0}}


def never() -> dict[str, dict[int, float]]:
    raise AssertionError("these curves must not be read")


def test_curves_that_need_no_change_stay_the_same_object() -> None:
    curves = LazyCurves(never)
    assert restated_curves(curves, {}, ()) is curves


def test_curves_are_restated_only_on_access() -> None:
    restated_curves(LazyCurves(never), {"accuracy": "error"}, ["accuracy"])


def test_a_metric_that_replaces_an_objective_is_inverted_under_the_objectives_name_only() -> None:
    found = restated_curves(LOGGED, {"accuracy": "error"}, ["accuracy"])
    assert found == LOGGED | {"accuracy": {1: -0.4, 2: -0.3}}


def test_one_metric_may_replace_two_objectives() -> None:
    found = restated_curves(LOGGED, {"first": "error", "second": "error"}, ["second"])
    assert found["first"] == {1: 0.4, 2: 0.3} and found["second"] == {1: -0.4, 2: -0.3}


def test_the_curve_of_a_counterpart_replaces_one_of_the_objectives_own_name() -> None:
    both = LOGGED | {"accuracy": {1: 9.0}}
    assert restated_curves(both, {"accuracy": "error"}, ())["accuracy"] == {1: 0.4, 2: 0.3}
    assert "accuracy" not in restated_curves(both, {"accuracy": "never logged"}, ())


def test_restated_curves_are_pickled_as_a_plain_dictionary() -> None:
    found = restated_curves(LOGGED, {}, ["error"])
    again = pickle.loads(pickle.dumps(found))
    assert type(again) is dict and again == found == LOGGED | {"error": {1: -0.4, 2: -0.3}}

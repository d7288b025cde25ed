"""The best configurations are the Pareto front, with honest test results."""

from __future__ import annotations

import pytest
import yaml

from search.objectives import Objective
from search.transfer.best import best_trials, to_yaml, values_on_test, wilson_interval
from tests.support.synthetic_history import CLEAN, ROBUST, history, points, row, search


def test_the_front_by_hand_sorted_by_the_first_objective() -> None:
    rows = [
        row(0, [0.5, 0.9]),
        row(1, [0.9, 0.5]),
        row(2, [0.7, 0.7]),
        row(3, [0.6, 0.6]),
        row(4, [], state="stopped"),
    ]
    best = best_trials(history(rows, [search()]), "cold")
    assert [each.number for each in best] == [1, 2, 0]
    assert best[0].by_metric == {CLEAN: 0.9, ROBUST: 0.5}
    assert values_on_test(best[0]) == {}


def test_one_objective_has_one_best_and_ties_stay_together() -> None:
    goal = {"objectives": ["loss"], "directions": ["minimize"]}
    rows = [row(n, [value], **goal) for n, value in enumerate([2.0, 1.0, 1.0])]
    known = history(rows, [search(objectives=(Objective("loss", "minimize"),))])
    assert [each.number for each in best_trials(known, "cold")] == [1, 2]


def test_test_results_carry_wilson_s_interval() -> None:
    curves = [
        *points("test." + CLEAN, {5: 0.8}),
        *points("test.loss", {5: 0.8}),
        *points("test.examples", {5: 10}),
    ]
    (best,) = best_trials(history([row(0, [0.9, 0.5], curves=curves)], [search()]), "cold")
    # Wilson's interval of 8 of 10, by hand from the formula with z = 1.96.
    assert values_on_test(best)[CLEAN].low == pytest.approx(0.4902, abs=1e-4)
    assert values_on_test(best)[CLEAN].high == pytest.approx(0.9433, abs=1e-4)
    assert str(values_on_test(best)[CLEAN]) == "0.8000 (0.490 to 0.943)"
    assert str(values_on_test(best)["loss"]) == "0.8000"
    assert values_on_test(best)["loss"].low is None  # a loss is no share of the examples
    assert set(values_on_test(best)) == {CLEAN, "loss"}


def test_an_accuracy_under_attack_has_the_interval_of_what_was_attacked() -> None:
    attacked = ("accuracy.autoattack_linf_0.1", "accuracy.pgd10_linf_0.1", "accuracy.worst_l2_0.5")
    curves = [point for name in attacked for point in points("test." + name, {5: 0.8})]
    curves += points("test." + CLEAN, {5: 0.8})
    curves += [*points("test.examples", {5: 500}), *points("test.attacked_examples", {5: 10})]
    (best,) = best_trials(history([row(0, [0.9, 0.5], curves=curves)], [search()]), "cold")
    assert set(values_on_test(best)) == {CLEAN, *attacked}  # counts are not results
    for name in attacked:  # 8 of 10, as above
        assert values_on_test(best)[name].low == pytest.approx(0.4902, abs=1e-4)
    assert values_on_test(best)[CLEAN].low == pytest.approx(wilson_interval(0.8, 500)[0])


def test_no_attack_has_the_interval_of_the_whole_test_split() -> None:
    attacked = [
        "accuracy.square_linf_0.1", "accuracy.apgdt_l2_0.5", "accuracy.fgm_0.15",
        "accuracy.pgd_embedding_0.15",
    ]  # fmt: skip
    curves = [point for name in attacked for point in points("test." + name, {5: 0.8})]
    curves += points("test.examples", {5: 500})
    (best,) = best_trials(history([row(0, [0.9, 0.5], curves=curves)], [search()]), "cold")
    # How many were attacked is not known.
    assert [values_on_test(best)[name].low for name in attacked] == [None] * 4
    curves += points("test.attacked_examples", {5: 10})
    (best,) = best_trials(history([row(0, [0.9, 0.5], curves=curves)], [search()]), "cold")
    known = [values_on_test(best)[name].low for name in attacked]
    assert known[:2] == [pytest.approx(0.4902, abs=1e-4)] * 2  # 8 of 10, as above
    assert known[2:] == [None, None]  # few texts are attacked, and nobody says how few


def test_an_f1_has_the_interval_that_its_trial_reports() -> None:
    values = {
        "f1.clean": 0.5,
        "f1.clean.low_95": 0.42,
        "f1.clean.high_95": 0.57,
        "examples": 40,
        "entities": 90,
        "f1.macro": 0.6,
        "f1.macro.low_95": 0.9,
        "f1.macro.high_95": 0.1,
    }
    curves = [p for name, value in values.items() for p in points(f"test.{name}", {5: value})]
    (best,) = best_trials(history([row(0, [0.9, 0.5], curves=curves)], [search()]), "cold")
    found = values_on_test(best)
    assert set(found) == {"f1.clean", "f1.macro"}  # neither counts nor bounds are results
    assert str(found["f1.clean"]) == "0.5000 (0.420 to 0.570)"
    assert str(found["f1.clean"].examples) == "40 sentences, 90 entities"
    # Bounds that contradict each other are none, and Wilson's are not of an F1.
    assert (found["f1.macro"].low, str(found["f1.macro"].examples)) == (None, "40")


def test_wilson_agrees_with_the_formula_and_stays_in_the_unit_interval() -> None:
    share, examples, z = 0.9, 300, 1.959963984540054
    middle = (share + z**2 / (2 * examples)) / (1 + z**2 / examples)
    half = z / (1 + z**2 / examples)
    half *= (share * (1 - share) / examples + z**2 / (4 * examples**2)) ** 0.5
    assert wilson_interval(share, examples) == pytest.approx((middle - half, middle + half))
    assert wilson_interval(0.0, 1)[0] == 0.0 and wilson_interval(1.0, 5)[1] == 1.0


def test_without_the_number_of_examples_there_is_no_interval() -> None:
    curves = points("test." + CLEAN, {5: 0.8})
    (best,) = best_trials(history([row(0, [0.9, 0.5], curves=curves)], [search()]), "cold")
    assert (values_on_test(best)[CLEAN].value, values_on_test(best)[CLEAN].low) == (0.8, None)


def test_a_share_of_something_else_than_all_test_examples_has_no_interval() -> None:
    others = ("accuracy.tokens", "accuracy.characters_0.15", "accuracy.words_0.15")
    curves = [point for name in others for point in points("test." + name, {5: 0.8})]
    curves += [*points("test." + CLEAN, {5: 0.8}), *points("test.examples", {5: 10})]
    (best,) = best_trials(history([row(0, [0.9, 0.5], curves=curves)], [search()]), "cold")
    assert [values_on_test(best)[name].low for name in others] == [None, None, None]
    assert values_on_test(best)[CLEAN].low is not None
    curves += points("test.perplexity", {5: 9.0})  # a language model's accuracy is one of tokens
    (best,) = best_trials(history([row(0, [0.9, 0.5], curves=curves)], [search()]), "cold")
    assert values_on_test(best)[CLEAN].low is None


def test_the_yaml_reads_back_as_the_configuration() -> None:
    configuration = {"a": "on", "b": 1e-05, "c": True, "d": "x: y\n- z", "e": 3}
    known = history([row(0, [0.9, 0.5], configuration=configuration)], [search()])
    (best,) = best_trials(known, "cold")
    assert yaml.safe_load(to_yaml(best)) == configuration


def test_no_complete_trial_has_no_best() -> None:
    known = history([row(0, [], state="failed")], [search()])
    assert best_trials(known, "cold") == []
    with pytest.raises(ValueError, match="no search"):
        best_trials(known, "gone")

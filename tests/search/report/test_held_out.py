"""How optimistic the objectives of the best trials are, for images and for texts."""

from __future__ import annotations

from search.objectives import Objective
from search.report.held_out import held_out_section
from search.transfer.best import best_trials
from search.transfer.examples import ValidationExamples, validation_examples
from tests.support.synthetic_history import CLEAN, ROBUST, history, points, row, search


def test_the_winners_curse_is_a_difference_for_each_objective() -> None:
    values = {CLEAN: 0.84, ROBUST: 0.4, "examples": 50.0}
    curves = [p for name, value in values.items()
              for p in points(f"confirmation.{name}", {5: value})]  # fmt: skip
    known = history([row(3, [0.9, 0.5], curves=curves)], [search()])
    examples = ValidationExamples(clean=149, attacked=140, confirmed=128)
    lines = held_out_section(best_trials(known, "cold"), examples).splitlines()
    (clean,) = [line for line in lines if f"`{CLEAN}`" in line]
    (robust,) = [line for line in lines if f"`{ROBUST}`" in line]
    # Wilson's interval of 42 of 50, by hand from the formula with z = 1.96.
    assert clean == (
        f"| 3 | `{CLEAN}` | 0.900 | 149 | 0.8400 (0.715 to 0.917) | 50 | +0.060 |"
    )  # fmt: skip
    assert "| 0.500 | 140 |" in robust and robust.endswith("| 50 | +0.100 |")


def test_entities_have_their_numbers_and_the_interval_that_the_trial_reports() -> None:
    robust = "f1.characters_0.15"
    values = {
        "examples": 505, "attacked_examples": 32, "entities": 467, "attacked_entities": 30,
        "confirmation.f1.clean": 0.45, "confirmation.f1.clean.low_95": 0.4,
        "confirmation.f1.clean.high_95": 0.5, f"confirmation.{robust}": 0.25,
        "confirmation.examples": 252, "confirmation.attacked_examples": 32,
        "confirmation.entities": 230, "confirmation.attacked_entities": 28,
    }  # fmt: skip
    curves = [point for name, value in values.items() for point in points(name, {5: value})]
    goal = {"objectives": ["f1.clean", robust], "directions": ["maximize", "maximize"]}
    known = history(
        [row(1, [0.5, 0.2], curves=curves, **goal)],
        [search(objectives=(Objective("f1.clean", "maximize"), Objective(robust, "maximize")))],
    )
    best = best_trials(known, "cold")
    text = held_out_section(best, validation_examples(search(), best))
    assert (
        "| 1 | `f1.clean` | 0.500 | 505 sentences, 467 entities | 0.4500 (0.400 to 0.500) | "
        "252 sentences, 230 entities | +0.050 |"
    ) in text
    # Without bounds there is no interval: an F1 is no share of examples.
    assert (
        "| 0.200 | 32 sentences, 30 entities | 0.2500 | 32 sentences, 28 entities | -0.050 |"
    ) in text


def test_trials_that_were_not_confirmed_have_no_section() -> None:
    best = best_trials(history([row(3, [0.9, 0.5])], [search()]), "cold")
    assert held_out_section(best, ValidationExamples()) == ""

"""What is said of a configuration that was trained more than once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from search.history import History
from search.transfer.progress import cold_searches
from search.transfer.repetitions import repetition_lines, repetitions, spreads
from search.transfer.verdict import ALL_GIVEN, verdict
from tests.support.synthetic_history import BOTH, START, history, row, search

GOAL = BOTH[:1]
WIDE = {"configuration": {"width": 16}}
FIRST = {"origin": {"step": "first"}}


def repeated() -> History:
    """A cold search of 8 trials, one of its configurations again, and another search."""
    earlier = [
        row(number, [0.5 + number / 100], configuration={"width": number}) for number in range(8)
    ]
    again = [
        row(number, [value], search="again", configuration={"width": 7}, **FIRST)
        for number, value in enumerate([0.5, 0.6, 0.55])
    ]
    later = [row(0, [0.7], search="later", **WIDE, **FIRST), row(1, [0.8], search="later")]
    searches = [
        search(objectives=GOAL),
        search("again", objectives=GOAL, started=START + timedelta(hours=1)),
        search("later", objectives=GOAL, started=START + timedelta(hours=2)),
    ]
    return history([*earlier, *again, *later], searches)


def test_mean_and_spread_are_those_of_the_new_seeds_alone() -> None:
    (group,) = repetitions(repeated(), "again")
    (spread,) = spreads(group)
    # By hand: the deviations from 0.55 are -0.05, 0.05 and 0, so the variance is 0.005 / 2.
    assert (spread.mean, spread.deviation) == pytest.approx((0.55, 0.05))


def test_the_lines_name_the_trials_the_numbers_and_what_it_was_before() -> None:
    first, numbers, before = repetition_lines(repeated(), "again")
    assert first == "trials 000, 001, 002 have one configuration, with 3 seeds:"
    assert numbers.endswith("mean 0.5500, standard deviation 0.0500, 0.5000 to 0.6000")
    assert before.startswith("  before, as cold#7: ") and before.endswith("0.5700")


def test_a_search_that_repeats_nothing_has_no_lines() -> None:
    assert list(repetition_lines(repeated(), "cold")) == []


def test_no_verdict_compares_with_a_search_of_repetitions() -> None:
    assert [each.id for each in cold_searches(repeated(), "later")] == ["cold"]


def test_the_verdict_of_a_search_of_repetitions_claims_nothing() -> None:
    found = verdict(repeated(), "again")
    assert found.sentence == ALL_GIVEN and not found.comparisons and found.level > 0


def test_a_verdict_says_how_many_configurations_were_given() -> None:
    said = verdict(repeated(), "later").sentence
    assert "This search was given 1 configuration to try first" in said

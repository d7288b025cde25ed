"""A model is trivial if its scores are those of no learning, within noise."""

from __future__ import annotations

from typing import Any

import pytest

from models.scores.trivial import TrivialScores
from search.history import Trial
from search.transfer.trivial_model import why_trivial
from tests.support.synthetic_history import history, points, row, search

HALF = TrivialScores({"validation": 0.5, "test": 0.5})
SIZES = {"validation": 100, "test": 100}


def trial(**scores: float) -> Trial:
    curves: list[dict[str, Any]] = [
        point for name, value in scores.items()
        for point in points(name.replace("__", "."), {5: value})
    ]  # fmt: skip
    known = history([row(0, [0.9, 0.5], curves=curves)], [search()])
    (found,) = known.prior_trials(state=None, search="cold")
    return found


# Of Binomial(100, 0.5), P(X >= 58) is 0.0666 and P(X >= 59) is 0.0443 (tables): one-sided 5 %.
@pytest.mark.parametrize(("accuracy", "is_trivial"), [(0.4, True), (0.58, True), (0.59, False)])
def test_an_accuracy_within_noise_of_the_most_frequent_class_is_trivial(
    accuracy: float, is_trivial: bool
) -> None:
    why = why_trivial(trial(test__accuracy__clean=accuracy), HALF, SIZES)
    assert bool(why) == is_trivial
    assert not is_trivial or (f"{accuracy:.3f}" in why and "0.500" in why and "test" in why)


def test_a_rare_class_that_is_found_counts_as_learned_whatever_the_accuracy() -> None:
    unbalanced = TrivialScores({"test": 0.9})
    found = trial(test__accuracy__clean=0.85, test__matthews=0.4)
    assert not why_trivial(found, unbalanced, SIZES)
    # 0.1 is one standard deviation of Matthews' coefficient on 100 examples.
    assert why_trivial(trial(test__accuracy__clean=0.85, test__matthews=0.1), unbalanced, SIZES)


def test_without_the_test_split_the_validation_split_counts() -> None:
    low, high = TrivialScores({"validation": 0.5}), TrivialScores({"validation": 0.95})
    assert not why_trivial(trial(), low, SIZES)
    assert "validation split is 0.900" in why_trivial(trial(), high, SIZES)


def test_a_tagger_that_finds_nothing_is_trivial() -> None:
    assert "no entity" in why_trivial(trial(test__f1__clean=0.0), TrivialScores(), SIZES)
    assert not why_trivial(trial(test__f1__clean=0.02), TrivialScores(), SIZES)


def test_a_perplexity_of_equally_likely_tokens_is_trivial() -> None:
    known = TrivialScores(perplexity=120.0)
    assert "120" in why_trivial(trial(test__perplexity=121.0), known, SIZES)
    assert not why_trivial(trial(test__perplexity=60.0), known, SIZES)


def test_nothing_is_claimed_where_nothing_is_known() -> None:
    assert not why_trivial(trial(), TrivialScores(), SIZES)


def test_an_accuracy_that_is_no_share_says_nothing() -> None:
    assert why_trivial(trial(test__accuracy__clean=1.5), HALF, SIZES) == ""

"""Consistency of importance across tasks, by ranks."""

from __future__ import annotations

import pytest

from search.extract.importance import importance_agreement

ABC = {"a": 0.6, "b": 0.3, "c": 0.1}
CBA = {"a": 0.1, "b": 0.3, "c": 0.6}
BAC = {"a": 0.3, "b": 0.6, "c": 0.1}


def correlation(*shares: dict[str, float]) -> float:
    names = [f"s{number}" for number in range(len(shares))]
    found = importance_agreement(
        dict(zip(names, shares, strict=True)), {name: name for name in names}, "acc"
    )
    assert found is not None
    return found.correlation


def test_cases_worked_by_hand() -> None:
    assert correlation(ABC, ABC) == pytest.approx(1.0)
    assert correlation(ABC, CBA) == pytest.approx(-1.0)
    # Spearman: 1 - 6 * (1 + 1 + 0) / (3 * 8) = 0.5; the three pairs have 0.5, -1 and -0.5.
    assert correlation(ABC, BAC) == pytest.approx(0.5)
    assert correlation(ABC, BAC, CBA) == pytest.approx((0.5 - 1.0 - 0.5) / 3)


def test_it_is_equivalent_to_kendalls_concordance() -> None:
    # Sums of ranks of three rankings of four: 12, 8, 6, 4, around their mean of 7.5.
    first = {"a": 0.4, "b": 0.3, "c": 0.2, "d": 0.1}
    second = {"a": 0.4, "b": 0.3, "c": 0.1, "d": 0.2}
    third = {"a": 0.4, "b": 0.2, "c": 0.3, "d": 0.1}
    squares = 4.5**2 + 0.5**2 + 1.5**2 + 3.5**2
    concordance = 12 * squares / (3**2 * (4**3 - 4))
    assert correlation(first, second, third) == pytest.approx((3 * concordance - 1) / 2)


def test_searches_of_one_task_are_averaged_first() -> None:
    shares = {"s1": ABC, "s2": CBA, "s3": {"a": 0.9, "b": 0.1, "c": 0.0}, "s4": {}}
    found = importance_agreement(shares, {"s1": "t", "s2": "t", "s3": "u", "s4": "v"}, "acc")
    # s1 and s2 average to .35, .3, .35, of which the ties share rank 2.5: Pearson of the ranks
    # (2.5, 1, 2.5) and (3, 2, 1) is 0.
    assert found is not None and found.correlation == pytest.approx(0.0)
    assert (found.tasks, found.searches) == (2, ("s1", "s2", "s3"))
    assert found.hyperparameters == ("a", "b", "c")


def test_only_hyperparameters_that_all_searched_are_compared() -> None:
    more = {"x": 0.7} | {name: share * 0.3 for name, share in ABC.items()}
    assert correlation(more, ABC) == pytest.approx(1.0)


@pytest.mark.parametrize(
    "shares",
    [
        {},
        {"s1": ABC},
        {"s1": ABC, "s2": {}},
        {"s1": ABC, "s2": {"a": 0.5, "b": 0.5}},
        {"s1": ABC, "s2": {"a": 0.0, "b": 0.0, "c": 0.0}},
    ],
)
def test_too_little_data_gives_no_result(shares: dict[str, dict[str, float]]) -> None:
    assert importance_agreement(shares, {"s1": "t", "s2": "u"}, "acc") is None

"""An objective with one value in all trials is said, with what to do."""

from __future__ import annotations

from typing import Any

import pytest

from search.objectives.objective import PARETO, Role
from search.transfer.constant_objective import constant_objectives
from tests.support.synthetic_history import CLEAN, ROBUST, history, row, search


def said(*values: list[float], widths: tuple[int, ...] = (8, 16, 24), **changes: Any) -> list[str]:
    rows = [
        row(number, each, configuration={"optimizer": "sgd", "width": width})
        for number, (each, width) in enumerate(zip(values, widths, strict=False))
    ]
    return constant_objectives(history(rows, [search(**changes)]), "cold")


def test_an_objective_without_differences_is_named_with_its_value() -> None:
    (sentence,) = said([0.0, 0.5], [0.0, 0.25], [0.0, 0.5])
    assert sentence.startswith(f"all 3 complete trials have {CLEAN} 0.0000, so")
    assert "; fix: " in sentence and ROBUST not in sentence
    assert len(said([1.0, 0.5], [1.0, 0.5], [1.0, 0.5])) == 2


@pytest.mark.parametrize("values", [[[0.1, 0.5], [0.2, 0.6], [0.1, 0.5]], [[0.0, 0.5]] * 2, []])
def test_differences_and_too_few_trials_are_not_worth_a_word(values: list[list[float]]) -> None:
    assert said(*values) == []


def test_one_configuration_that_is_trained_again_says_nothing() -> None:
    assert said(*[[0.0, 0.5]] * 3, widths=(8, 8, 8)) == []


def test_a_bound_that_all_keep_and_a_metric_that_is_only_reported_may_be_constant() -> None:
    for role in (Role("constraint", bound=0.4), Role("report")):
        sentences = said([0.1, 0.5], [0.2, 0.5], [0.3, 0.5], roles=(PARETO, role))
        assert sentences == []

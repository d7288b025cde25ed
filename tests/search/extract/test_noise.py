"""Noise of an objective, from configurations that were tried more than once."""

from __future__ import annotations

import json
import math
from datetime import timedelta

import numpy as np
import pytest

from search.experience import Noise
from search.extract.noise import configuration_key, noise
from search.extract.objective_matrix import ObjectiveMatrix, objective_matrix
from search.history import Trial
from search.objectives import Objective
from tests.support.synthetic_history import CLEAN, ROBUST, START, TASK, history, row

OTHER_THREAT = "accuracy.pgd20_linf_0.3"


def measured(rows: list[dict], objective: str = CLEAN) -> dict[str, ObjectiveMatrix]:
    by_search: dict[str, list[Trial]] = {}
    for trial in history(rows).prior_trials():
        by_search.setdefault(trial.search, []).append(trial)
    return {
        name: objective_matrix(trials, [Objective(objective, "maximize")])
        for name, trials in by_search.items()
    }  # fmt: skip


def of(values: dict[int, list[float]], **changes: object) -> list[dict]:
    """Rows of one search; width -> the values of its repetitions."""
    pairs = [(width, value) for width, each in values.items() for value in each]
    return [
        row(number, [value], configuration={"width": width}, **changes)
        for number, (width, value) in enumerate(pairs)
    ]


def found(rows: list[dict], task: str = TASK, objective: str = CLEAN) -> Noise:
    entry = noise(measured(rows, objective), objective, task)
    assert entry is not None
    return entry


def test_a_case_worked_by_hand() -> None:
    # Squares around the means 0.2 and 0.5: 2 * 0.1**2 + 0.3**2 + 0.3**2 = 0.2 with 1 + 2 degrees.
    entry = found(of({8: [0.1, 0.3], 16: [0.2, 0.5, 0.8], 32: [0.9]}))
    assert entry.deviation == pytest.approx(math.sqrt(0.2 / 3))
    assert entry.repeats == 3
    # Chi-square with 3 degrees, from a table: 0.2158 and 9.348; Student's t: 3.182.
    assert entry.low == pytest.approx(math.sqrt(0.2 / 9.348), rel=1e-3)
    assert entry.high == pytest.approx(math.sqrt(0.2 / 0.2158), rel=1e-3)
    assert entry.difference == pytest.approx(3.182 * math.sqrt(2 * 0.2 / 3), rel=1e-3)
    assert entry.runs == tuple(f"cold-{number}" for number in range(5)) and entry.is_same_task


def test_without_repetitions_there_is_no_noise() -> None:
    assert noise(measured(of({8: [0.1], 16: [0.2]})), CLEAN, TASK) is None
    assert noise({}, CLEAN, TASK) is None


def test_repetitions_count_across_searches_of_a_task_but_not_across_tasks() -> None:
    rows = of({8: [0.1]}) + of({8: [0.3]}, search="b")
    assert found(rows).searches == ("cold", "b")
    rows = of({8: [0.1]}) + of({8: [0.3]}, search="b", task="mnist@1")
    assert noise(measured(rows), CLEAN, TASK) is None


def test_with_enough_repetitions_only_the_same_task_counts() -> None:
    other = of({8: [0.1, 0.9]}, search="b", task="mnist@1")
    enough = found(of({8: [0.1, 0.1, 0.1, 0.1]}) + other)
    assert (enough.deviation, enough.searches, enough.is_same_task) == (0.0, ("cold",), True)
    little = found(of({8: [0.1, 0.1]}) + other)
    assert little.deviation > 0 and little.searches == ("cold", "b") and not little.is_same_task


def test_a_run_that_was_read_twice_is_not_a_repetition() -> None:
    rows = [*of({8: [0.1]}), *of({8: [0.1]})]
    assert noise(measured(rows), CLEAN, TASK) is None


def test_accuracies_under_two_threats_are_not_repetitions() -> None:
    rows = of({8: [0.1]}, objectives=[ROBUST]) + of(
        {8: [0.3]}, objectives=[OTHER_THREAT], search="b"
    )
    assert noise(measured(rows, ROBUST), ROBUST, TASK) is None


def test_an_accuracy_and_an_error_renamed_to_it_are_not_repetitions() -> None:
    trials = of({8: [0.1]}) + of({8: [0.9]}, search="b", directions=["minimize"])
    known = history(trials)
    parts = {
        name: objective_matrix(
            known.prior_trials(search=name), [Objective(CLEAN, "maximize")], [CLEAN]
        )
        for name in ("cold", "b")
    }
    assert len(parts["b"]) == 1 and noise(parts, CLEAN, TASK) is None


@pytest.mark.parametrize("same", [{"a": 1, "b": "x"}, {"b": "x", "a": 1.0}, {"a": "1.0", "b": "x"}])
def test_equal_configurations_have_one_key(same: dict[str, object]) -> None:
    assert configuration_key(same) == configuration_key({"a": 1, "b": "x"})


@pytest.mark.parametrize(
    "other", [{}, {"a": 1}, {"a": True, "b": "x"}, {"a": None, "b": "x"}, {"a": [1], "b": {}},
              {"a": 10**400, "b": math.nan}]
)  # fmt: skip
def test_different_or_malformed_configurations_have_different_keys(
    other: dict[str, object],
) -> None:
    assert configuration_key(other) != configuration_key({"a": 1, "b": "x"})


@pytest.mark.slow
def test_the_interval_has_its_stated_coverage() -> None:
    generator = np.random.default_rng(0)
    held = 0
    for _ in range(400):
        draws = generator.normal(0.8, 0.02, size=(5, 3))
        entry = found(of({8 + number: list(each) for number, each in enumerate(draws)}))
        held += entry.low <= 0.02 <= entry.high
    # 95 % of 400, four standard deviations of 4.4 either way: a false alarm once in 16,000.
    assert 362 <= held <= 397


def test_a_difference_across_a_change_of_the_task_is_no_noise() -> None:
    record = {"trial": "cold#0", "expected": {CLEAN: 0.8}, "accepted": {CLEAN: [0.7, 0.9]}}
    gone = {"step": "confirm", "revalidates": record}
    hour = timedelta(hours=1)
    after = of({8: [0.50, 0.52]}, search="later", started=START + hour)
    after[0]["origin"] = json.dumps(gone)
    entry = found([*of({8: [0.80, 0.81]}), *after])
    assert entry.repeats == 2  # one before the change and one since
    assert entry.deviation == pytest.approx(math.sqrt((0.005**2 * 2 + 0.01**2 * 2) / 2))
    after[0]["origin"] = "{}"
    assert found([*of({8: [0.80, 0.81]}), *after]).deviation > 0.1

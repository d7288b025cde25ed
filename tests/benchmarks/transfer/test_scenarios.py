"""What history is in each scenario: true, reflected or permuted, and never the target's."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.transfer.scenarios import PAST_TRIALS, past_of, search
from tests.benchmarks.transfer.made_up import made_up


@pytest.mark.slow
def test_history_never_holds_the_task_that_is_searched() -> None:
    for scenario in ("related", "inverted", "shuffled", "half"):
        assert list(past_of(made_up(), "b", scenario, 0)) == ["a", "c"]
    assert past_of(made_up(), "b", "none", 0) == {}


def test_inverted_history_gives_the_best_row_the_worst_value() -> None:
    family = made_up()
    for name, past in past_of(family, "b", "inverted", 3).items():
        true = family.tasks[name].values(past.rows, 1)
        assert past.values[true.argmax()] == pytest.approx(true.min())
        assert past.values[true.argmin()] == pytest.approx(true.max())
        assert np.corrcoef(true[:, 0], past.values[:, 0])[0, 1] == pytest.approx(-1.0)


def test_half_inverted_history_lies_about_every_second_source() -> None:
    family = made_up(("a", "b", "c", "d", "e"))
    signs = [
        np.sign(np.corrcoef(family.tasks[name].values(past.rows, 1)[:, 0], past.values[:, 0])[0, 1])
        for name, past in past_of(family, "c", "half", 0).items()
    ]
    assert signs == [-1, 1, -1, 1]


def test_shuffled_history_keeps_the_values_and_not_whose_they_are() -> None:
    family = made_up()
    past = past_of(family, "b", "shuffled", 0)["a"]
    true = family.tasks["a"].values(past.rows, 1)
    assert np.sort(past.values, axis=0) == pytest.approx(np.sort(true, axis=0))
    # 100 independent pairs: |r| over 0.5 has a false-alarm probability below 1e-6.
    assert abs(np.corrcoef(true[:, 0], past.values[:, 0])[0, 1]) < 0.5


@pytest.mark.slow
def test_past_searches_that_no_file_holds_are_the_same_every_time() -> None:
    first, second = (past_of(made_up(), "a", "related", 7)["b"].rows for _ in range(2))
    assert len(first) == PAST_TRIALS
    assert (first == second).all()


def test_added_trials_are_not_counted() -> None:
    from optuna.samplers import RandomSampler

    family = made_up()
    added = past_of(family, "a", "inverted", 0)["b"].trials()
    assert len(search(family.tasks["a"], RandomSampler(seed=0), 4, 1, added=added)) == 4

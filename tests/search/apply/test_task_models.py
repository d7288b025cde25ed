"""Past tasks: what is kept of them, which are usable, and what their models predict."""

from __future__ import annotations

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution

from search.apply.task_models import (
    FEWEST_TO_DOUBT,
    TASKS_KEPT,
    TRIALS_KEPT,
    PastTasks,
    most_informative,
    task_models,
)
from search.space import SearchSpace
from search.space.encoding import encode
from tests.support.earlier_tasks import (
    LINE,
    SQUARE,
    at_random,
    bowl,
    modelled,
    on_line,
    prior_trial,
    unnamed,
)


def noise(seed):
    generator = np.random.default_rng(seed)
    return lambda x, y: float(generator.random())


def read(evidence, similarities=None, directions=("minimize",), space=SQUARE):
    return task_models(evidence, space, unnamed(directions), similarities or {})


# Which tasks are usable.


def test_a_shuffled_task_of_a_hundred_trials_is_left_out_and_a_real_one_kept():
    evidence = [*at_random("real", bowl, 100), *at_random("shuffled", noise(0), 100)]
    past = read(evidence)
    assert [task.name for task in past.models] == ["real"]
    assert past.left_out.keys() == {"shuffled"}
    assert "noise" in past.left_out["shuffled"]
    assert [task.name for task in past.noisy] == ["shuffled"], "its best may be good here, too"


@pytest.mark.slow
def test_a_shuffled_task_is_hardly_ever_kept():
    kept = [bool(read(at_random("shuffled", noise(seed), 50)).models) for seed in range(10)]
    # Meant to reject 99 of 100; then two of ten are kept one time in 240.
    assert sum(kept) <= 1


def test_a_noisy_but_real_task_is_kept():
    spread = np.random.default_rng(1)
    past = read(at_random("noisy", lambda x, y: bowl(x, y) + 0.05 * spread.standard_normal(), 80))
    assert (past.noisy, past.left_out) == ((), {})
    assert past.models[0].is_predictable == (True,)


def test_a_short_task_has_the_benefit_of_the_doubt_unless_all_its_results_are_equal():
    few = FEWEST_TO_DOUBT - 1
    evidence = [*at_random("few", noise(0), few), *at_random("flat", lambda x, y: 1.0, few)]
    past = read(evidence)
    assert [task.name for task in past.models] == ["few"]
    assert past.left_out.keys() == {"flat"}
    assert past.noisy == (), "none of equal results is the best"


@pytest.mark.slow
def test_each_objective_is_predictable_or_not_on_its_own():
    hidden = noise(2)
    task = read(
        at_random("a", lambda x, y: (bowl(x, y), hidden(x, y)), 60),
        directions=["minimize"] * 2,
    ).models[0]
    assert task.is_predictable == (True, False)


def test_failed_and_stopped_trials_are_not_used():
    evidence = [
        prior_trial("a", "r0", "failed", {"x": 0.1, "y": 0.1}, (), True),
        prior_trial("b", "r1", "stopped", {"x": 0.1, "y": 0.1}, (), True),
    ]
    assert read(evidence) == PastTasks()


def test_searches_whose_values_count_by_rank_are_ranked_apart():
    evidence = [
        prior_trial("a", str(i), "complete", {"x": i / 3}, (float(i),), True, search=search,
                 is_by_rank=True)
        for search in ("s1", "s2")
        for i in range(3)
    ]  # fmt: skip
    found = read(evidence, space=LINE).models
    assert {task.name for task in found} == {"a (s1)", "a (s2)"}


# What is kept.


def test_the_most_similar_tasks_come_first_and_then_the_newest():
    evidence = [
        trial for name in ("old", "alike", "new") for trial in on_line(name, lambda x: x, 3)
    ]
    found = read(evidence, {"alike": 0.9, "old": 0.1, "new": 0.1}, space=LINE).models
    assert [task.name for task in found] == ["alike", "new", "old"]
    assert [task.name for task in read(evidence, space=LINE).models] == ["new", "alike", "old"]


def test_the_tasks_beyond_the_number_kept_are_left_out_with_a_reason():
    evidence = [
        trial
        for index in range(TASKS_KEPT + 2)
        for trial in on_line(f"task {index}", lambda x: x, 3)
    ]
    past = read(evidence, {"task 0": 1.0}, space=LINE)
    assert len(past.models) == TASKS_KEPT
    assert past.left_out.keys() == {"task 1", "task 2"}  # the oldest but the similar one
    assert f"{TASKS_KEPT} tasks" in past.left_out["task 1"]


def test_of_a_long_task_the_best_third_is_kept_and_the_rest_evenly_over_time():
    count = 3 * TRIALS_KEPT
    # By time: the best are the second fifty.
    values = np.arange(count, dtype=float)
    values[50:100] -= 1000
    trials = [
        prior_trial("a", str(index), "complete", {"x": index / count}, (value,), True)
        for index, value in enumerate(values.tolist())
    ]
    kept = [int(trial.run_id) for trial in most_informative(trials, unnamed(["minimize"]))]
    assert len(kept) == TRIALS_KEPT
    assert kept == sorted(kept)
    best = set(range(50, 50 + TRIALS_KEPT // 3))
    assert best <= set(kept)
    others = [index for index in range(count) if index not in best]
    rest = [others.index(index) for index in kept if index not in best]
    # Of 267 others 67 are taken, from the first to the last: every fourth, to rounding.
    assert (rest[0], rest[-1]) == (0, len(others) - 1)
    assert set(np.diff(rest).tolist()) <= {3, 4, 5}


def test_a_task_of_no_more_trials_is_kept_whole():
    trials = on_line("a", lambda x: x, TRIALS_KEPT)
    assert most_informative(trials, unnamed(["maximize"])) == trials


# What their models predict.


def test_predictions_are_low_where_the_task_was_good_and_average_to_zero():
    points = encode(LINE, [{"x": 0.25}, {"x": 0.75}])
    for directions, good in ((["minimize"], 0), (["maximize"], 1)):
        task = modelled(on_line("a", lambda x: x), LINE, directions)[0]
        predicted = task.predict(points)
        assert predicted.shape == (2, 1)
        assert predicted[good, 0] < -0.5 < 0.5 < predicted[1 - good, 0]
        assert predicted.mean() == pytest.approx(0.0, abs=0.05)  # symmetric, but for the fit


def test_an_unknown_hyperparameter_makes_no_difference_to_its_predictions():
    space = SearchSpace(
        {
            "x": FloatDistribution(0.0, 1.0),
            "kind": CategoricalDistribution(["a", "b"]),
            "depth": FloatDistribution(0.0, 1.0),
        },
        {"depth": {"kind": ("a",)}},
    )
    task = modelled(on_line("a", lambda x: x), space)[0]
    varied = [
        {"x": 0.3, "kind": "a", "depth": 0.0},
        {"x": 0.3, "kind": "a", "depth": 0.9},
        {"x": 0.3, "kind": "b"},
        {"x": 0.3},
    ]
    predicted = task.predict(encode(space, varied))[:, 0]
    assert np.ptp(predicted) == 0
    assert task.predict(encode(space, [{"x": 0.4}]))[0, 0] > predicted[0]


def test_the_unit_of_a_tasks_values_does_not_matter():
    plain = modelled(on_line("a", lambda x: x))[0]
    skewed = modelled(on_line("a", lambda x: np.exp(20 * x)))[0]
    assert plain.scores.tolist() == skewed.scores.tolist()

"""Task weights: which past tasks a model of this task uses, and whether inverted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from search.apply.candidate_grid import CandidateGrid
from search.apply.gaussian_process import assemble
from search.apply.gp_fit import fit
from search.apply.scores import normal_scores
from search.apply.task_weights import blocks, learned_prior, task_weights
from search.space.encoding import encode
from tests.support.earlier_tasks import SQUARE, at_random, modelled

GROUPS = CandidateGrid(SQUARE).groups


def bowl(left, right):
    return lambda x, y: (x - left) ** 2 + (y - right) ** 2


def sources(**losses):
    """Makes past tasks, in the order of their names."""
    tasks = modelled(
        [
            trial
            for seed, (name, loss) in enumerate(losses.items())
            for trial in at_random(name, loss, 40, seed)
        ],
        SQUARE,
    )
    return sorted(tasks, key=lambda task: task.name)


def weights_after(tasks, loss, count=15):
    """Returns the task weights after `count` trials of a task."""
    trials = at_random("target", loss, count, seed=99)
    points = encode(SQUARE, [trial.configuration for trial in trials])
    scores = normal_scores(np.array([trial.values for trial in trials]))[:, 0]
    task_predictions = np.column_stack([task.predict(points)[:, 0] for task in tasks])
    prior = learned_prior(tasks, GROUPS, 0)
    return task_weights(fit(points, scores, GROUPS, prior, blocks(task_predictions)))


@pytest.mark.slow
def test_a_task_equal_to_one_source_gives_that_source_the_largest_weight():
    tasks = sources(
        a=bowl(0.1, 0.9), b=bowl(0.8, 0.3), c=lambda x, y: np.sin(9 * x) + np.cos(8 * y)
    )
    for index, loss in enumerate(
        [bowl(0.1, 0.9), bowl(0.8, 0.3), lambda x, y: np.sin(9 * x) + np.cos(8 * y)]
    ):
        found = weights_after(tasks, loss)
        assert int(np.argmax(found)) == index
        assert np.abs(found).sum() == pytest.approx(1.0)


def test_an_inverted_source_gets_a_negative_weight():
    inverted = sources(a=lambda x, y: -bowl(0.2, 0.7)(x, y))
    assert weights_after(inverted, bowl(0.2, 0.7)).tolist() == [-1.0]


def test_of_two_sources_only_the_inverted_one_has_a_negative_weight():
    tasks = sources(
        like=lambda x, y: np.sin(7 * x) + y, unlike=lambda x, y: -((x - 0.2) ** 2) - (y - 0.7) ** 2
    )
    found = weights_after(tasks, bowl(0.2, 0.7), count=30)
    assert found[1] < 0
    assert abs(found[1]) > abs(found[0])


def test_blocks_are_the_mean_prediction_and_each_tasks_deviation():
    shared, different = blocks(np.array([[1.0, 3.0], [2.0, 2.0]]))
    assert shared.tolist() == [[2.0], [2.0]]
    # By hand: -1 and 1 away from the mean of 2, over the root of two tasks.
    assert different == pytest.approx(np.array([[-1.0, 1.0], [0.0, 0.0]]) / np.sqrt(2))
    assert [block.tolist() for block in blocks(np.array([[4.0]]))] == [[[4.0]]]


def test_weights_are_those_of_the_predictions_in_the_posterior_mean():
    generator = np.random.default_rng(0)
    task_predictions = generator.standard_normal((40, 3))
    points = generator.random((40, 2))
    known = np.array([2.0, -1.0, 1.0])
    # Lengthscales, next to no function of its own, little noise, and room for both blocks.
    parameters = np.log([1.0, 1.0, 1e-8, 1e-4, 10.0, 10.0])
    process = assemble(
        points, task_predictions @ known, GROUPS, blocks(task_predictions), parameters, 0.0
    )
    # Weights of 2, -1 and 1, divided by their absolute sum; a ridge of 1e-5 moves them as little.
    assert task_weights(process) == pytest.approx(known / 4, abs=1e-3)


def test_predictions_that_never_differ_get_no_weight():
    points = np.random.default_rng(0).random((6, 2))
    process = fit(
        points, np.arange(6.0), GROUPS, learned_prior(sources(a=bowl(0, 0)), GROUPS, 0),
        blocks(np.zeros((6, 1))),
    )  # fmt: skip
    assert task_weights(process).tolist() == [0.0]


@pytest.mark.slow
def test_tasks_that_agree_have_larger_weights_than_tasks_that_do_not():
    alike = sources(a=bowl(0.2, 0.7), b=bowl(0.25, 0.65), c=bowl(0.2, 0.75))
    apart = sources(
        a=bowl(0.1, 0.9),
        b=lambda x, y: np.sin(11 * x) * np.cos(9 * y),
        c=lambda x, y: np.cos(10 * x + 7 * y),
    )
    # After the lengthscales: own variance, noise, what is shared, what differs.
    own, _, shared, _ = learned_prior(alike, GROUPS, 0).means[2:]
    own_apart, _, shared_apart, _ = learned_prior(apart, GROUPS, 0).means[2:]
    assert shared - own > shared_apart - own_apart


def test_past_tasks_that_are_all_alike_leave_room_for_one_that_is_not():
    trials = at_random("a", bowl(0.2, 0.7), 40)
    names = ["a", "b", "c"]
    tasks = modelled([replace(trial, task=name) for name in names for trial in trials], SQUARE)
    # Three equal tasks have equal weights for each other, so nothing varies. A parameter may
    # still be a third or three times as large: two standard deviations of half an e-fold.
    assert learned_prior(tasks, GROUPS, 0).spreads.min() >= 0.5


@pytest.mark.slow
@pytest.mark.parametrize("names", ["a", "ab", "abc"])
def test_a_prior_has_a_place_for_every_parameter(names):
    tasks = sources(**{name: bowl(0.2, 0.7) for name in names})
    prior = learned_prior(tasks, GROUPS, 0)
    # A lengthscale a hyperparameter, signal, noise, a block; with two tasks and more another.
    expected = 2 + 2 + min(len(names), 2)
    assert prior.means.shape == prior.spreads.shape == (expected,)
    assert (prior.spreads > 0).all()

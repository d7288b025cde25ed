"""Candidates: the configurations that a model is asked about at a proposal."""

from __future__ import annotations

import numpy as np
import pytest

from search.apply.candidate_grid import CandidateGrid
from search.apply.candidates import BEST_OF_A_TASK, FRESH, NEIGHBOURS, POOLED, Candidates
from search.objectives import pareto
from search.space.encoding import encode
from tests.support import studies
from tests.support.earlier_tasks import SQUARE, at_random, bowl, modelled

POSITIONS = CandidateGrid(SQUARE)
CENTRE = {"x": 0.31, "y": 0.62}


@pytest.fixture(scope="module")
def tasks():
    evidence = [*at_random("a", bowl, 40), *at_random("b", lambda x, y: x + y, 40, seed=1)]
    return modelled(evidence, SQUARE)


def around(tasks, best=(CENTRE,), seed=0):
    return Candidates(POSITIONS, tasks, 1, 0).around(best, np.random.default_rng(seed))


def test_points_and_predictions_are_those_of_the_candidates(tasks):
    places, points, task_predictions = around(tasks)
    configurations = [POSITIONS.configuration(place) for place in places[::50]]
    assert points[::50] == pytest.approx(encode(SQUARE, configurations), abs=1e-9)
    assert task_predictions.shape == (len(places), 2, 1)
    for index, task in enumerate(tasks):
        # One by one or all at once: equal to rounding.
        assert task_predictions[:, index] == pytest.approx(task.predict(points), abs=1e-9)


def test_the_best_of_every_past_task_are_among_them(tasks):
    places, _, _ = around(tasks)
    for task in tasks:
        for index in pareto.order(task.losses)[:BEST_OF_A_TASK]:
            there = POSITIONS.of(task.trials[index].configuration)
            assert np.abs(places - there).max(axis=1).min() < 1e-9


def test_neighbours_of_the_best_are_many_times_denser_than_random_draws():
    places, _, _ = around([])
    # Moves that end at the same edge are one.
    assert POOLED + FRESH + NEIGHBOURS // 2 < len(places) <= POOLED + FRESH + NEIGHBOURS
    near = np.hypot(places[:, 0] - CENTRE["x"], places[:, 1] - CENTRE["y"]) < 0.05
    # By chance 1800 * pi * 0.05^2 = 14 lie there; 30 are five standard deviations more.
    assert near.sum() > 30


def test_the_pool_is_the_same_at_every_proposal_and_the_rest_is_not():
    first, second = around([], seed=1)[0], around([], seed=2)[0]
    assert (first[:POOLED] == second[:POOLED]).all()
    assert not np.array_equal(first[POOLED:], second[POOLED:])


def test_a_coarse_grid_is_not_asked_the_same_twice():
    grid = CandidateGrid(studies.CONDITIONAL)
    candidates = Candidates(grid, [], 2, 0)
    best = studies.CONDITIONAL.random_configuration(np.random.default_rng(3))
    places, _, task_predictions = candidates.around([best, best], np.random.default_rng(0))
    assert task_predictions.shape == (len(places), 0, 2)
    fresh = places[len(candidates._pool) :]
    assert len(np.unique(fresh, axis=0)) == len(fresh)

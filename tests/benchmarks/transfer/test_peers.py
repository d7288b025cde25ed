"""The methods that are compared: what each tries first, and from which seed."""

from __future__ import annotations

import numpy as np

from benchmarks.transfer import peers
from benchmarks.transfer.recorded_tasks import row_of
from benchmarks.transfer.scenarios import Past, past_of
from tests.benchmarks.transfer.made_up import made_up


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

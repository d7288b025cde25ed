"""Trials whose worker was lost: started again, at the front. Asked as Tune does it."""

from __future__ import annotations

from pathlib import Path

from optuna.trial import TrialState

from search.optimize.lost_workers import WORKERS_FORGIVEN
from tests.search.optimize.asking import Witness, flat, searcher_of
from tests.search.optimize.test_plan import a_plan


def test_a_trial_that_lost_its_worker_comes_before_any_new_one(tmp_path: Path) -> None:
    sampler = Witness(seed=1)
    searcher = searcher_of(a_plan(tmp_path, trials=3), sampler=sampler)
    first = searcher.suggest("a")
    searcher.on_trial_complete("a", None, error=True)
    assert sampler.states() == [TrialState.RUNNING], "nothing is known of it yet"
    assert searcher.suggest("b") == first
    searcher.on_trial_complete("b", flat(3, left=0.5, right=0.5))
    assert sampler.states() == [TrialState.COMPLETE]
    assert searcher.lost_workers.set_aside == {"a"}


def test_a_search_does_not_finish_while_a_worker_may_be_lost(tmp_path: Path) -> None:
    searcher = searcher_of(a_plan(tmp_path, trials=1, resources={"parallelism": 2, "gpus": 1.0}))
    first = searcher.suggest("a")
    assert searcher.suggest("b") is None, "a may still come back"
    searcher.on_trial_complete("a", None, error=True)
    assert searcher.has_more()
    assert searcher.suggest("b") == first
    searcher.on_trial_complete("b", flat(3, left=0.5, right=0.5))
    assert searcher.suggest("c") == "FINISHED"


def test_a_trial_that_loses_every_worker_fails_and_lets_the_others_go_on(tmp_path: Path) -> None:
    sampler = Witness(seed=1)
    searcher = searcher_of(a_plan(tmp_path, trials=2), sampler=sampler)
    for attempt in range(WORKERS_FORGIVEN + 1):
        config = searcher.suggest(f"a{attempt}")
        assert isinstance(config, dict) and config["number"] == 0
        searcher.on_trial_complete(f"a{attempt}", None, error=True)
    assert sampler.states() == [TrialState.FAIL]
    config = searcher.suggest("b")
    assert isinstance(config, dict) and config["number"] == 1

"""Trials whose worker was lost are started again first. Called as Tune does it."""

from __future__ import annotations

from pathlib import Path

from optuna.trial import TrialState

from search.optimize.retries import LOST_WORKERS_RETRIED
from tests.support.asked_searchers import reported, searcher_of, states
from tests.support.plans import a_plan


def test_a_trial_that_lost_its_worker_comes_before_any_new_one(tmp_path: Path) -> None:
    searcher = searcher_of(a_plan(tmp_path, trials=3))
    first = searcher.suggest("a")
    assert searcher.end("a", None) is None
    assert states(searcher) == [TrialState.RUNNING], "nothing is known of it yet"
    assert searcher.suggest("b") == first
    searcher.end("b", reported(3, left=0.5, right=0.5))
    assert states(searcher) == [TrialState.COMPLETE]


def test_a_search_does_not_finish_while_a_worker_may_be_lost(tmp_path: Path) -> None:
    searcher = searcher_of(a_plan(tmp_path, trials=1, resources={"parallelism": 2, "gpus": 1.0}))
    first = searcher.suggest("a")
    assert searcher.suggest("b") is None, "a may still come back"
    searcher.end("a", None)
    assert searcher.has_more()
    assert searcher.suggest("b") == first
    searcher.end("b", reported(3, left=0.5, right=0.5))
    assert searcher.suggest("c") == "FINISHED"


def test_a_trial_that_loses_every_worker_fails_and_the_others_continue(tmp_path: Path) -> None:
    searcher = searcher_of(a_plan(tmp_path, trials=2))
    for attempt in range(LOST_WORKERS_RETRIED + 1):
        config = searcher.suggest(f"a{attempt}")
        assert isinstance(config, dict) and config["number"] == 0
        outcome = searcher.end(f"a{attempt}", None)
        assert (outcome is None) == (attempt < LOST_WORKERS_RETRIED)
    assert outcome is not None and outcome.state == "failed"
    assert states(searcher) == [TrialState.FAIL]
    config = searcher.suggest("b")
    assert isinstance(config, dict) and config["number"] == 1

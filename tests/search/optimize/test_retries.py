"""Trials without memory are retried once, alone. Called as Tune does it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from optuna.trial import TrialState

from search.optimize.searcher import OptunaSearcher
from tests.support.asked_searchers import reported, searcher_of, states
from tests.support.plans import a_plan

NO_MEMORY = {**reported(1, left=0.1, right=0.1), "failure": "Traceback\nout of memory"}
PAIRS: dict[str, Any] = {"parallelism": 2, "cpus": 1}


def failed_alone(searcher: OptunaSearcher, trial_id: str) -> bool:
    """Ends a trial without memory; whether that was its last attempt."""
    outcome = searcher.end(trial_id, NO_MEMORY)
    return outcome is not None and outcome.reason.endswith("out of memory, also alone")


def test_a_trial_without_memory_is_retried_when_nothing_runs_next_to_it(tmp_path: Path) -> None:
    searcher = searcher_of(a_plan(tmp_path, trials=4, resources=PAIRS))
    first, _ = searcher.suggest("a"), searcher.suggest("b")
    searcher.end("a", NO_MEMORY)
    assert states(searcher).count(TrialState.FAIL) == 0, "nothing is known of it yet"
    assert searcher.suggest("c") is None, "b still runs"
    searcher.end("b", reported(3, left=0.5, right=0.5))
    assert searcher.suggest("c") == first
    assert searcher.suggest("d") is None, "c must be alone"
    searcher.end("c", reported(3, left=0.5, right=0.5))
    assert states(searcher).count(TrialState.COMPLETE) == 2
    assert isinstance(searcher.suggest("d"), dict)
    assert isinstance(searcher.suggest("e"), dict)


def test_without_memory_also_alone_it_has_failed(tmp_path: Path) -> None:
    searcher = searcher_of(a_plan(tmp_path, trials=2, resources=PAIRS))
    searcher.suggest("a"), searcher.suggest("b")
    searcher.end("b", reported(3, left=0.5, right=0.5))
    searcher.end("a", NO_MEMORY)
    searcher.suggest("c")
    assert failed_alone(searcher, "c")
    assert states(searcher) == [TrialState.FAIL, TrialState.COMPLETE]
    assert searcher.suggest("d") == "FINISHED"


def test_a_search_does_not_finish_before_the_last_second_attempt(tmp_path: Path) -> None:
    searcher = searcher_of(a_plan(tmp_path, trials=2, resources=PAIRS))
    searcher.suggest("a"), searcher.suggest("b")
    searcher.end("b", reported(3, left=0.5, right=0.5))
    assert searcher.suggest("c") is None, "a may still run out of memory"
    searcher.end("a", NO_MEMORY)
    assert searcher.has_more()
    assert isinstance(searcher.suggest("c"), dict)


def test_a_trial_that_was_alone_fails_at_once(tmp_path: Path) -> None:
    searcher = searcher_of(a_plan(tmp_path, trials=1))
    searcher.suggest("a")
    assert failed_alone(searcher, "a")
    assert states(searcher) == [TrialState.FAIL] and searcher.suggest("b") == "FINISHED"


def test_a_trial_with_a_whole_gpu_shares_no_memory(tmp_path: Path) -> None:
    searcher = searcher_of(a_plan(tmp_path, trials=2, resources={"parallelism": 2, "gpus": 1.0}))
    searcher.suggest("a"), searcher.suggest("b")
    assert failed_alone(searcher, "a")
    searcher.end("b", reported(3, left=0.5, right=0.5))
    assert not searcher.has_more(), "a is not tried again"


def test_two_trials_without_memory_are_retried_one_after_the_other(tmp_path: Path) -> None:
    searcher = searcher_of(a_plan(tmp_path, trials=2, resources=PAIRS))
    first, second = searcher.suggest("a"), searcher.suggest("b")
    searcher.end("a", NO_MEMORY)
    searcher.end("b", NO_MEMORY)
    assert searcher.suggest("c") == first
    assert searcher.suggest("d") is None
    searcher.end("c", NO_MEMORY)
    assert searcher.suggest("d") == second


def test_a_share_of_a_gpu_becomes_a_whole_one_and_waits_for_no_other_trial(tmp_path: Path) -> None:
    shares = {"parallelism": 3, "gpus": 0.5}
    searcher = searcher_of(a_plan(tmp_path, trials=5, resources=shares))
    first, second = searcher.suggest("a"), searcher.suggest("b")
    assert isinstance(first, dict) and isinstance(second, dict)
    assert not first["has_whole_gpu"] and not second["has_whole_gpu"]
    searcher.on_trial_start("b")
    searcher.end("a", NO_MEMORY)
    assert searcher.suggest("c") == first | {"has_whole_gpu": True}, "b continues next to it"
    assert searcher.suggest("d") is None, "a new trial would take the GPU's shares from it"
    searcher.on_trial_start("c")
    new = searcher.suggest("d")
    assert isinstance(new, dict) and not new["has_whole_gpu"]
    assert failed_alone(searcher, "c") and states(searcher).count(TrialState.FAIL) == 1


def test_a_second_attempt_that_loses_its_worker_is_still_one(tmp_path: Path) -> None:
    for resources in (PAIRS, {"parallelism": 2, "gpus": 0.5}):
        searcher = searcher_of(a_plan(tmp_path, trials=4, resources=resources))
        searcher.suggest("a"), searcher.suggest("b")
        searcher.end("a", NO_MEMORY)
        searcher.end("b", reported(3, left=0.5, right=0.5))
        again = searcher.suggest("c")
        searcher.end("c", None)
        assert searcher.suggest("d") == again
        assert searcher.suggest("e") is None, "d must be alone"
        assert failed_alone(searcher, "d"), "it had its second chance"

"""The made-up history of the scale benchmark."""

from __future__ import annotations

import pytest

from benchmarks.internal.scale import SPACE, TRIALS_A_SEARCH, Case, made_up


def test_the_history_has_its_searches_and_their_tasks_and_stays_in_the_space() -> None:
    history = made_up(Case(searches=25, is_known=True, objectives=2))
    trials = history.prior_trials(state=None)
    assert len(trials) == 25 * TRIALS_A_SEARCH
    assert len(history.searches) == 25
    assert history.tasks() == [f"task-{number}" for number in range(20)]
    assert not any(SPACE.problems(trial.configuration) for trial in trials[:200])
    complete = [trial for trial in trials if trial.state == "complete"]
    assert {len(trial.values) for trial in complete} == {2}


def test_a_sixth_of_the_past_trials_ran_out_of_memory_and_the_others_have_costs() -> None:
    trials = made_up(Case(searches=25, is_known=False, objectives=1)).prior_trials(state=None)
    failed = [trial for trial in trials if trial.state == "failed"]
    assert {trial.cause for trial in failed} == {"out of memory"}
    assert len(failed) / len(trials) == pytest.approx(1 / 6, abs=0.02)
    assert all(trial.work > 0 for trial in trials if trial.state == "complete")

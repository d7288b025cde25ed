"""The made-up history of the scale benchmark."""

from __future__ import annotations

from benchmarks.internal.scale import SPACE, TRIALS_A_SEARCH, Case, made_up


def test_the_history_has_its_searches_and_their_tasks_and_stays_in_the_space() -> None:
    history = made_up(Case(searches=25, is_known=True, objectives=2))
    trials = history.prior_trials()
    assert len(trials) == 25 * TRIALS_A_SEARCH
    assert len(history.searches) == 25
    assert history.tasks() == [f"task-{number}" for number in range(20)]
    assert not any(SPACE.problems(trial.configuration) for trial in trials[:200])
    assert {len(trial.values) for trial in trials} == {2}

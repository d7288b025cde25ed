"""HistoryModel: when it speaks, what it leans on, and that it keeps no state."""

from __future__ import annotations

import json

import numpy as np
import pytest

from search.apply.history_model import (
    FEWEST_COLD,
    FEWEST_WARM,
    FITTED_ALWAYS,
    FITTED_AT_MOST,
    HistoryModel,
    _milestone,
)
from search.apply.positions import Positions
from search.apply.source import OwnTrial
from search.review import Evidence
from tests.search.apply.tasks import SQUARE, at_random, modelled, own_trials, situation


def bowl(x, y):
    return (x - 0.3) ** 2 + (y - 0.6) ** 2


def inverted(x, y):
    return -bowl(x, y)


def cliff(x, y):
    return float(np.sin(9 * x) * np.cos(8 * y))


def model(tasks=(), same_task=(), left_out=None):
    return HistoryModel(tasks, left_out or {}, Positions(SQUARE), same_task, 0)


def past(loss=bowl, name="past", seed=7):
    return modelled(at_random(name, loss, 30, seed), SQUARE)


# When it speaks.


def test_results_are_fitted_always_at_first_and_then_at_every_tenth_more():
    assert [_milestone(count) for count in range(FITTED_ALWAYS + 1)] == list(range(21))
    # By hand, ever a tenth more, rounded up: 22, 24.2, 27.5, 30.8, 34.1, 38.5.
    following = {21: 20, 22: 22, 24: 22, 25: 25, 27: 25, 28: 28, 30: 28, 31: 31, 35: 35, 39: 39}
    assert {count: _milestone(count) for count in following} == following


def test_milestones_end():
    last = _milestone(FITTED_AT_MOST)
    assert FITTED_AT_MOST / 1.1 < last <= FITTED_AT_MOST
    assert _milestone(10 * FITTED_AT_MOST) == last


@pytest.mark.parametrize(
    ("tasks", "fewest"), [((), FEWEST_COLD), (past(), FEWEST_WARM)], ids=["cold", "warm"]
)
def test_it_is_silent_until_it_has_seen_enough(tasks, fewest):
    trials = own_trials(bowl, fewest)
    assert model(tasks).propose(situation(trials[:-1])) is None
    assert model(tasks).propose(situation(trials)) is not None


def test_cold_it_waits_for_starts_and_not_for_ends():
    trials = own_trials(bowl, FEWEST_COLD)
    running = [OwnTrial(each.number, "running", each.configuration) for each in trials[3:]]
    assert model().propose(situation([*trials[:3], *running])) is not None
    assert model().propose(situation([*trials[:2], *running])) is None


def test_failed_trials_are_not_results():
    failed = [OwnTrial(n, "failed", {"x": n / 9, "y": 0.5}) for n in range(9)]
    assert model(past()).propose(situation(failed)) is None


def test_prior_trials_of_the_same_task_are_results():
    same = at_random("own", bowl, 12)
    proposal = model(same_task=same).propose(situation())
    assert proposal.origin["step"] == "prior-model"
    assert proposal.origin["prior_trials"] == 12
    # Of 12 places at random, and a bowl that is smooth over the whole range.
    assert bowl(**proposal.configuration) < 0.05


# What it leans on.


def test_true_history_is_leaned_on_and_leads_to_the_best_place():
    proposal = model(past()).propose(situation(own_trials(bowl, 6)))
    assert proposal.origin["step"] == "history-model"
    assert proposal.origin["source_tasks"] == {"past": 1.0}
    assert proposal.origin["source_runs"][0].startswith("past/")
    assert proposal.origin["guard"]["history"] == "all"
    assert bowl(**proposal.configuration) < 0.01


def test_inverted_history_counts_in_reverse_or_not_at_all():
    made = model(past(inverted)).propose(situation(own_trials(bowl, 15))).origin
    assert sum(made["source_tasks"].values()) <= 0
    assert made["guard"]["agreement"]["past"] < -0.5


def test_unrelated_history_is_dropped_and_said_to_be():
    trials = own_trials(bowl, 20)
    made = model(past(cliff)).propose(situation(trials)).origin
    assert made["step"] == "model"
    assert made["source_tasks"] == {}
    assert made["guard"]["history"] == "none"
    assert made["guard"]["dropped"].keys() == {"past"}
    assert made["guard"]["trials"] == 20


def test_the_origin_is_json_with_the_tasks_left_out_before_the_first_trial():
    found = model(past(), left_out={"noise": "looks like noise"})
    made = found.propose(situation(own_trials(bowl, 5))).origin
    assert json.loads(json.dumps(made, allow_nan=False)) == made
    assert made["guard"]["dropped"]["noise"] == "looks like noise"


def test_without_history_there_is_no_guard():
    made = model().propose(situation(own_trials(bowl, 8))).origin
    assert made["step"] == "model"
    assert "guard" not in made


def test_a_task_foreseen_in_one_objective_is_leaned_on_in_that_one():
    hidden = np.random.default_rng(0)
    tasks = modelled(
        at_random("past", lambda x, y: (bowl(x, y), float(hidden.random())), 60),
        SQUARE,
        ["minimize"] * 2,
    )
    assert tasks[0].is_foreseen == (True, False)
    trials = own_trials(lambda x, y: (bowl(x, y), x), 6)
    made = model(tasks).propose(situation(trials, directions=["minimize"] * 2)).origin
    assert made["step"] == "history-model"


# What it may depend on.


def test_a_proposal_does_not_depend_on_when_the_model_was_first_asked():
    trials = own_trials(bowl, FITTED_ALWAYS + 4)  # two beyond the last milestone
    asked_always, asked_once = model(past()), model(past())
    for count in range(len(trials)):
        asked_always.propose(situation(trials[:count]))
    assert asked_always.propose(situation(trials)) == asked_once.propose(situation(trials))


def test_a_result_that_comes_late_is_not_overlooked():
    trials = own_trials(bowl, 8)
    pending = [*trials[:2], OwnTrial(2, "running", trials[2].configuration), *trials[3:]]
    asked_before = model(past())
    asked_before.propose(situation(pending))
    assert asked_before.propose(situation(trials)) == model(past()).propose(situation(trials))


def test_a_result_that_changes_what_a_stopped_trial_counts_is_not_overlooked():
    trials = own_trials(bowl, FITTED_ALWAYS + 1)
    trials[3] = OwnTrial(3, "stopped", trials[3].configuration)
    # The last is beyond what parameters are fitted to, but the worst, as the stopped one is then.
    trials[-1] = OwnTrial(FITTED_ALWAYS, "complete", trials[-1].configuration, (50.0,))
    asked_before = model(past())
    asked_before.propose(situation(trials[:-1]))
    after = asked_before.propose(situation(trials))
    assert after == model(past()).propose(situation(trials))
    assert after.origin["guard"] == model(past()).propose(situation(trials)).origin["guard"]


def test_what_was_tried_is_not_proposed_again():
    trials = own_trials(bowl, 6)
    first = model().propose(situation(trials))
    tried = situation(trials)
    tried.tried.add(SQUARE, first.configuration)
    assert model().propose(tried).configuration != first.configuration


def test_a_trial_under_way_keeps_others_away_from_its_place():
    from_tried, from_running = [], []
    for seed in range(5):
        trials = own_trials(cliff, 10, seed=10 + seed)
        before = situation(trials)
        first = model().propose(before).configuration
        before.tried.add(SQUARE, first)
        with_first = [*trials, OwnTrial(10, "running", first)]
        following = model().propose(before), model().propose(situation(with_first, number=10))
        for found, proposal in zip((from_tried, from_running), following, strict=True):
            second = proposal.configuration
            found.append(np.hypot(first["x"] - second["x"], first["y"] - second["y"]))
    # Forbidden only, the place is replaced by one beside it; believed in, there is little to learn.
    assert sum(from_running) > 3 * sum(from_tried)


def test_values_of_a_stopped_trial_do_not_count_but_its_place_does():
    trials = own_trials(bowl, 8)
    stopped = [OwnTrial(8, "stopped", {"x": 0.3, "y": 0.6})]
    proposal = model().propose(situation([*trials, *stopped]))
    # There it was stopped: as bad as the worst, so the best place is elsewhere now.
    assert np.hypot(proposal.configuration["x"] - 0.3, proposal.configuration["y"] - 0.6) > 0.03


@pytest.mark.parametrize("objectives", [1, 2, 3])
def test_equal_results_are_no_error(objectives):
    trials = own_trials(lambda x, y: (1.0,) * objectives, 8)
    at = situation(trials, directions=["minimize"] * objectives)
    assert SQUARE.contains(model().propose(at).configuration)


def test_prior_trials_beyond_the_space_stay_in_the_model():
    same = [
        Evidence("own", str(index), "complete", {"x": x, "y": 0.5}, ((x - 1.4) ** 2,), False)
        for index, x in enumerate(np.linspace(0.2, 1.6, 10).tolist())
    ]
    proposal = model(same_task=same).propose(situation())
    # The best lies outside at 1.4, so the best inside is at the edge.
    assert proposal.configuration["x"] > 0.9

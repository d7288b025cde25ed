"""TransferModel: when it proposes, which tasks it uses, and that it keeps no state."""

from __future__ import annotations

import json

import numpy as np
import pytest

from search.apply.transfer_model import (
    FEWEST_COLD,
    FEWEST_WARM,
    FITTED_ALWAYS,
    FITTED_AT_MOST,
    _milestone,
)
from tests.support.earlier_tasks import (
    SQUARE,
    at_random,
    bowl,
    cliff,
    context,
    model,
    modelled,
    own_trial,
    own_trials,
    past,
)


def inverted(x, y):
    return -bowl(x, y)


# When it proposes.


def test_results_are_fitted_always_at_first_and_then_at_every_tenth_more():
    assert [_milestone(count) for count in range(FITTED_ALWAYS + 1)] == list(range(21))
    # By hand, each a tenth more, rounded up: 22, 24.2, 27.5, 30.8, 34.1, 38.5.
    following = {21: 20, 22: 22, 24: 22, 25: 25, 27: 25, 28: 28, 30: 28, 31: 31, 35: 35, 39: 39}
    assert {count: _milestone(count) for count in following} == following


def test_milestones_end():
    last = _milestone(FITTED_AT_MOST)
    assert FITTED_AT_MOST / 1.1 < last <= FITTED_AT_MOST
    assert _milestone(10 * FITTED_AT_MOST) == last


@pytest.mark.parametrize(
    ("tasks", "fewest"), [((), FEWEST_COLD), (past(), FEWEST_WARM)], ids=["cold", "warm"]
)
def test_it_proposes_nothing_until_it_has_enough_results(tasks, fewest):
    trials = own_trials(bowl, fewest)
    assert model(tasks).propose(context(trials[:-1])) is None
    assert model(tasks).propose(context(trials)) is not None


def test_cold_it_waits_for_starts_and_not_for_ends():
    trials = own_trials(bowl, FEWEST_COLD)
    running = [own_trial(each.number, "running", each.configuration) for each in trials[3:]]
    assert model().propose(context([*trials[:3], *running])) is not None
    assert model().propose(context([*trials[:2], *running])) is None


@pytest.mark.slow
def test_if_history_is_dropped_before_a_cold_model_would_propose_it_proposes_nothing():
    asked = [model(past(cliff)).propose(context(own_trials(bowl, 5, seed))) for seed in range(12)]
    assert {made.origin["step"] for made in asked if made} <= {"history-model"}
    assert None in asked  # the tasks are unrelated, so five results are enough in some


def test_failed_trials_are_not_results():
    failed = [own_trial(n, "failed", {"x": n / 9, "y": 0.5}) for n in range(9)]
    assert model(past()).propose(context(failed)) is None


def test_prior_trials_of_the_same_task_are_results():
    same = at_random("own", bowl, 12)
    proposal = model(same_task=same).propose(context())
    assert proposal.origin["step"] == "prior-model"
    assert proposal.origin["prior_trials"] == 12
    # Of 12 places at random, and a bowl that is smooth over the whole range.
    assert bowl(**proposal.configuration) < 0.05


# Which tasks it uses.


def test_true_history_is_used_and_leads_to_the_best_place():
    proposal = model(past()).propose(context(own_trials(bowl, 6)))
    assert proposal.origin["step"] == "history-model"
    assert proposal.origin["source_tasks"] == {"past": 1.0}
    assert proposal.origin["source_runs"][0].startswith("past/")
    assert proposal.origin["guard"]["history"] == "all"
    assert bowl(**proposal.configuration) < 0.01


def test_inverted_history_has_a_negative_weight_or_none():
    made = model(past(inverted)).propose(context(own_trials(bowl, 15))).origin
    assert sum(made["source_tasks"].values()) <= 0
    assert made["guard"]["agreement"]["past"] < -0.5


def test_unrelated_history_is_dropped_and_that_is_recorded():
    trials = own_trials(bowl, 20)
    made = model(past(cliff)).propose(context(trials)).origin
    assert made["step"] == "model"
    assert made["source_tasks"] == {}
    assert made["guard"]["history"] == "none"
    assert made["guard"]["dropped"].keys() == {"past"}
    assert made["guard"]["trials"] == 20


def test_the_origin_is_json_with_the_tasks_left_out_before_the_first_trial():
    found = model(past(), left_out={"noise": "looks like noise"})
    made = found.propose(context(own_trials(bowl, 5))).origin
    assert json.loads(json.dumps(made, allow_nan=False)) == made
    assert made["guard"]["dropped"]["noise"] == "looks like noise"


def test_without_history_there_is_no_guard():
    made = model().propose(context(own_trials(bowl, 8))).origin
    assert made["step"] == "model"
    assert "guard" not in made


def test_a_task_that_is_predictable_in_one_objective_is_used_in_that_one():
    hidden = np.random.default_rng(0)
    tasks = modelled(
        at_random("past", lambda x, y: (bowl(x, y), float(hidden.random())), 60),
        SQUARE,
        ["minimize"] * 2,
    )
    assert tasks[0].is_predictable == (True, False)
    trials = own_trials(lambda x, y: (bowl(x, y), x), 6)
    at = context(trials, directions=["minimize"] * 2)
    made = model(tasks).propose(at).origin
    assert made["step"] == "history-model"
    # In the other it predicts no difference, so its agreement over all is unknown.
    assert made["guard"]["agreement"] == {}
    assert made["guard"]["history"] == "agreeing"


@pytest.mark.slow
def test_a_task_that_is_right_in_one_objective_and_inverted_in_the_other_has_a_weight():
    tasks = modelled(
        at_random("past", lambda x, y: (bowl(x, y), inverted(x, y)), 30, 7),
        SQUARE,
        ["minimize"] * 2,
    )
    trials = own_trials(lambda x, y: (bowl(x, y), bowl(x, y)), 10)
    made = model(tasks).propose(context(trials, directions=["minimize"] * 2)).origin
    assert abs(made["source_tasks"]["past"]) == 1.0


def test_the_run_named_is_the_nearest_of_the_better_half_of_its_task():
    tasks = past()
    proposal = model(tasks).propose(context(own_trials(bowl, 6)))
    there = proposal.configuration
    better = sorted(tasks[0].trials, key=lambda trial: trial.values)[: len(tasks[0].trials) // 2]
    nearest = min(
        better,
        key=lambda trial: np.hypot(
            trial.configuration["x"] - there["x"], trial.configuration["y"] - there["y"]
        ),
    )
    assert proposal.origin["source_runs"] == [nearest.run_id]


def test_with_two_objectives_it_goes_between_their_best_places():
    def corners(x, y):
        return (x - 0.2) ** 2 + (y - 0.2) ** 2, (x - 0.8) ** 2 + (y - 0.8) ** 2

    trials = own_trials(corners, 15)
    for number in range(15, 20):
        at = context(trials, directions=["minimize"] * 2)
        there = model().propose(at).configuration
        trials.append(own_trial(number, "complete", there, corners(**there)))
        # The compromises are the diagonal; a random place is 0.24 away from it on average.
        assert abs(there["x"] - there["y"]) / np.sqrt(2) < 0.12


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_under_noise_two_objectives_are_not_measured_at_one_place_again_and_again(seed):
    generator = np.random.default_rng(seed)

    def noisy(x, y):
        values = (x - 0.2) ** 2 + (y - 0.2) ** 2, (x - 0.8) ** 2 + (y - 0.8) ** 2
        return tuple(value + 0.1 * generator.standard_normal() for value in values)

    trials, again, proposing = own_trials(noisy, 10), 0, model()
    for number in range(10, 35):
        there = proposing.propose(context(trials, directions=["minimize"] * 2)).configuration
        nearest = min(
            np.hypot(trial.configuration["x"] - there["x"], trial.configuration["y"] - there["y"])
            for trial in trials
        )
        again += nearest < 0.02
        trials.append(own_trial(number, "complete", there, noisy(**there)))
    # With the predicted values of the trials for known it was 3 to 6 of the last 13.
    assert again <= 1

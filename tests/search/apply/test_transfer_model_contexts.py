"""TransferModel keeps no state: a proposal depends on the context, and on all of it."""

from __future__ import annotations

import numpy as np
import pytest

from search.apply.transfer_model import FITTED_ALWAYS
from tests.support.earlier_tasks import (
    SQUARE,
    bowl,
    cliff,
    context,
    model,
    own_trial,
    own_trials,
    past,
    prior_trial,
)


@pytest.mark.slow
def test_a_proposal_does_not_depend_on_when_the_model_was_first_asked():
    trials = own_trials(bowl, FITTED_ALWAYS + 4)  # two beyond the last milestone
    asked_always, asked_once = model(past()), model(past())
    for count in range(len(trials)):
        asked_always.propose(context(trials[:count]))
    assert asked_always.propose(context(trials)) == asked_once.propose(context(trials))


@pytest.mark.slow
def test_a_result_that_comes_late_is_not_overlooked():
    trials = own_trials(bowl, 8)
    pending = [*trials[:2], own_trial(2, "running", trials[2].configuration), *trials[3:]]
    asked_before = model(past())
    asked_before.propose(context(pending))
    assert asked_before.propose(context(trials)) == model(past()).propose(context(trials))


@pytest.mark.slow
def test_a_result_that_changes_what_a_stopped_trial_counts_is_not_overlooked():
    trials = own_trials(bowl, FITTED_ALWAYS + 1)
    trials[3] = own_trial(3, "stopped", trials[3].configuration)
    # The last is beyond what parameters are fitted to, but the worst, as the stopped one is then.
    trials[-1] = own_trial(FITTED_ALWAYS, "complete", trials[-1].configuration, (50.0,))
    asked_before = model(past())
    asked_before.propose(context(trials[:-1]))
    after = asked_before.propose(context(trials))
    assert after == model(past()).propose(context(trials))
    assert after.origin["guard"] == model(past()).propose(context(trials)).origin["guard"]


def test_what_was_tried_is_not_proposed_again():
    trials = own_trials(bowl, 6)
    first = model().propose(context(trials))
    tried = context(trials)
    tried.tried.add(SQUARE, first.configuration)
    assert model().propose(tried).configuration != first.configuration


@pytest.mark.slow
def test_a_running_trial_keeps_others_away_from_its_place():
    from_tried, from_running = [], []
    for seed in range(5):
        trials = own_trials(cliff, 10, seed=10 + seed)
        before = context(trials)
        first = model().propose(before).configuration
        before.tried.add(SQUARE, first)
        with_first = [*trials, own_trial(10, "running", first)]
        following = model().propose(before), model().propose(context(with_first, number=10))
        for found, proposal in zip((from_tried, from_running), following, strict=True):
            second = proposal.configuration
            found.append(np.hypot(first["x"] - second["x"], first["y"] - second["y"]))
    # A place that is only forbidden is replaced by one next to it; with a fantasy there is little
    # to learn nearby.
    assert sum(from_running) > 3 * sum(from_tried)


def test_values_of_a_stopped_trial_do_not_count_but_its_place_does():
    trials = own_trials(bowl, 8)
    stopped = [own_trial(8, "stopped", {"x": 0.3, "y": 0.6})]
    proposal = model().propose(context([*trials, *stopped]))
    # There it was stopped: as bad as the worst, so the best place is elsewhere now.
    assert np.hypot(proposal.configuration["x"] - 0.3, proposal.configuration["y"] - 0.6) > 0.03


@pytest.mark.parametrize("objectives", [1, 2, 3])
def test_equal_results_are_no_error(objectives):
    trials = own_trials(lambda x, y: (1.0,) * objectives, 8)
    at = context(trials, directions=["minimize"] * objectives)
    assert SQUARE.contains(model().propose(at).configuration)


def test_prior_trials_beyond_the_space_stay_in_the_model():
    same = [
        prior_trial("own", str(index), "complete", {"x": x, "y": 0.5}, ((x - 1.4) ** 2,), False)
        for index, x in enumerate(np.linspace(0.2, 1.6, 10).tolist())
    ]
    proposal = model(same_task=same).propose(context())
    # The best lies outside at 1.4, so the best inside is at the edge.
    assert proposal.configuration["x"] > 0.9

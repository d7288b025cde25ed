"""Opening: the first trial of a search without history."""

from __future__ import annotations

import pytest

from search.apply.opening import Opening
from search.apply.positions import Positions
from search.apply.source import Situation, Tried
from tests.contracts import sampler as contracts
from tests.search.apply.tasks import SQUARE, own_trial, situation, unnamed

OPENING = Opening(Positions(SQUARE))


def test_the_first_trial_is_the_middle_of_the_space():
    proposal = OPENING.propose(situation())
    assert proposal.configuration == {"x": 0.5, "y": 0.5}
    assert proposal.origin["step"] == "opening"
    assert proposal.origin["source_runs"] == []


def test_a_conditional_space_is_opened_with_a_legal_configuration():
    opening = Opening(Positions(contracts.CONDITIONAL))
    proposal = opening.propose(situation(space=contracts.CONDITIONAL))
    assert contracts.CONDITIONAL.problems(proposal.configuration) == []


@pytest.mark.parametrize("state", ["running", "complete", "stopped", "failed"])
def test_after_any_trial_it_has_nothing_to_say(state):
    assert OPENING.propose(situation([own_trial(0, state, {"x": 0.1, "y": 0.2})])) is None


def test_what_was_tried_on_this_task_before_counts():
    tried = Tried()
    tried.add(SQUARE, {"x": 0.1, "y": 0.2})
    assert OPENING.propose(Situation(0, SQUARE, unnamed(("minimize",)), (), tried, 0)) is None

"""Strategy: the opening of a search without history, and the control arm."""

from __future__ import annotations

import json

import optuna
import pytest

from search.apply import WarmStartSampler
from search.apply.candidate_grid import CandidateGrid
from search.apply.proposal_source import Context, Tried
from search.apply.strategy import Control, Opening
from search.history import History
from tests.support import studies
from tests.support.earlier_tasks import SQUARE, context, own_trial, own_trials, unnamed

OPENING = Opening(CandidateGrid(SQUARE))


def test_the_first_trial_is_the_middle_of_the_space():
    proposal = OPENING.propose(context())
    assert proposal.configuration == {"x": 0.5, "y": 0.5}
    assert proposal.origin["step"] == "opening"
    assert proposal.origin["source_runs"] == []


def test_a_conditional_space_is_opened_with_a_legal_configuration():
    opening = Opening(CandidateGrid(studies.CONDITIONAL))
    proposal = opening.propose(context(space=studies.CONDITIONAL))
    assert studies.CONDITIONAL.problems(proposal.configuration) == []


@pytest.mark.parametrize("state", ["running", "complete", "stopped", "failed"])
def test_after_any_trial_it_proposes_nothing(state):
    assert OPENING.propose(context([own_trial(0, state, {"x": 0.1, "y": 0.2})])) is None


def test_what_was_tried_on_this_task_before_counts():
    tried = Tried()
    tried.add(SQUARE, {"x": 0.1, "y": 0.2})
    assert OPENING.propose(Context(0, SQUARE, unnamed(("minimize",)), (), tried, 0)) is None


optuna.logging.set_verbosity(optuna.logging.ERROR)

SIZE = 7
ARM = list(range(1, 2 * SIZE, 2))


def searched(history, trials=2 * SIZE + 2, evaluate=studies.evaluate, task=None):
    sampler = WarmStartSampler(history, studies.CONDITIONAL, 0, task=task, control=SIZE)
    study = studies.create_study(sampler, 1)
    configurations = []
    for number in range(trials):
        trial = study.ask()
        configurations.append(studies.CONDITIONAL.suggest(trial))
        study.tell(trial, evaluate(configurations[-1], number)[0])
    return sampler, configurations


def plainly(configuration, number):
    return studies.evaluate(configuration)


@pytest.fixture(scope="module")
def warm():
    return searched(studies.prior_history(objectives=1), evaluate=plainly)


def test_every_second_of_the_first_trials_belongs_to_the_arm_and_no_later_one(warm):
    sampler, configurations = warm
    steps = [sampler.origin(number)["step"] for number in range(len(configurations))]
    assert [number for number, step in enumerate(steps) if step == "control"] == ARM


@pytest.mark.slow
@pytest.mark.parametrize("task", [None, "task 0"])
def test_the_arm_proposes_the_same_with_and_without_history(warm, task):
    if task == "task 0":
        warm = searched(studies.prior_history(objectives=1), evaluate=plainly, task=task)
    _, cold = searched(History.empty(), evaluate=plainly, task=task)
    assert [warm[1][number] for number in ARM] == [cold[number] for number in ARM]
    # The others use history, so they differ.
    assert warm[1][:8:2] != cold[:8:2]


@pytest.mark.slow
def test_the_others_do_not_see_the_arm_until_it_is_full(warm):
    def misleading(configuration, number):
        # Only the values of the arm are inverted.
        sign = -1 if number in ARM else 1
        return tuple(sign * value for value in studies.evaluate(configuration))

    _, turned = searched(studies.prior_history(objectives=1), evaluate=misleading)
    assert turned[: 2 * SIZE : 2] == warm[1][: 2 * SIZE : 2]
    assert turned[2 * SIZE :] != warm[1][2 * SIZE :]  # afterwards one model uses all trials


@pytest.mark.slow
def test_the_arm_does_not_see_the_others(warm):
    def misleading(configuration, number):
        sign = 1 if number in ARM else -1
        return tuple(sign * value for value in studies.evaluate(configuration))

    _, turned = searched(studies.prior_history(objectives=1), evaluate=misleading)
    assert [turned[number] for number in ARM] == [warm[1][number] for number in ARM]


def test_origins_are_json_and_the_arm_has_neither_sources_nor_a_guard(warm):
    origins = [warm[0].origin(number) for number in range(2 * SIZE + 2)]
    assert json.loads(json.dumps(origins, allow_nan=False)) == origins
    assert any("guard" in made for made in origins)
    for number in ARM:
        assert origins[number]["source_runs"] == []
        assert origins[number]["source_tasks"] == {}
        assert "guard" not in origins[number]


def test_a_running_arm_proposes_distinct_configurations(warm):
    keys = {studies.CONDITIONAL.key(configuration) for configuration in warm[1]}
    assert len(keys) == len(warm[1])


def test_the_arm_opens_like_a_search_without_history(warm):
    assert warm[1][1] == CandidateGrid(studies.CONDITIONAL).middle()


def test_the_arms_model_proposes_after_as_many_trials_as_a_cold_one():
    control = Control(20, CandidateGrid(SQUARE), 0)
    trials = own_trials(lambda x, y: (x - 0.3) ** 2 + y, 12)
    assert control.propose(context(trials[:11])) is None  # five of them are of the arm
    assert control.propose(context(trials, number=13)) is not None


def test_contexts_of_the_others_hide_the_arm_and_later_ones_nothing():
    control = Control(2, CandidateGrid(SQUARE), 0)
    trials = [own_trial(n, "complete", {"x": n / 9, "y": 0.5}, (float(n),)) for n in range(4)]
    hidden = control.hidden(context(trials[:2], number=2))
    assert [trial.number for trial in hidden.trials] == [0]
    full = control.hidden(context(trials, number=4))
    assert [trial.number for trial in full.trials] == [0, 1, 2, 3]


def test_without_control_trials_no_trial_is_one():
    control = Control(0, CandidateGrid(SQUARE), 0)
    assert not any(control.holds(number) for number in range(10))

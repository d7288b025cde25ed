"""OwnTrials: an Optuna study's trials as the sources see them."""

from __future__ import annotations

import math

import optuna
import pytest
from optuna.trial import TrialState

from search.apply.own_data import OwnTrials
from search.apply.proposal_source import Proposal
from tests.support import studies
from tests.support.earlier_tasks import own_trial

optuna.logging.set_verbosity(optuna.logging.ERROR)

SPACE = studies.CONDITIONAL


def study_of():
    return studies.create_study(optuna.samplers.RandomSampler(seed=0), 1)


def asked(study):
    trial = study.ask()
    return trial, SPACE.suggest(trial)


def states(trials):
    return [trial.state for trial in trials]


def test_every_end_of_a_trial_has_its_state():
    study = study_of()
    for end in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL):
        trial, _ = asked(study)
        study.tell(trial, 1.0 if end == TrialState.COMPLETE else None, state=end)
    asked(study)
    study.enqueue_trial({"width": 8})
    found = OwnTrials(SPACE).update(study, {}, {})
    assert states(found) == [
        "complete",
        "stopped",
        "failed",
        "running",
    ]  # waiting ones do not count
    assert [trial.values for trial in found] == [(1.0,), (), (), ()]


@pytest.mark.parametrize("value", [math.inf, -math.inf])
def test_a_value_that_is_no_number_is_a_failure(value):
    study = study_of()
    study.tell(asked(study)[0], value)
    assert OwnTrials(SPACE).update(study, {}, {})[0].state == "failed"


def test_the_trial_being_asked_for_is_not_among_them():
    study = study_of()
    asked(study)
    trial, _ = asked(study)
    assert [
        each.number for each in OwnTrials(SPACE).update(study, {}, {}, without=trial.number)
    ] == [0]


def test_a_running_trial_counts_as_what_it_was_given_until_it_has_asked():
    study = study_of()
    trial = study.ask()
    given = {"optimizer": "adamw", "width": 9, "blocks": 1, "augment": True,
             "adamw.learning_rate": 0.01}  # fmt: skip
    own = OwnTrials(SPACE)
    assert own.update(study, {0: Proposal(given, {})}, {}) == (own_trial(0, "running", given),)
    trial.suggest_categorical("optimizer", ["sgd", "adamw"])
    assert own.tried.holds(SPACE, given)


def test_a_trial_that_crashed_while_asking_does_not_block_what_agrees_with_the_little_it_asked():
    study = study_of()
    trial = study.ask()
    optimizer = trial.suggest_categorical("optimizer", ["sgd", "adamw"])
    study.tell(trial, state=TrialState.FAIL)
    own = OwnTrials(SPACE)
    assert own.update(study, {}, {})[0].configuration == {"optimizer": optimizer}
    assert len(own.tried) == 0


def test_a_complete_trial_that_asked_for_little_stands_for_all_that_agree_with_it():
    study = study_of()
    trial = study.ask()
    optimizer = trial.suggest_categorical("optimizer", ["sgd", "adamw"])
    study.tell(trial, 1.0)
    own = OwnTrials(SPACE)
    own.update(study, {}, {})
    assert own.tried.holds(SPACE, {"optimizer": optimizer, "width": 8})


def test_a_violation_is_the_sum_of_what_exceeds_zero():
    study = study_of()
    trial, _ = asked(study)
    for name, value in {"memory": 2.0, "seconds": 0.5, "width": -3.0}.items():
        trial.set_constraint(name, value)
    study.tell(trial, 1.0)
    assert OwnTrials(SPACE).update(study, {}, {})[0].violation == 2.5


def test_a_trial_that_ended_since_is_restated():
    study = study_of()
    trial, _ = asked(study)
    own = OwnTrials(SPACE)
    assert states(own.update(study, {}, {})) == ["running"]
    study.tell(trial, 3.0)
    assert own.update(study, {}, {})[0].values == (3.0,)

"""CompletedStudy: the study that an Optuna sampler sees."""

from __future__ import annotations

from typing import Any

import optuna
from optuna.samplers import BaseSampler, RandomSampler
from optuna.search_space import IntersectionSearchSpace
from optuna.trial import TrialState

from search.apply import WarmStartSampler
from search.apply.objective_model import TOLERANCE, objective_model_of
from search.apply.optuna_sampler import CompletedStudy
from search.apply.proposal_source import Context, Tried
from search.history import Trial
from search.objectives.objective import Objective, Role
from tests.support import studies
from tests.support.earlier_tasks import own_trial, prior_trial, unnamed

optuna.logging.set_verbosity(optuna.logging.ERROR)
SPACE = studies.CONDITIONAL
SGD = {"optimizer": "sgd", "width": 16, "blocks": 2, "augment": True, "sgd.learning_rate": 0.1,
       "sgd.momentum": 0.5}  # fmt: skip
ADAMW = {"optimizer": "adamw", "width": 32, "blocks": 1, "augment": False,
         "adamw.learning_rate": 0.01}  # fmt: skip


class Spy(RandomSampler):
    """Records the trials and the joint space that a model would see."""

    def __init__(self) -> None:
        super().__init__(seed=0)
        self.joint: set[str] = set()
        self.trials: list[optuna.trial.FrozenTrial] = []

    def infer_relative_search_space(self, study: optuna.Study, trial: Any) -> dict[str, Any]:
        self.joint = set(IntersectionSearchSpace().calculate(study))
        self.trials = [t for t in study.trials if t.state != TrialState.FAIL and t.params]
        return {}


def ask(
    spy: BaseSampler, own: list[Trial], prior: list[Trial] | None = None,
    directions: tuple[str, ...] = ("maximize", "minimize"),
) -> CompletedStudy:  # fmt: skip
    source = CompletedStudy(spy, prior or [], 0)
    again(source, own, directions)
    return source


def again(
    source: CompletedStudy, own: list[Trial], directions: tuple[str, ...] = ("maximize", "minimize")
) -> None:
    assert source.propose(Context(99, SPACE, unnamed(directions), tuple(own), Tried(), 0))


def test_prior_trials_keep_the_target_space_joint():
    spy = Spy()
    history = studies.prior_history()
    foreign = [  # one lacks a hyperparameter, one has another optimizer's only
        prior_trial("task 0", "r0", "complete", {"optimizer": "adamw"}, (1.0, 1.0), False),
        prior_trial("task 0", "r1", "complete", ADAMW, (1.0, 2.0), True),
    ]
    ask(spy, [own_trial(0, "complete", SGD, (1.0, 0.0))], foreign)
    assert spy.joint == set(SPACE.distributions)
    # Also with WarmStartSampler, and for comparison with plain Optuna on the same trials.
    study = studies.create_study(WarmStartSampler(history, SPACE, task="task 0", sampler=spy), 2)
    studies.run(study, 3)
    assert spy.joint == set(SPACE.distributions)
    assert set(IntersectionSearchSpace().calculate(study)) < set(SPACE.distributions)


def test_imputed_values_are_spread_and_belong_to_their_trial():
    spy = Spy()
    own = [own_trial(number, "complete", ADAMW, (1.0, 0.0)) for number in range(30)]
    ask(spy, own)
    drawn = [trial.params["sgd.learning_rate"] for trial in spy.trials]
    assert len(set(drawn)) == 30
    assert min(drawn) < 0.01 < 0.1 < max(drawn)  # of 1e-3 to 1: missed with probability 2 (2/3)^30
    ask(spy, own[:5])
    assert [trial.params["sgd.learning_rate"] for trial in spy.trials] == drawn[:5]
    assert all(trial.params["adamw.learning_rate"] == 0.01 for trial in spy.trials)


def test_stopped_trials_count_as_the_worst_complete_values():
    spy = Spy()
    own = [
        own_trial(0, "complete", SGD, (0.9, 5.0)),
        own_trial(1, "stopped", ADAMW),
        own_trial(2, "complete", SGD | {"width": 8}, (0.6, 2.0)),
    ]
    source = ask(spy, own)
    assert [trial.values for trial in spy.trials] == [[0.9, 5.0], [0.6, 5.0], [0.6, 2.0]]
    again(source, [*own, own_trial(3, "complete", SGD | {"width": 9}, (0.5, 7.0))])
    assert [trial.values for trial in spy.trials][1] == [0.5, 7.0]


def test_failed_trials_and_stopped_ones_without_a_complete_one_are_not_shown():
    spy = Spy()
    ask(spy, [own_trial(0, "failed", SGD), own_trial(1, "stopped", ADAMW)])
    assert spy.trials == []


def test_a_running_trial_is_pending_and_then_takes_its_values():
    spy = Spy()
    source = ask(spy, [own_trial(0, "running", SGD)])
    assert [trial.state for trial in spy.trials] == [TrialState.RUNNING]
    again(source, [own_trial(0, "complete", SGD, (0.5, 1.0))])
    assert [(trial.state, trial.values) for trial in spy.trials] == [
        (TrialState.COMPLETE, [0.5, 1.0])
    ]


def test_a_trial_that_ran_something_else_than_proposed_is_shown_as_it_ran():
    spy = Spy()
    source = ask(spy, [own_trial(0, "running", SGD)])
    again(source, [own_trial(0, "complete", ADAMW, (0.5, 1.0))])
    assert [trial.params["optimizer"] for trial in spy.trials] == ["adamw"]


def test_a_proposal_leaves_no_pending_trial_behind():
    spy = Spy()
    source = ask(spy, [])
    again(source, [])
    assert spy.trials == []


def test_constraints_go_with_the_values_to_every_trial_that_has_some():
    spy = Spy()
    own = [
        own_trial(0, "complete", SGD, (0.9, 5.0), {"seconds": 2.0}),
        own_trial(1, "complete", ADAMW, (0.8, 4.0)),
        own_trial(2, "running", SGD | {"width": 8}),
    ]
    source = ask(spy, own)
    # Optuna's Gaussian process needs the same constraints of all; a missing one counts as kept.
    assert [trial.constraints for trial in spy.trials] == [{"seconds": 2.0}, {"seconds": 0.0}, {}]
    done = own_trial(2, "complete", SGD | {"width": 8}, (0.7, 3.0), {"seconds": -1.0})
    again(source, [*own[:2], done])
    assert [trial.constraints["seconds"] for trial in spy.trials] == [2.0, 0.0, -1.0]
    assert [trial.state for trial in spy.trials] == [TrialState.COMPLETE] * 3


def test_a_running_trial_that_fails_under_constraints_is_removed_once():
    spy = Spy()
    own = [own_trial(0, "complete", SGD, (0.9, 5.0), {"seconds": 2.0})]
    source = ask(spy, [*own, own_trial(1, "running", ADAMW)])
    for _ in range(2):
        again(source, [*own, own_trial(1, "failed", ADAMW)])
        assert len(spy.trials) == 1


def test_a_tolerance_that_moves_is_shown_of_every_trial_anew():
    spy = Spy()
    last = Role("lexicographic", tolerance=0.25)
    goals = (Objective("a", "maximize"), Objective("b", "minimize", last))
    model = objective_model_of(goals)
    prior = [prior_trial("t", "r", "complete", ADAMW, (0.5, 1.0), True)]
    source = CompletedStudy(spy, prior, 0)

    def proposed(*own: Trial) -> list[float]:
        source.propose(Context(9, SPACE, goals, own, Tried(), 0, model))
        return [trial.constraints[TOLERANCE] for trial in spy.trials]

    first = own_trial(0, "complete", SGD, (0.75, 2.0))
    assert proposed() == [-0.25]
    assert proposed(first) == [0.0, -0.25]
    assert proposed(first, own_trial(1, "complete", SGD | {"width": 9}, (1.0, 3.0))) == [
        0.25, 0.0, -0.25,
    ]  # fmt: skip

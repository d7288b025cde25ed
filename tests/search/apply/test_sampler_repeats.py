"""WarmStartSampler proposes nothing that was tried while anything else is left."""

from __future__ import annotations

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, IntDistribution
from optuna.trial import create_trial

from search.apply import WarmStartSampler
from search.apply.sampler import TRANSFER
from search.history import History
from search.space import SearchSpace
from tests.support import studies
from tests.support.samplers import FAST

optuna.logging.set_verbosity(optuna.logging.ERROR)


SMALL = SearchSpace.from_distributions(
    {"width": IntDistribution(1, 3), "optimizer": CategoricalDistribution(["sgd", "adamw"])}
)


each_sampler = pytest.mark.parametrize("name", [TRANSFER, "tpe"])


@each_sampler
def test_a_finite_space_is_walked_through_without_repeats_and_then_exhausted(name):
    sampler = WarmStartSampler(None, SMALL, sampler=FAST[name])
    study = studies.create_study(sampler, 1)
    keys = set()
    for _ in range(6):
        assert not sampler.is_exhausted(study)
        trial = study.ask()
        keys.add(SMALL.key(SMALL.suggest(trial)))
        study.tell(trial, 0.0)
    assert len(keys) == 6
    assert sampler.is_exhausted(study)
    trial = study.ask()
    assert SMALL.contains(SMALL.suggest(trial))
    assert sampler.origin(6)["repeated"] is True


@each_sampler
def test_what_was_tried_on_the_same_task_is_not_proposed_again(name):
    earlier = optuna.create_study(directions=["minimize"])
    for width in (1, 2):
        for optimizer in ("sgd", "adamw"):
            earlier.add_trial(
                create_trial(
                    params={"width": width, "optimizer": optimizer},
                    distributions=dict(SMALL.distributions),
                    values=[float(width)],
                )
            )
    history = History.from_studies({"digits": earlier}, ["minimize"])
    sampler = WarmStartSampler(history, SMALL, task="digits", sampler=FAST[name], confirm=False)
    study = studies.create_study(sampler, 1)
    assert [c["width"] for c in _run_small(study, 2)] == [3, 3]
    assert sampler.is_exhausted(study)


@each_sampler
def test_a_prior_trial_of_which_something_is_unknown_blocks_nothing(name):
    earlier = optuna.create_study(directions=["minimize"])
    for width in (1, 2, 3):
        only = {"width": SMALL.distributions["width"]}
        earlier.add_trial(create_trial(params={"width": width}, distributions=only, values=[1.0]))
    history = History.from_studies({"digits": earlier}, ["minimize"])
    sampler = WarmStartSampler(history, SMALL, task="digits", sampler=FAST[name])
    study = studies.create_study(sampler, 1)
    assert len({SMALL.key(configuration) for configuration in _run_small(study, 6)}) == 6
    assert sampler.is_exhausted(study)


def test_what_was_tried_on_another_task_may_be_proposed_again():
    earlier = optuna.create_study(directions=["minimize"])
    for width in (1, 2, 3):
        earlier.add_trial(
            create_trial(
                params={"width": width, "optimizer": "sgd"},
                distributions=dict(SMALL.distributions),
                values=[float(width)],
            )
        )
    history = History.from_studies({"digits": earlier}, ["minimize"])
    study = studies.create_study(WarmStartSampler(history, SMALL), 1)
    assert _run_small(study, 1) == [{"width": 1, "optimizer": "sgd"}]


@each_sampler
def test_a_search_is_proposed_what_its_study_would_be_and_nothing_once_all_is_tried(name):
    asked = studies.create_study(WarmStartSampler(None, SMALL, sampler=FAST[name]), 1)
    sampler = WarmStartSampler(None, SMALL, sampler=FAST[name])
    study = studies.create_study(sampler, 1)
    proposals = []
    while (proposal := sampler.propose(study)) is not None:
        proposals.append(dict(proposal.configuration))
        assert dict(proposal.origin) == sampler.origin(len(proposals) - 1)
        study.tell(sampler.ask(study, proposal), 0.0)
    assert proposals == _run_small(asked, 6)
    assert [trial.params for trial in study.trials] == proposals


def test_a_sampler_that_repeats_itself_is_replaced_by_random_draws_and_that_is_recorded():
    class Stubborn(optuna.samplers.RandomSampler):
        def sample_independent(self, study, trial, name, distribution):
            return {"width": 1, "optimizer": "sgd"}[name]

    sampler = WarmStartSampler(None, SMALL, sampler=Stubborn())
    study = studies.create_study(sampler, 1)
    _run_small(study, 6)
    assert "reason" not in sampler.origin(0)
    assert {sampler.origin(number)["reason"] for number in range(1, 6)} == {
        "the sampler repeated itself"
    }


def _run_small(study, trials):
    configurations = []
    for _ in range(trials):
        trial = study.ask()
        configurations.append(SMALL.suggest(trial))
        study.tell(trial, 0.0)
    return configurations

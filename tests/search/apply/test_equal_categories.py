"""Choices that are equal in Python (0 and False, 1 and True) are different categories here.

Optuna finds a choice by equality, so its record of a trial holds the first of such choices.
"""

from __future__ import annotations

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import create_trial

from search.apply import WarmStartSampler
from search.apply.sampler import TRANSFER
from search.history import History
from search.space import SearchSpace
from tests.support import studies
from tests.support.samplers import FAST

optuna.logging.set_verbosity(optuna.logging.ERROR)

CHOICES = (0, False, 2)
KIND = CategoricalDistribution(CHOICES)
ALONE = SearchSpace({"padding": KIND})
SPACE = SearchSpace(
    {"padding": KIND, "rate": FloatDistribution(0.0, 1.0), "amount": FloatDistribution(0.0, 1.0)},
    {"amount": {"padding": (False,)}},
)

each_sampler = pytest.mark.parametrize("name", [TRANSFER, "tpe", "gp"])


each_best = pytest.mark.parametrize("best", [False, 0], ids=repr)


def loss(configuration, best=False):
    """Returns a loss under which `best`, False or 0, is best and the other one is worst."""
    choice = configuration["padding"]
    by_choice = 0.8 if choice == 2 else 0.0 if choice is best else 1.0
    return by_choice + 0.1 * abs(configuration["rate"] - 0.3)


def searched(sampler, space, trials, best=False):
    """Returns the configurations that a search tries, asked for as in `search/optimize`."""
    study = studies.create_study(sampler, 1)
    tried = []
    while len(tried) < trials and (proposal := sampler.propose(study)) is not None:
        trial = sampler.ask(study, proposal)
        tried.append(dict(proposal.configuration))
        study.tell(trial, loss({"rate": 0.0, **tried[-1]}, best))
    return tried


def finds(best, configurations):
    """Whether at least 12 of the last 20 try the best; by chance one search in 77 does (1/3 each).

    A model that is blind to the difference takes every False for a 0.
    """
    return sum(each["padding"] is best for each in configurations[-20:]) >= 12


@pytest.mark.parametrize("name", [TRANSFER, "tpe", "gp", "random"])
def test_each_of_them_is_tried_once_and_then_the_space_is_exhausted(name):
    sampler = WarmStartSampler(None, ALONE, sampler=name)
    tried = [configuration["padding"] for configuration in searched(sampler, ALONE, 9)]
    assert sorted(map(repr, tried)) == ["0", "2", "False"]


@each_best
@each_sampler
def test_a_search_finds_the_one_that_is_best(name, best):
    tried = searched(WarmStartSampler(None, SPACE, sampler=FAST[name]), SPACE, 30, best)
    assert finds(best, tried)
    assert all("amount" in each for each in tried if each["padding"] is False)


def test_prior_trials_of_the_same_task_keep_them_apart():
    earlier = [
        create_trial(
            params={"padding": choice, "rate": rate},
            distributions={name: SPACE.distributions[name] for name in ("padding", "rate")},
            values=[loss({"padding": choice, "rate": rate})],
        )
        for choice in CHOICES
        for rate in (0.1, 0.5, 0.9)
    ]
    history = History.from_studies({"digits": earlier}, ["minimize"])
    sampler = WarmStartSampler(history, SPACE, task="digits", confirm=False)
    tried = [each["padding"] for each in searched(sampler, SPACE, 5)]
    assert tried.count(2) == 0 and sum(choice is False for choice in tried) >= 4


def plainly_given(sampler, suggest, trials, best=False):
    """Returns what the objective of a plain study is given, and the study."""
    given = []

    def objective(trial):
        given.append(suggest(trial))
        return loss({"rate": 0.0, **given[-1]}, best)

    study = studies.create_study(sampler, 1)
    study.optimize(objective, n_trials=trials)
    return given, study


def suggest_unstated(trial):
    padding = trial.suggest_categorical("padding", CHOICES)
    return {"padding": padding, "rate": trial.suggest_float("rate", 0.0, 1.0)}


@each_best
@pytest.mark.parametrize(
    ("space", "suggest"), [(SPACE, SPACE.suggest), (None, suggest_unstated)], ids=["stated", "not"]
)
def test_in_plain_optuna_the_best_is_found_too(space, suggest, best):
    given, _ = plainly_given(WarmStartSampler(None, space), suggest, 30, best)
    assert finds(best, given)


def test_in_plain_optuna_each_is_given_once_though_the_study_records_the_first_of_equal_choices():
    sampler = WarmStartSampler(None, ALONE)
    given, study = plainly_given(sampler, ALONE.suggest, 3)
    assert sorted(repr(each["padding"]) for each in given) == ["0", "2", "False"]
    assert sampler.is_exhausted(study)
    assert sorted(repr(trial.params["padding"]) for trial in study.trials) == ["0", "0", "2"]

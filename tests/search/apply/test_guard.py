"""Guard: whether history helps here."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import kendalltau

from search.apply.gp_fit import fit, usual_prior
from search.apply.guard import (
    DOUBT,
    FEWEST_TO_DISAGREE,
    GuardedObjective,
    guard_objective,
    guard_record,
)
from search.apply.task_weights import blocks

GROUPS = np.array([0, 1])


def judged(task_predictions, count=20, seed=0):
    """The judgement on a smooth function of two hyperparameters; `task_predictions` make theirs."""
    generator = np.random.default_rng(seed)
    points = generator.random((count, 2))
    truth = np.sin(7 * points[:, 0]) + np.cos(6 * points[:, 1])
    scores = (truth - truth.mean()) / truth.std()
    views = np.column_stack([opinion(scores, generator) for opinion in task_predictions])

    def model_with(members):
        prior = usual_prior(2, min(len(members), 2))
        return fit(points, scores, GROUPS, prior, blocks(views[:, list(members)]))

    return guard_objective(scores, views, fit(points, scores, GROUPS, usual_prior(2)), model_with)


def right(scores, generator):
    return scores + 0.1 * generator.standard_normal(len(scores))


def useless(scores, generator):
    return generator.standard_normal(len(scores))


def test_helpful_opinions_are_kept():
    judgement = judged([right, right])
    assert judgement.members == (0, 1)
    assert judgement.log_evidence > 0
    assert min(judgement.agreement) > 0.8


@pytest.mark.slow
def test_useless_opinions_are_dropped():
    dropped = [judged([useless, useless], seed=seed).members == () for seed in range(10)]
    # Chance makes them fit here and there, but evidence for what says nothing is rare.
    assert sum(dropped) >= 7


def test_of_a_helpful_and_a_misleading_task_the_helpful_one_is_kept():
    generator = np.random.default_rng(3)
    judgement = judged([right, lambda scores, _: -3 * scores + generator.standard_normal(20)])
    assert 0 in judgement.members
    assert judgement.agreement[0] > 0 > judgement.agreement[1]


def stub(evidence):
    """A model of which the guard sees its evidence only."""
    return SimpleNamespace(evidence=evidence, parameters=np.array([evidence]))


def decided(by_members, alone, task_predictions, scores):
    return guard_objective(
        scores, task_predictions, stub(alone), lambda members: stub(by_members[tuple(members)])
    )


SCORES = np.arange(6.0)
# One that agrees with them, one the other way round.
VIEWS = np.column_stack([SCORES, -SCORES])


@pytest.mark.parametrize(
    ("everyone", "agreeing", "alone", "members"),
    [
        (1.0, 0.0, 0.5, (0, 1)),
        (0.0, 1.0, 0.5, (0,)),
        (0.0, 1.0, 1.0 + DOUBT - 0.01, (0,)),  # the benefit of the doubt
        (0.0, 1.0, 1.0 + DOUBT + 0.01, ()),
    ],
    ids=["all", "agreeing", "doubt", "none"],
)
def test_the_most_probable_model_is_chosen_and_history_has_the_benefit_of_the_doubt(
    everyone, agreeing, alone, members
):
    judgement = decided({(0, 1): everyone, (0,): agreeing}, alone, VIEWS, SCORES)
    best = max(everyone, agreeing)
    assert judgement.members == members
    assert judgement.parameters.tolist() == [best if members else alone]
    assert judgement.log_evidence == pytest.approx(best - alone)


def test_with_few_results_tasks_are_not_told_apart():
    few = FEWEST_TO_DISAGREE - 1
    # The model of the agreeing alone would be the most probable, but is not asked.
    judgement = decided({(0, 1): 0.0, (0,): 9.0}, 0.0, VIEWS[:few], SCORES[:few])
    assert judgement.members == (0, 1)


def test_without_tasks_the_model_stands_alone():
    judgement = decided({}, 0.3, np.empty((6, 0)), SCORES)
    assert judgement.members == ()
    assert judgement.parameters.tolist() == [0.3]
    assert judgement.log_evidence == 0.0


def test_agreement_is_kendalls_tau_and_nan_where_nothing_is_predicted():
    views = np.column_stack([[3.0, 1, 2, 5, 4, 6], np.full(6, 0.2)])
    judgement = decided({(0, 1): 0.0, (0,): 0.0}, 0.0, views, SCORES)
    assert judgement.agreement[0] == pytest.approx(kendalltau(views[:, 0], SCORES).statistic)
    assert math.isnan(judgement.agreement[1])


def judgement(members, agreement=(0.5, math.nan)):
    return GuardedObjective(members, np.empty(0), 1.23456, agreement)


@pytest.mark.parametrize(
    ("members", "word", "dropped"),
    [((0, 1), "all", set()), ((0,), "agreeing", {"b"}), ((), "none", {"a", "b"})],
)
def test_the_record_says_what_was_used_and_why_not_the_rest(members, word, dropped):
    made = guard_record([judgement(members)], ["a", "b"], 7, {"c": "noise"})
    assert made["history"] == word
    assert made["dropped"].keys() == dropped | {"c"}
    assert made["dropped"]["c"] == "noise"
    assert made["agreement"] == {"a": 0.5}
    assert made["log_evidence"] == 1.235
    assert made["trials"] == 7
    assert json.loads(json.dumps(made, allow_nan=False)) == made


def test_a_task_used_for_one_objective_of_two_is_not_called_dropped():
    made = guard_record([judgement((0,), (0.2, 0.4)), judgement((), (0.4, 0.6))], ["a", "b"], 7, {})
    assert made["history"] == "agreeing"
    assert made["dropped"].keys() == {"b"}
    assert made["agreement"] == {"a": 0.3, "b": 0.5}
    assert made["log_evidence"] == 1.235  # of the objective that leans on history, not of both


def test_only_the_agreeing_are_asked_for_besides_everyone():
    asked = []

    def model_with(members):
        asked.append(tuple(members))
        return stub(0.0)

    guard_objective(SCORES, np.column_stack([VIEWS, SCORES]), stub(0.0), model_with)
    assert asked == [(0, 1, 2), (0, 2)]

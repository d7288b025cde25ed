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


def decision_on(task_predictions, count=20, seed=0):
    """Returns the decision on a smooth function of two hyperparameters and given predictions."""
    generator = np.random.default_rng(seed)
    points = generator.random((count, 2))
    truth = np.sin(7 * points[:, 0]) + np.cos(6 * points[:, 1])
    scores = (truth - truth.mean()) / truth.std()
    views = np.column_stack([predict(scores, generator) for predict in task_predictions])

    def model_with(members):
        prior = usual_prior(2, min(len(members), 2))
        return fit(points, scores, GROUPS, prior, blocks(views[:, list(members)]))

    return guard_objective(scores, views, fit(points, scores, GROUPS, usual_prior(2)), model_with)


def right(scores, generator):
    return scores + 0.1 * generator.standard_normal(len(scores))


def useless(scores, generator):
    return generator.standard_normal(len(scores))


def test_helpful_predictions_are_kept():
    decision = decision_on([right, right])
    assert decision.members == (0, 1)
    assert decision.log_evidence > 0
    assert min(decision.agreement) > 0.8


@pytest.mark.slow
def test_useless_predictions_are_dropped():
    dropped = [decision_on([useless, useless], seed=seed).members == () for seed in range(10)]
    # They may fit by chance, but then the evidence is rarely for them.
    assert sum(dropped) >= 7


def test_of_a_helpful_and_a_misleading_task_the_helpful_one_is_kept():
    generator = np.random.default_rng(3)
    decision = decision_on([right, lambda scores, _: -3 * scores + generator.standard_normal(20)])
    assert 0 in decision.members
    assert decision.agreement[0] > 0 > decision.agreement[1]


def stub(evidence):
    """Makes a model with an evidence and nothing else."""
    return SimpleNamespace(evidence=evidence, parameters=np.array([evidence]))


def decided(by_members, alone, task_predictions, scores):
    return guard_objective(
        scores, task_predictions, stub(alone), lambda members: stub(by_members[tuple(members)])
    )


SCORES = np.arange(6.0)
# One that agrees with them, one that is inverted.
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
    decision = decided({(0, 1): everyone, (0,): agreeing}, alone, VIEWS, SCORES)
    best = max(everyone, agreeing)
    assert decision.members == members
    assert decision.parameters.tolist() == [best if members else alone]
    assert decision.log_evidence == pytest.approx(best - alone)


def test_with_few_results_tasks_are_not_told_apart():
    few = FEWEST_TO_DISAGREE - 1
    # The model on the agreeing task alone would have the highest evidence, but is not made.
    decision = decided({(0, 1): 0.0, (0,): 9.0}, 0.0, VIEWS[:few], SCORES[:few])
    assert decision.members == (0, 1)


def test_without_tasks_there_is_only_the_model_without_history():
    decision = decided({}, 0.3, np.empty((6, 0)), SCORES)
    assert decision.members == ()
    assert decision.parameters.tolist() == [0.3]
    assert decision.log_evidence == 0.0


def test_agreement_is_kendalls_tau_and_nan_where_nothing_is_predicted():
    views = np.column_stack([[3.0, 1, 2, 5, 4, 6], np.full(6, 0.2)])
    decision = decided({(0, 1): 0.0, (0,): 0.0}, 0.0, views, SCORES)
    assert decision.agreement[0] == pytest.approx(kendalltau(views[:, 0], SCORES).statistic)
    assert math.isnan(decision.agreement[1])


def an_objective(members, agreement=(0.5, math.nan)):
    return GuardedObjective(members, np.empty(0), 1.23456, agreement)


@pytest.mark.parametrize(
    ("members", "word", "dropped"),
    [((0, 1), "all", set()), ((0,), "agreeing", {"b"}), ((), "none", {"a", "b"})],
)
def test_the_record_says_what_was_used_and_why_not_the_rest(members, word, dropped):
    made = guard_record([an_objective(members)], ["a", "b"], 7, {"c": "noise"})
    assert made["history"] == word
    assert made["dropped"].keys() == dropped | {"c"}
    assert made["dropped"]["c"] == "noise"
    assert made["agreement"] == {"a": 0.5}
    assert made["log_evidence"] == 1.235
    assert made["trials"] == 7
    assert json.loads(json.dumps(made, allow_nan=False)) == made


def test_a_task_used_for_one_objective_of_two_is_not_recorded_as_dropped():
    made = guard_record(
        [an_objective((0,), (0.2, 0.4)), an_objective((), (0.4, 0.6))], ["a", "b"], 7, {}
    )
    assert made["history"] == "agreeing"
    assert made["dropped"].keys() == {"b"}
    assert made["agreement"] == {"a": 0.3, "b": 0.5}
    assert made["log_evidence"] == 1.235  # of the objective that uses history, not of both


def test_models_are_made_on_all_tasks_and_on_the_agreeing_ones_only():
    asked = []

    def model_with(members):
        asked.append(tuple(members))
        return stub(0.0)

    guard_objective(SCORES, np.column_stack([VIEWS, SCORES]), stub(0.0), model_with)
    assert asked == [(0, 1, 2), (0, 2)]

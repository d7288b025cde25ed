"""OptunaSearcher, called as Tune does it, without Tune."""

from __future__ import annotations

import math
import pickle
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from optuna.trial import FrozenTrial, TrialState, create_trial

from search.apply import Proposal
from search.apply.first_proposals import first_proposals, sampler_for
from search.apply.prior_data import prior_data
from search.history import History, Trial
from search.history.studies import quiet_study
from search.optimize.plan import Plan, trial_seed
from search.optimize.resume_state import as_optuna_trial, resume_state_of
from search.optimize.searcher import OptunaSearcher
from search.review import reconcile
from tests.support.asked_searchers import (
    CHOICES,
    CONDITIONAL,
    Stubborn,
    prior,
    reported,
    run_to_the_end,
    searcher_of,
    states,
    study_trials,
)
from tests.support.plans import a_plan


def as_told(plan: Plan, own: Sequence[Trial] = ()) -> OptunaSearcher:
    """Makes a searcher with the sampler of its spec."""
    sampler = sampler_for(plan.spec, plan.prior, plan.space, plan.task)
    return OptunaSearcher(plan, sampler, resume_state_of(plan, own))


def test_no_more_trials_are_outstanding_than_run_at_once(tmp_path: Path) -> None:
    searcher = searcher_of(a_plan(tmp_path, resources={"parallelism": 2}))
    assert isinstance(searcher.suggest("a"), dict)
    assert isinstance(searcher.suggest("b"), dict)
    assert searcher.suggest("c") is None
    searcher.end("a", reported(3, left=0.1, right=0.2))
    assert isinstance(searcher.suggest("c"), dict)
    assert searcher.suggest("d") is None


def test_a_search_asks_for_its_budget_and_no_more(tmp_path: Path) -> None:
    searcher = searcher_of(a_plan(tmp_path, trials=5))
    assert [config["number"] for config in run_to_the_end(searcher)] == [0, 1, 2, 3, 4]
    assert not searcher.has_more()
    assert searcher.suggest("later") == "FINISHED"


def test_a_search_that_was_cut_off_has_more(tmp_path: Path) -> None:
    searcher = searcher_of(a_plan(tmp_path, trials=3))
    searcher.suggest("a")
    assert searcher.has_more()


def test_a_search_whose_last_trials_wait_for_a_worker_has_more(tmp_path: Path) -> None:
    searcher = searcher_of(a_plan(tmp_path, trials=2, resources={"parallelism": 2}))
    for trial_id in ("a", "b"):
        searcher.suggest(trial_id)
    searcher.on_trial_start("b")
    searcher.end("b", reported(3, left=0.1, right=0.2))
    assert searcher.has_more()  # a time budget that ends now leaves a trial that never began
    searcher.on_trial_start("a")
    searcher.end("a", reported(3, left=0.1, right=0.2))
    assert not searcher.has_more()


def test_the_best_known_trial_that_is_trained_again_must_end(tmp_path: Path) -> None:
    again = prior(0, "interrupted", 0.5, origin={"step": "confirm"})
    config = searcher_of(a_plan(tmp_path, trials=2), [again]).suggest("a")
    assert isinstance(config, dict)
    assert config["must_end"] is True


def test_a_worker_is_told_all_it_needs(tmp_path: Path) -> None:
    plan = a_plan(tmp_path, seed=5)
    task = {"name": "hills", "train": plan.spec.task.train, "settings": {"pause": 0.5}}
    config = searcher_of(a_plan(tmp_path, seed=5, task=task)).suggest("a")
    assert isinstance(config, dict)
    assert config.keys() == {"number", "configuration", "checkpoints", "seed", "has_whole_gpu",
                             "must_end"}  # fmt: skip
    assert config["number"] == 0 and config["seed"] == trial_seed(5, 0)
    assert config["checkpoints"] == str(tmp_path / "checkpoints" / "trial_0000")
    assert config["configuration"]["pause"] == 0.5 and config["has_whole_gpu"] is False
    assert config["must_end"] is False
    assert -2 <= config["configuration"]["x"] <= 3


@pytest.mark.parametrize(
    ("result", "state"),
    [
        (reported(3, left=0.1, right=0.2), TrialState.COMPLETE),
        (reported(2, left=0.1, right=0.2), TrialState.PRUNED),
        (reported(3, left=math.nan, right=0.2), TrialState.FAIL),
        (reported(1, left=math.inf, right=0.2), TrialState.FAIL),
        (reported(3, left=0.1), TrialState.FAIL),
        (reported(1, left=0.1), TrialState.PRUNED),
        (reported(2, left=0.1, right=0.2) | {"failure": "broken"}, TrialState.FAIL),
        ({}, TrialState.PRUNED),
    ],
)
def test_every_end_of_a_trial_is_told_to_optuna(
    tmp_path: Path, result: dict[str, Any], state: TrialState
) -> None:
    searcher = searcher_of(a_plan(tmp_path))
    searcher.suggest("a")
    assert states(searcher) == [TrialState.RUNNING]
    searcher.end("a", result)
    assert states(searcher) == [state]


def test_values_reach_optuna_in_the_objectives_order(tmp_path: Path) -> None:
    searcher = searcher_of(a_plan(tmp_path))
    searcher.suggest("a")
    searcher.end("a", reported(3, right=0.2, left=0.1))
    assert study_trials(searcher)[0].values == [0.1, 0.2]


def test_a_trial_that_ended_is_not_told_twice(tmp_path: Path) -> None:
    searcher = searcher_of(a_plan(tmp_path))
    searcher.suggest("a")
    searcher.end("a", reported(3, left=0.1, right=0.2))
    searcher.end("a", None)
    searcher.end("never asked", None)
    assert states(searcher) == [TrialState.COMPLETE]


def test_a_sampler_that_repeats_itself_is_replaced_by_random_draws_and_that_is_recorded(
    tmp_path: Path,
) -> None:
    searcher = searcher_of(a_plan(tmp_path, trials=5), sampler=Stubborn())
    asked = [config["configuration"]["x"] for config in run_to_the_end(searcher)]
    assert asked[0] == -2 and len(set(asked)) == 5
    origins = [asked.proposal.origin for asked in searcher.asked.values()]
    assert "reason" not in origins[0]
    assert all(origin["reason"] == "the sampler repeated itself" for origin in origins[1:])
    assert states(searcher) == [TrialState.COMPLETE] * 5


@pytest.mark.parametrize("sampler", ["random", "tpe", "warm"])
def test_an_exhausted_finite_space_ends_the_search(tmp_path: Path, sampler: str) -> None:
    searcher = as_told(a_plan(tmp_path, trials=10, space=CHOICES, sampler={"name": sampler}))
    tried = [config["configuration"]["x"] for config in run_to_the_end(searcher)]
    assert sorted(tried) == ["a", "b", "c"]
    assert searcher.is_exhausted and not searcher.has_more()
    assert len(study_trials(searcher)) == 3


@pytest.mark.slow
@pytest.mark.parametrize("log", [False, True])
def test_a_finite_space_is_not_called_exhausted_while_a_configuration_is_left(
    tmp_path: Path, log: bool
) -> None:
    # Random draws hardly find a large integer of a logarithmic range.
    space = {"x": {"type": "int", "low": 1, "high": 10_000, "log": log}}
    own = [prior(x, "failed", x) for x in range(1, 10_001) if x != 4711]
    plan = a_plan(tmp_path, trials=10_001, space=space, sampler={"name": "random"})
    searcher = as_told(plan, own)
    assert [config["configuration"]["x"] for config in run_to_the_end(searcher)] == [4711]
    assert searcher.is_exhausted


@pytest.mark.parametrize("sampler", ["random", "warm"])
def test_what_another_search_has_tried_on_the_same_task_is_tried_once_more(
    tmp_path: Path, sampler: str
) -> None:
    plan = a_plan(tmp_path, trials=10, space=CHOICES, sampler={"name": sampler})
    earlier = quiet_study(plan.spec.objectives)
    for x in "abc":
        trial = prior(0, "complete", x, values=(0.1, 0.2))
        earlier.add_trial(as_optuna_trial(plan, trial))
    history = History.from_studies({plan.task: earlier}, objectives=plan.spec.objectives)
    known = reconcile(history, plan.space, plan.spec.objectives)
    prior_knowledge = prior_data(
        known, plan.space, plan.spec.objectives, task=plan.task, similarities={}
    )
    searcher = as_told(replace(plan, prior=prior_knowledge))
    tried = [config["configuration"]["x"] for config in run_to_the_end(searcher)]
    assert sorted(tried) == ["a", "b", "c"]
    origins = [asked.proposal.origin for asked in searcher.asked.values()]
    # The best known one comes first, as it should; then no untried one is left.
    again = [False, True, True] if sampler == "warm" else [False] * 3
    assert [origin.get("repeated", False) for origin in origins] == again
    assert (origins[0]["step"] == "confirm") == (sampler == "warm")


def test_a_control_arm_repeats_nothing_that_the_others_have_tried(tmp_path: Path) -> None:
    sampler = {"name": "warm", "options": {"control": 3}}
    plan = a_plan(tmp_path, trials=8, space=CHOICES | {"y": CHOICES["x"]}, sampler=sampler)
    searcher = as_told(plan)
    keys = [plan.space.key(config["configuration"]) for config in run_to_the_end(searcher)]
    assert len(set(keys)) == 8
    steps = [asked.proposal.origin["step"] for asked in searcher.asked.values()]
    assert [number for number, step in enumerate(steps) if step == "control"] == [1, 3, 5]


def test_only_active_hyperparameters_are_asked(tmp_path: Path) -> None:
    searcher = searcher_of(a_plan(tmp_path, trials=12, space=CONDITIONAL))
    seen = {tuple(config["configuration"]) for config in run_to_the_end(searcher)}
    assert seen == {("optimizer", "sgd.momentum"), ("optimizer", "adamw.beta")}


def test_ray_can_pickle_the_searcher_and_gets_nothing(tmp_path: Path) -> None:
    searcher = searcher_of(a_plan(tmp_path))
    assert vars(pickle.loads(pickle.dumps(searcher))) == {}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["warm", "tpe", "gp"])
def test_what_is_proposed_depends_on_the_trials_that_still_run(tmp_path: Path, name: str) -> None:
    plan = a_plan(tmp_path, trials=30, resources={"parallelism": 2}, sampler={"name": name})
    own = [
        prior(number, "complete", x, values=(math.exp(-(x**2)), math.exp(-((x - 1) ** 2))))
        for number, x in enumerate(np.linspace(-2, 3, 20).tolist())
    ]

    def second_proposal(sees_the_first: bool) -> Proposal | None:
        searcher = as_told(plan, own)
        searcher.suggest("a")
        if not sees_the_first:
            unseen, storage = searcher.asked["a"].optuna_trial.number, searcher._study._storage
            everything = storage.get_all_trials
            storage.get_all_trials = lambda *given, **options: [  # type: ignore[method-assign]
                replaced(each, unseen) for each in everything(*given, **options)
            ]
        return searcher._sampler.propose(searcher._study)

    def replaced(trial: FrozenTrial, unseen: int) -> FrozenTrial:
        """Replaces a trial by a waiting one, which has no configuration yet."""
        return create_trial(state=TrialState.WAITING) if trial.number == unseen else trial

    seen, again, unseen = (second_proposal(sees) for sees in (True, True, False))
    assert seen is not None and again is not None and unseen is not None
    assert seen.configuration == again.configuration
    assert seen.configuration != unseen.configuration


GIVEN = [{"x": 0.25}, {}, {"x": 0.25}]  # the second is completed with the middle, 0.5


def test_first_configurations_come_before_all_others_in_their_order(tmp_path: Path) -> None:
    searcher = as_told(a_plan(tmp_path, trials=5, first=GIVEN))
    asked = run_to_the_end(searcher)
    assert [each["configuration"]["x"] for each in asked[:3]] == [0.25, 0.5, 0.25]
    assert len({each["configuration"]["x"] for each in asked}) == 4  # none of the others repeats
    steps = [each.proposal.origin["step"] for each in searcher.asked.values()]
    assert steps[:3] == ["first"] * 3 and "first" not in steps[3:]
    assert len({each["seed"] for each in asked}) == 5


def test_first_configurations_that_run_at_once_are_each_asked_once(tmp_path: Path) -> None:
    plan = a_plan(tmp_path, trials=5, first=GIVEN, resources={"parallelism": 4})
    searcher = as_told(plan)
    asked = [searcher.suggest(f"t{index}") for index in range(4)]
    assert [each["configuration"]["x"] for each in asked[:3]] == [0.25, 0.5, 0.25]
    assert searcher.asked["t3"].proposal.origin["step"] != "first"


def test_a_resumed_search_tries_the_first_configurations_that_are_left_and_none_twice(
    tmp_path: Path,
) -> None:
    # Number 0 has ended, 2 was interrupted, and 1 never got a worker.
    own = [
        prior(0, "complete", 0.25, values=(0.5, 0.5), origin={"step": "first"}),
        prior(2, "interrupted", 0.25, origin={"step": "first"}),
    ]
    searcher = as_told(a_plan(tmp_path, trials=5, first=GIVEN), own)
    asked = run_to_the_end(searcher)
    assert [each["number"] for each in asked] == [2, 1, 3, 4]
    assert [each["configuration"]["x"] for each in asked[:2]] == [0.25, 0.5]
    steps = [each.proposal.origin["step"] for each in searcher.asked.values()]
    assert [step == "first" for step in steps] == [True, True, False, False]


def test_the_portfolio_goes_on_after_the_first_configurations(tmp_path: Path) -> None:
    plan = a_plan(tmp_path, trials=7, first=GIVEN)
    earlier = quiet_study(plan.spec.objectives)
    for x in np.linspace(-2, 3, 12):
        trial = prior(0, "complete", float(x), values=(-abs(x + 1), -abs(x - 2)))
        earlier.add_trial(as_optuna_trial(plan, trial))
    history = History.from_studies({"other": earlier}, objectives=plan.spec.objectives)
    known = reconcile(history, plan.space, plan.spec.objectives)
    tasks = prior_data(known, plan.space, plan.spec.objectives, task=plan.task, similarities={})
    searcher = as_told(replace(plan, prior=tasks))
    run_to_the_end(searcher)
    steps = [each.proposal.origin["step"] for each in searcher.asked.values()]
    assert steps[:6] == ["first"] * 3 + ["portfolio"] * 3
    shown = first_proposals(plan.spec, tasks, plan.space, plan.task, 3)
    assert [each.origin["step"] for each in shown] == steps[:6]

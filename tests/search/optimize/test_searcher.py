"""Optuna behind Ray's Searcher, asked and told as Tune does it, without Tune."""

from __future__ import annotations

import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from optuna.trial import TrialState

from search.apply.choice import sampler_for
from search.optimize.plan import trial_seed
from search.optimize.progress import Progress
from search.optimize.searcher import OptunaSearcher
from tests.search.optimize.asking import (
    CHOICES,
    CONDITIONAL,
    Stubborn,
    Witness,
    flat,
    prior,
    run_to_the_end,
    searcher_of,
)
from tests.search.optimize.test_plan import a_plan


def test_no_more_trials_are_outstanding_than_run_at_once(tmp_path: Path) -> None:
    searcher = searcher_of(a_plan(tmp_path, resources={"parallelism": 2}))
    assert isinstance(searcher.suggest("a"), dict)
    assert isinstance(searcher.suggest("b"), dict)
    assert searcher.suggest("c") is None
    searcher.on_trial_complete("a", flat(3, left=0.1, right=0.2))
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


def test_a_worker_is_told_all_it_needs(tmp_path: Path) -> None:
    plan = a_plan(tmp_path, seed=5)
    task = {"name": "hills", "model": plan.spec.task.model, "settings": {"pause": 0.5}}
    config = searcher_of(a_plan(tmp_path, seed=5, task=task)).suggest("a")
    assert isinstance(config, dict)
    assert config.keys() == {"number", "configuration", "checkpoints", "seed", "has_whole_gpu"}
    assert config["number"] == 0 and config["seed"] == trial_seed(5, 0)
    assert config["checkpoints"] == str(tmp_path / "checkpoints" / "trial_0000")
    assert config["configuration"]["pause"] == 0.5 and config["has_whole_gpu"] is False
    assert -2 <= config["configuration"]["x"] <= 3


@pytest.mark.parametrize(
    ("result", "state"),
    [
        (flat(3, left=0.1, right=0.2), TrialState.COMPLETE),
        (flat(2, left=0.1, right=0.2), TrialState.PRUNED),
        (flat(3, left=math.nan, right=0.2), TrialState.FAIL),
        (flat(1, left=math.inf, right=0.2), TrialState.FAIL),
        (flat(3, left=0.1), TrialState.FAIL),
        (flat(1, left=0.1), TrialState.PRUNED),
        (flat(2, left=0.1, right=0.2) | {"failure": "broken"}, TrialState.FAIL),
        (None, TrialState.PRUNED),
        ({}, TrialState.PRUNED),
    ],
)
def test_every_end_of_a_trial_is_told_to_optuna(
    tmp_path: Path, result: dict[str, Any] | None, state: TrialState
) -> None:
    sampler = Witness(seed=1)
    searcher = searcher_of(a_plan(tmp_path), sampler=sampler)
    searcher.suggest("a")
    assert sampler.states() == [TrialState.RUNNING]
    searcher.on_trial_complete("a", result)
    assert sampler.states() == [state]


def test_values_reach_optuna_in_the_objectives_order(tmp_path: Path) -> None:
    sampler = Witness(seed=1)
    searcher = searcher_of(a_plan(tmp_path), sampler=sampler)
    searcher.suggest("a")
    searcher.on_trial_complete("a", flat(3, right=0.2, left=0.1))
    assert sampler.study.trials[0].values == [0.1, 0.2]


def test_a_trial_that_ended_is_not_told_twice(tmp_path: Path) -> None:
    sampler = Witness(seed=1)
    searcher = searcher_of(a_plan(tmp_path), sampler=sampler)
    searcher.suggest("a")
    searcher.on_trial_complete("a", flat(3, left=0.1, right=0.2))
    searcher.on_trial_complete("a", error=True)
    searcher.on_trial_complete("never asked", error=True)
    assert sampler.states() == [TrialState.COMPLETE]


def test_a_sampler_that_repeats_itself_is_replaced_by_chance_and_that_is_said(
    tmp_path: Path,
) -> None:
    searcher = searcher_of(a_plan(tmp_path, trials=5), sampler=Stubborn())
    asked = [config["configuration"]["x"] for config in run_to_the_end(searcher)]
    assert asked[0] == -2 and len(set(asked)) == 5
    origins = [asked.origin for asked in searcher.asked.values()]
    assert "reason" not in origins[0]
    assert all(origin["reason"] == "the sampler repeated itself" for origin in origins[1:])


def test_repetitions_teach_the_sampler_nothing(tmp_path: Path) -> None:
    sampler = type("StubbornWitness", (Stubborn, Witness), {})()
    searcher = searcher_of(a_plan(tmp_path, trials=2), sampler=sampler)
    run_to_the_end(searcher)
    states = sampler.states()
    assert states.count(TrialState.COMPLETE) == 2
    assert set(states) == {TrialState.COMPLETE, TrialState.FAIL}


def test_an_exhausted_finite_space_ends_the_search(tmp_path: Path) -> None:
    searcher = searcher_of(a_plan(tmp_path, trials=10, space=CHOICES))
    tried = [config["configuration"]["x"] for config in run_to_the_end(searcher)]
    assert sorted(tried) == ["a", "b", "c"]
    assert not searcher.has_more()


def test_a_finite_space_is_not_called_exhausted_while_a_configuration_is_left(
    tmp_path: Path,
) -> None:
    space = {"x": {"type": "int", "low": 0, "high": 9999}}
    plan = a_plan(tmp_path, trials=1, space=space)
    keys = {plan.space.key({"x": x}) for x in range(10_000) if x != 4711}
    searcher = OptunaSearcher(plan, Witness(seed=1), Progress(keys=keys))
    assert [config["configuration"]["x"] for config in run_to_the_end(searcher)] == [4711]


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

    def second_proposal(sees_the_first: bool) -> dict[str, Any]:
        sampler = sampler_for(plan.spec, plan.prior, plan.space, plan.task)
        searcher = searcher_of(plan, own, sampler)
        searcher.suggest("a")
        if not sees_the_first:
            unseen, storage = searcher.asked["a"].optuna_trial.number, searcher._study._storage
            everything = storage.get_all_trials
            storage.get_all_trials = lambda *given, **options: [  # type: ignore[method-assign]
                each for each in everything(*given, **options) if each.number != unseen
            ]
        searcher.suggest("b")
        return searcher.asked["b"].configuration

    assert second_proposal(True) == second_proposal(True)
    assert second_proposal(True) != second_proposal(False)

"""Optuna behind Ray's Searcher, asked and told as Tune does it, without Tune."""

from __future__ import annotations

import math
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.samplers import RandomSampler
from optuna.trial import FrozenTrial, TrialState

from search.apply.choice import sampler_for
from search.history import PriorTrial
from search.optimize.outcome import unflattened
from search.optimize.plan import Plan
from search.optimize.searcher import (
    OptunaSearcher,
    Progress,
    progress_of,
    trial_seed,
)
from tests.search.optimize.test_plan import a_plan

CHOICES = {"x": {"type": "categorical", "choices": ["a", "b", "c"]}}
CONDITIONAL = {
    "optimizer": {"type": "categorical", "choices": ["sgd", "adamw"]},
    "sgd.momentum": {"type": "float", "low": 0.0, "high": 0.9, "when": {"optimizer": "sgd"}},
    "adamw.beta": {"type": "float", "low": 0.8, "high": 0.99, "when": {"optimizer": "adamw"}},
}


class Witness(RandomSampler):
    """Draws at random, and keeps the study it is asked about, so that a test can look at it."""

    study: optuna.Study

    def sample_relative(self, study: optuna.Study, trial: FrozenTrial, space: Any) -> Any:
        self.study = study
        return super().sample_relative(study, trial, space)

    def states(self) -> list[TrialState]:
        return [trial.state for trial in self.study.get_trials(deepcopy=False)]


class Stubborn(RandomSampler):
    """Proposes one and the same configuration for ever."""

    def sample_independent(self, study: Any, trial: Any, name: str, distribution: Any) -> Any:
        return distribution.choices[0] if hasattr(distribution, "choices") else distribution.low


def prior(number: int, state: str, x: Any, **changes: Any) -> PriorTrial:
    fields: dict[str, Any] = {
        "task": "hills@1", "search": "hills-1", "number": number, "run_id": f"r{number}",
        "state": state, "configuration": {"x": x}, "objectives": ("left", "right"),
        "directions": ("maximize", "maximize"), "values": (), "epoch": 3, "curves": {},
        "origin": {"step": "random"},
    }  # fmt: skip
    return PriorTrial(**fields | changes)


def searcher_of(
    plan: Plan, own: Sequence[PriorTrial] = (), sampler: optuna.samplers.BaseSampler | None = None
) -> OptunaSearcher:
    return OptunaSearcher(plan, sampler or Witness(seed=1), progress_of(plan, own))


def flat(epoch: int, **metrics: float) -> dict[str, Any]:
    """A result as Ray hands it to a searcher."""
    return {"epoch": epoch, **{f"metrics/{name}": value for name, value in metrics.items()}}


def run_to_the_end(searcher: OptunaSearcher) -> list[dict[str, Any]]:
    """Asks one by one and completes each; returns what was suggested."""
    suggested = []
    while isinstance(config := searcher.suggest(trial_id := f"t{len(suggested)}"), dict):
        suggested.append(config)
        searcher.on_trial_complete(trial_id, flat(3, left=0.5, right=0.5))
        assert len(suggested) < 1000, "it never ends"
    assert config == "FINISHED"
    return suggested


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


def test_interrupted_trials_come_first_with_their_own_number_configuration_and_origin(
    tmp_path: Path,
) -> None:
    origin = {"step": "portfolio", "source_runs": ["p1"]}
    own = [
        prior(0, "complete", 0.5, values=(0.1, 0.2)),
        prior(1, "interrupted", 1.25, epoch=2, origin=origin),
        prior(2, "running", 1.5, epoch=1),
    ]
    searcher = searcher_of(a_plan(tmp_path, trials=4, resources={"parallelism": 3}), own)
    configs = [searcher.suggest(trial_id) for trial_id in "abc"]
    assert [config["number"] for config in configs] == [1, 2, 3]
    assert [config["configuration"]["x"] for config in configs[:2]] == [1.25, 1.5]
    assert configs[0]["checkpoints"] == str(tmp_path / "checkpoints" / "trial_0001")
    assert configs[0]["seed"] == trial_seed(0, 1)
    assert searcher.asked["a"].origin == origin


def test_interrupted_trials_are_asked_even_when_the_budget_is_used_up(tmp_path: Path) -> None:
    searcher = searcher_of(a_plan(tmp_path, trials=1), [prior(0, "interrupted", 0.5)])
    assert searcher.has_more()
    assert [config["number"] for config in run_to_the_end(searcher)] == [0]


def test_an_extended_search_never_repeats_what_it_has_tried(tmp_path: Path) -> None:
    own = [
        prior(0, "complete", "a", values=(0.1, 0.2)), prior(1, "failed", "b"),
    ]  # fmt: skip
    searcher = searcher_of(a_plan(tmp_path, trials=9, space=CHOICES), own)
    assert [config["configuration"]["x"] for config in run_to_the_end(searcher)] == ["c"]


def test_a_number_that_never_started_does_not_cost_the_search_a_trial(tmp_path: Path) -> None:
    # Two are asked at once; 2 had started when the driver died, 1 had not, so it has no run.
    own = [prior(0, "complete", 0.5, values=(0.1, 0.2)), prior(2, "interrupted", 0.75)]
    asked = run_to_the_end(searcher_of(a_plan(tmp_path, trials=4), own))
    numbers = {trial.number for trial in own} | {config["number"] for config in asked}
    assert len(numbers) == 4


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


def test_an_interrupted_conditional_trial_is_asked_again_as_it_was(tmp_path: Path) -> None:
    configuration = {"optimizer": "adamw", "adamw.beta": 0.875}
    own = [prior(0, "interrupted", 0, configuration=configuration)]
    config = searcher_of(a_plan(tmp_path, space=CONDITIONAL), own).suggest("a")
    assert isinstance(config, dict) and config["configuration"] == configuration


def test_a_study_rebuilt_from_its_runs_equals_the_one_that_was_lost(tmp_path: Path) -> None:
    plan, lost, rebuilt = a_plan(tmp_path, trials=5), Witness(seed=1), Witness(seed=2)
    first = searcher_of(plan, sampler=lost)
    own = []
    for number, (state, result) in enumerate(
        [
            ("complete", flat(3, left=0.1, right=0.2)),
            ("stopped", flat(2, left=0.3, right=0.4)),
            ("failed", flat(1, left=math.nan, right=0.4)),
            ("stopped", flat(1, left=0.3)),
        ]
    ):
        config = first.suggest(f"t{number}")
        first.on_trial_complete(f"t{number}", result)
        curves = {
            name.removeprefix("metrics/"): {result["epoch"]: value}
            for name, value in result.items()
            if name.startswith("metrics/")
        }
        own.append(
            prior(number, state, config["configuration"]["x"], epoch=result["epoch"],
                  curves=curves, values=(0.1, 0.2) if state == "complete" else ())
        )  # fmt: skip
    searcher_of(plan, own, rebuilt).suggest("next")
    assert [told(trial) for trial in rebuilt.study.trials[:4]] == [
        told(trial) for trial in lost.study.trials
    ]


def told(trial: FrozenTrial) -> tuple[Any, ...]:
    return trial.state, trial.params, trial.distributions, trial.values, trial.user_attrs


def test_trials_outside_the_space_keep_their_numbers_but_are_not_learned_from(
    tmp_path: Path,
) -> None:
    own = [prior(0, "complete", 99.0, values=(1.0, 1.0)), prior(1, "failed", 0.5)]
    progress = progress_of(a_plan(tmp_path), own)
    assert [trial.number for trial in progress.finished] == [1]
    assert progress.next_number == 2


def test_every_trial_has_a_seed_of_its_own_and_keeps_it() -> None:
    seeds = [trial_seed(0, number) for number in range(200)]
    assert len(set(seeds)) == 200
    assert seeds == [trial_seed(0, number) for number in range(200)]
    assert trial_seed(1, 0) != trial_seed(0, 0) and trial_seed(0, 1) != trial_seed(1, 0)
    assert all(0 <= seed < 2**31 for seed in seeds)


def test_a_result_reads_the_same_nested_and_flattened() -> None:
    nested = {"epoch": 2, "metrics": {"left": 0.1, "a.b": 0.2}}
    assert unflattened(nested) == nested
    assert unflattened({"epoch": 2, "metrics/left": 0.1, "metrics/a.b": 0.2}) == nested
    assert unflattened({"epoch": 0, "config/x": 1}) == {"epoch": 0, "metrics": {}}


def test_ray_can_pickle_the_searcher_and_gets_nothing(tmp_path: Path) -> None:
    searcher = searcher_of(a_plan(tmp_path))
    assert vars(pickle.loads(pickle.dumps(searcher))) == {}


@pytest.mark.parametrize("name", ["warm", "tpe", "gp"])
def test_what_is_proposed_depends_on_the_trials_that_still_run(tmp_path: Path, name: str) -> None:
    plan = a_plan(tmp_path, trials=30, resources={"parallelism": 2}, sampler={"name": name})
    own = [
        prior(number, "complete", x, values=(math.exp(-(x**2)), math.exp(-((x - 1) ** 2))))
        for number, x in enumerate(np.linspace(-2, 3, 20).tolist())
    ]

    def second_proposal(sees_the_first: bool) -> dict[str, Any]:
        sampler = sampler_for(plan.spec, plan.history, plan.space, plan.task, plan.fingerprint)
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

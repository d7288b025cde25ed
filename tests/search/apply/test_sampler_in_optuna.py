"""WarmStartSampler within what Optuna puts around a sampler: pruners, other samplers, copies."""

from __future__ import annotations

import copy
import math
import pickle
from dataclasses import replace

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.samplers import PartialFixedSampler
from optuna.trial import TrialState

from search.apply import WarmStartSampler
from search.apply.joined_space import part_of
from search.history import History
from search.space import SearchSpace

optuna.logging.set_verbosity(optuna.logging.ERROR)


def objective(trial: optuna.Trial) -> float:
    """Least, 0, at a rate of 0.01, a shift of 0 and no pooling."""
    rate = trial.suggest_float("rate", 1e-4, 1.0, log=True)
    shift = trial.suggest_float("shift", -1.0, 1.0)
    pooling = trial.suggest_categorical("pooling", ["max", None, True, 2])
    return (math.log10(rate) + 2) ** 2 + shift**2 + 0.3 * (pooling is not None)


def earlier(trials: int = 30) -> History:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(objective, n_trials=trials)
    return History.from_studies({"old": study})


def tried(study: optuna.Study) -> list[str]:
    return [repr(sorted(trial.params.items())) for trial in study.trials]


def steps(sampler: WarmStartSampler, trials: int) -> list[str]:
    return [sampler.origin(number)["step"] for number in range(trials)]


@pytest.mark.parametrize("task", [None, "old"])
def test_none_is_a_choice_like_any_other(task):
    study = optuna.create_study(sampler=WarmStartSampler(earlier(), task=task))
    study.optimize(objective, n_trials=12)
    assert {trial.state for trial in study.trials} == {TrialState.COMPLETE}
    assert study.best_params["pooling"] is None


def test_a_cold_study_models_a_choice_that_is_none():
    study = optuna.create_study(sampler=WarmStartSampler())
    study.optimize(objective, n_trials=20)
    assert {trial.params["pooling"] for trial in study.trials} >= {None, "max"}


@pytest.mark.parametrize("task", [None, "old"])
def test_what_another_sampler_fixes_is_not_proposed_and_the_rest_is_searched(task):
    sampler = WarmStartSampler(earlier(), task=task)
    study = optuna.create_study(sampler=sampler)
    study.optimize(objective, n_trials=2)
    study.sampler = PartialFixedSampler({"shift": 0.25}, sampler)
    study.optimize(objective, n_trials=10)
    study.sampler = sampler
    study.optimize(objective, n_trials=2)
    shifts = [trial.params["shift"] for trial in study.trials]
    assert shifts[2:12] == [0.25] * 10
    assert 0.25 not in shifts[12:]
    assert len(set(tried(study))) == 14
    assert steps(sampler, 14)[-1] in ("history-model", "prior-model", "model")


def test_a_parent_that_another_sampler_fixes_leaves_its_children_free():
    kinds = {"kind": CategoricalDistribution(["a", "b"]), "x": FloatDistribution(0, 1)}
    space = SearchSpace(kinds, {"x": {"kind": ("a",)}})
    assert part_of(space, {"x": kinds["x"]}) == SearchSpace({"x": kinds["x"]})
    assert part_of(space, kinds) == space


@pytest.mark.parametrize("task", [None, "old"])
def test_an_objective_with_narrower_ranges_than_the_space_is_not_given_one_proposal_forever(task):
    history = earlier()

    def narrow(trial):
        return trial.suggest_float("rate", 0.5, 0.6) + trial.suggest_float("shift", -1.0, 1.0)

    sampler = WarmStartSampler(history, history.searches["old"].space, task=task)
    study = optuna.create_study(sampler=sampler)
    study.optimize(narrow, n_trials=8)
    # Before, all eight were the first one again. The range's end may still come twice.
    assert len(set(tried(study))) >= 6


def test_a_hyperband_pruner_hides_most_trials_and_harms_nothing():
    def reports(trial):
        value = objective(trial)
        for epoch in range(9):
            trial.report(value + 1 / (epoch + 1), epoch)
            if trial.should_prune():
                raise optuna.TrialPruned
        return value

    sampler = WarmStartSampler(earlier(), task="old")
    pruner = optuna.pruners.HyperbandPruner(1, 9, 3)
    study = optuna.create_study(sampler=sampler, pruner=pruner)
    study.optimize(reports, n_trials=12)
    assert {trial.state for trial in study.trials} <= {TrialState.COMPLETE, TrialState.PRUNED}
    assert steps(sampler, 12).count("confirm") == 1
    assert len(set(tried(study))) == 12


def test_a_copied_and_a_pickled_sampler_go_on_like_the_original():
    study = optuna.create_study(sampler=WarmStartSampler(earlier()))
    study.optimize(objective, n_trials=4)
    copies = [pickle.loads(pickle.dumps(study)), copy.deepcopy(study)]
    for each in [study, *copies]:
        each.optimize(objective, n_trials=3)
    assert tried(copies[0]) == tried(copies[1]) == tried(study)
    assert copies[0].sampler.origin(0) == study.sampler.origin(0)


def test_a_proposal_of_a_smaller_space_blocks_nothing_in_a_larger_one():
    def once(trial):
        return trial.suggest_categorical("kind", ["a", "b"]) == "a"

    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(once, n_trials=10)

    def more(trial):
        return once(trial) + trial.suggest_int("width", 1, 3)

    warm = optuna.create_study(sampler=WarmStartSampler(History.from_studies({"old": study})))
    warm.optimize(more, n_trials=6)
    assert len(set(tried(warm))) == 6  # 2 kinds by 3 widths


def test_the_best_of_a_task_comes_first_though_another_task_has_searched_more():
    def other(trial):
        return objective(trial) + trial.suggest_float("decay", 0.0, 1.0)

    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    study.optimize(other, n_trials=10)
    old = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    old.optimize(objective, n_trials=10)
    sampler = WarmStartSampler(History.from_studies({"other": study, "old": old}), task="old")
    again = optuna.create_study(sampler=sampler)
    again.optimize(objective, n_trials=1)
    assert again.trials[0].params == old.best_params
    assert sampler.origin(0)["step"] == "confirm"


def test_a_portfolio_has_its_length_though_the_study_shows_another_space():
    """Of a space that is inferred from history's values a little is missing."""
    known = earlier()
    narrow = {"shift": FloatDistribution(-0.9, 0.9)}
    spaces = {
        name: replace(each, space=SearchSpace({**each.space.distributions, **narrow}))
        for name, each in known.searches.items()
    }
    sampler = WarmStartSampler(replace(known, searches=spaces))
    study = optuna.create_study(sampler=sampler)
    study.optimize(objective, n_trials=6)
    assert steps(sampler, 4)[:3] == ["portfolio"] * 3
    assert steps(sampler, 6).count("portfolio") == 3

"""WarmStartSampler in plain Optuna: where a proposal comes from, and what it adapts to."""

from __future__ import annotations

import json
import math
import threading

import optuna
import pytest
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.trial import TrialState

from search.apply import OptunaSampler, WarmStartSampler
from search.apply.sampler import TRANSFER
from search.space import SearchSpace
from tests.support import studies
from tests.support.samplers import FAST, history_of, maker

optuna.logging.set_verbosity(optuna.logging.ERROR)


def test_a_sampler_of_the_callers_runs_on_the_joint_space():
    sampler = WarmStartSampler(
        None, studies.CONDITIONAL, sampler=optuna.samplers.TPESampler(seed=0)
    )
    study = studies.create_study(sampler, 1)
    studies.run(study, 15)
    assert sampler.origin(14)["sampler"] == "TPESampler"


@pytest.mark.slow
@pytest.mark.parametrize("name", [TRANSFER, "tpe"])
def test_a_value_outside_the_objectives_distribution_is_adapted(name):
    def objective(trial):
        # History has "sgd" and "adamw", widths from 8 to 64, and learning rates as floats.
        trial.suggest_categorical("optimizer", ["lion", "sgd"])
        trial.suggest_int("width", 100, 200)
        trial.suggest_categorical("sgd.learning_rate", ["low", "high"])
        return trial.suggest_float("blocks", 0.0, 1.0)

    sampler = WarmStartSampler(studies.prior_history(objectives=1), sampler=FAST[name])
    study = studies.create_study(sampler, 1)
    study.optimize(objective, n_trials=15)
    assert {trial.state for trial in study.trials} == {TrialState.COMPLETE}


@pytest.mark.slow
@pytest.mark.parametrize("name", [TRANSFER, "tpe"])
def test_it_works_from_several_threads(name):
    sampler = maker(name, "other tasks")(0)
    study = studies.create_study(sampler, 2)

    def work():
        for _ in range(5):
            trial = study.ask()
            values = studies.evaluate(studies.CONDITIONAL.suggest(trial))
            study.tell(trial, list(values[:2]))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(study.trials) == 20
    assert len({studies.CONDITIONAL.key(trial.params) for trial in study.trials}) == 20


def test_an_empty_space_and_a_fixed_one_are_no_error():
    study = studies.create_study(WarmStartSampler(None, SearchSpace({})), 1)
    study.tell(study.ask(), 0.0)
    fixed = SearchSpace({"width": IntDistribution(3, 3), "rate": FloatDistribution(0.1, 0.1)})
    study = studies.create_study(WarmStartSampler(None, fixed), 1)
    assert fixed.suggest(study.ask()) == {"width": 3, "rate": 0.1}


def test_settings_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="tep"):
        WarmStartSampler(sampler="tep")
    with pytest.raises(ValueError, match="does not take"):
        OptunaSampler("gp", {"multivariate": True})
    with pytest.raises(ValueError, match="portfolio"):
        WarmStartSampler(portfolio=-1)
    with pytest.raises(ValueError, match="control"):
        WarmStartSampler(control=-1)


# Where a proposal comes from.


def steps_of(sampler, trials, objectives=2):
    studies.run(studies.create_study(sampler, objectives), trials)
    return [sampler.origin(number)["step"] for number in range(trials)]


def test_a_cold_search_opens_with_the_middle_draws_five_times_and_then_models():
    sampler = maker(TRANSFER)(0)
    assert steps_of(sampler, 8) == ["opening"] + ["random"] * 5 + ["model"] * 2


def test_a_warm_search_starts_with_the_portfolio_and_goes_on_with_a_model_of_all_tasks():
    sampler = maker(TRANSFER, "other tasks")(0)
    # The tasks of history are this one.
    assert steps_of(sampler, 5) == ["portfolio"] * 3 + ["history-model"] * 2
    for number in range(5):
        origin = sampler.origin(number)
        runs = set(history_of("other tasks", 2).trials["run_id"].to_pylist())
        assert origin["source_runs"] and set(origin["source_runs"]) <= runs
        assert origin["source_tasks"].keys() <= {"task 0", "task 1"}
        weights = [abs(weight) for weight in origin["source_tasks"].values()]
        assert math.isclose(sum(weights), 1.0)
        assert json.loads(json.dumps(origin, allow_nan=False)) == origin


@pytest.mark.slow
def test_the_origin_of_a_models_trial_tells_what_the_guard_decided():
    sampler = maker(TRANSFER, "other tasks")(0)
    studies.run(studies.create_study(sampler, 2), 6)
    assert "guard" not in sampler.origin(0)
    guard = sampler.origin(5)["guard"]
    assert guard["history"] in ("all", "agreeing", "none")
    assert guard["trials"] == 5
    assert guard["agreement"].keys() == {"task 0", "task 1"}
    assert math.isfinite(guard["log_evidence"])


def test_a_warm_search_with_one_of_optunas_samplers_starts_with_the_portfolio():
    sampler = maker("tpe", "other tasks")(0)
    assert steps_of(sampler, 6) == ["portfolio"] * 3 + ["random", "model", "model"]
    assert sampler.origin(0)["prior_trials"] == 40


def test_one_prior_trial_of_another_task_is_no_portfolio():
    sampler = maker(TRANSFER, "one trial")(0)
    # One result says nothing of what is better, so the task has no model and no portfolio.
    assert steps_of(sampler, 1) == ["opening"]


@pytest.mark.parametrize("name", [TRANSFER, "tpe"])
def test_trials_of_the_same_task_take_the_place_of_the_portfolio(name):
    sampler = maker(name, "same task", confirm=False)(0)
    step = steps_of(sampler, 2)[0]
    assert sampler.origin(0)["prior_trials"] == 20
    if name == "tpe":
        assert step == "prior-model"
        assert sampler.origin(0)["source_tasks"] == {"task 0": 1.0}
    else:
        assert step in ("history-model", "prior-model")  # task 1 may help too
        assert "task 0" not in sampler.origin(0)["source_tasks"]


def test_an_enqueued_trial_is_not_claimed():
    sampler = maker(TRANSFER)(0)
    study = studies.create_study(sampler, 2)
    study.enqueue_trial(
        {"optimizer": "adamw", "width": 9, "blocks": 1, "augment": True,
         "adamw.learning_rate": 0.01}
    )  # fmt: skip
    studies.run(study, 1)
    assert sampler.origin(0)["step"] == "given"


@pytest.mark.slow
@pytest.mark.parametrize("name", [TRANSFER, "tpe"])
def test_a_rebuilt_study_is_not_given_the_portfolio_again(name):
    make = maker(name, "other tasks")
    study = studies.create_study(make(0), 2)
    first = studies.run(study, 2)
    rebuilt = studies.create_study(make(0), 2)
    rebuilt.add_trials(study.trials)
    rest = studies.run(rebuilt, 2)
    uninterrupted = studies.run(studies.create_study(make(0), 2), 3)
    assert first + rest[:1] == uninterrupted


@pytest.mark.parametrize("name", [TRANSFER, "tpe"])
def test_the_portfolio_is_handed_out_once_to_parallel_trials(name):
    sampler = maker(name, "other tasks")(0)
    study = studies.create_study(sampler, 2)
    trials = [study.ask() for _ in range(5)]
    keys = {studies.CONDITIONAL.key(studies.CONDITIONAL.suggest(trial)) for trial in trials}
    assert len(keys) == 5
    # Before any has ended the reserve serves those beyond the first three.
    assert [sampler.origin(number)["step"] for number in range(5)] == ["portfolio"] * 5

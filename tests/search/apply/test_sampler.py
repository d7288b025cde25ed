"""WarmStartSampler in plain Optuna: the contract, cold and warm, and what history does to it."""

from __future__ import annotations

import json
import logging
import math
import threading

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial

from search.apply import InnerSampler, WarmStartSampler
from search.history import History
from search.space import SearchSpace
from tests import contracts

optuna.logging.set_verbosity(optuna.logging.ERROR)

# Fewer random trials, so that the model is reached within a contract's few.
FAST = {
    "tpe": InnerSampler("tpe", {"n_startup_trials": 4}),
    "gp": InnerSampler("gp", {"n_startup_trials": 12}),  # half a second a proposal on one core
    "random": InnerSampler("random"),
}
HISTORIES = {
    "cold": (History.empty(), None),
    "one": (contracts.prior_history(trials=1, tasks=1), None),
    "other tasks": (contracts.prior_history(), "unknown"),
    "same task": (contracts.prior_history(), "task 0"),
}


@pytest.fixture(autouse=True)
def one_thread():
    # The GP's small matrices are several times slower on many threads than on one.
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def maker(name="tpe", history="cold", objectives=2, space=contracts.CONDITIONAL, **settings):
    prior, task = HISTORIES[history]
    if objectives == 1 and len(prior):
        prior = contracts.prior_history(objectives=1)
    sampler = FAST[name]
    return lambda seed: WarmStartSampler(
        prior, space, seed, task=task, sampler=sampler, portfolio=3, **settings
    )


@pytest.mark.parametrize("objectives", [1, 2])
@pytest.mark.parametrize("history", HISTORIES)
@pytest.mark.parametrize("keeps", contracts.SAMPLER_CONTRACT, ids=lambda keeps: keeps.__name__)
def test_tpe_keeps_the_contract(keeps, history, objectives):
    keeps(maker("tpe", history, objectives), objectives)


@pytest.mark.parametrize("history", HISTORIES)
@pytest.mark.parametrize("keeps", contracts.SAMPLER_CONTRACT, ids=lambda keeps: keeps.__name__)
def test_random_keeps_the_contract(keeps, history):
    keeps(maker("random", history), 2)


@pytest.mark.slow
def test_gp_keeps_the_contract_cold():
    contracts.same_seed_gives_the_same_search(maker("gp"), 2, trials=13)
    contracts.stays_in_the_space(maker("gp"), 1, trials=14)
    contracts.keeps_pending_trials_apart(maker("gp"), 1)


@pytest.mark.slow
def test_gp_keeps_the_contract_warm():
    contracts.stays_in_the_space(maker("gp", "same task"), 2, trials=2)
    contracts.stays_in_the_space(maker("gp", "other tasks"), 1, trials=14)


def test_a_sampler_of_the_callers_runs_on_the_joint_space():
    sampler = WarmStartSampler(
        None, contracts.CONDITIONAL, sampler=optuna.samplers.TPESampler(seed=0)
    )
    study = contracts.create_study(sampler, 1)
    contracts.run(study, 15)
    assert sampler.origin(14)["sampler"] == "TPESampler"


def test_it_learns():
    contracts.learns(maker("tpe"), maker("random"))


# Plain Optuna: nobody states a space.


@pytest.mark.parametrize("history", HISTORIES)
@pytest.mark.parametrize(
    "keeps",
    [
        contracts.same_seed_gives_the_same_search,
        contracts.stays_in_the_space,
        contracts.survives_every_end_of_a_trial,
        contracts.keeps_pending_trials_apart,
    ],
    ids=lambda keeps: keeps.__name__,
)
def test_without_a_stated_space_the_contract_holds_too(keeps, history):
    keeps(maker("tpe", history, space=None), 2)


def test_a_value_that_the_objective_does_not_know_is_adapted():
    def objective(trial):
        # History knows "sgd" and "adamw", widths from 8 to 64, and learning rates as floats.
        trial.suggest_categorical("optimizer", ["lion", "sgd"])
        trial.suggest_int("width", 100, 200)
        trial.suggest_categorical("sgd.learning_rate", ["low", "high"])
        return trial.suggest_float("blocks", 0.0, 1.0)

    sampler = WarmStartSampler(contracts.prior_history(objectives=1))
    study = contracts.create_study(sampler, 1)
    study.optimize(objective, n_trials=15)
    assert {trial.state for trial in study.trials} == {TrialState.COMPLETE}


def test_it_serves_several_threads():
    sampler = maker("tpe", "other tasks")(0)
    study = contracts.create_study(sampler, 2)

    def work():
        for _ in range(5):
            trial = study.ask()
            values = contracts.evaluate(contracts.CONDITIONAL.suggest(trial))
            study.tell(trial, list(values))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(study.trials) == 20
    assert len({contracts.CONDITIONAL.key(trial.params) for trial in study.trials}) == 20


# Where a proposal comes from.


def test_the_first_trials_are_the_portfolio_and_then_the_model_speaks():
    sampler = maker("tpe", "other tasks")(0)
    contracts.run(contracts.create_study(sampler, 2), 6)
    steps = [sampler.origin(number)["step"] for number in range(6)]
    assert steps == ["portfolio"] * 3 + ["random", "model", "model"]
    first = sampler.origin(0)
    assert first["source_runs"][0] in HISTORIES["other tasks"][0].trials["run_id"].to_pylist()
    assert math.isclose(sum(first["source_tasks"].values()), 1.0)
    assert first["prior_trials"] == 40
    assert json.loads(json.dumps(first)) == first


def test_trials_of_the_same_task_take_the_place_of_the_portfolio():
    sampler = maker("tpe", "same task")(0)
    contracts.run(contracts.create_study(sampler, 2), 2)
    assert sampler.origin(0)["step"] == "prior-model"
    assert sampler.origin(0)["source_tasks"] == {"task 0": 1.0}
    assert sampler.origin(0)["prior_trials"] == 20


def test_an_enqueued_trial_is_not_claimed():
    sampler = maker()(0)
    study = contracts.create_study(sampler, 2)
    study.enqueue_trial(
        {"optimizer": "adamw", "width": 9, "blocks": 1, "augment": True,
         "adamw.learning_rate": 0.01}
    )  # fmt: skip
    contracts.run(study, 1)
    assert sampler.origin(0)["step"] == "given"


def test_a_rebuilt_study_is_not_given_the_portfolio_again():
    make = maker("tpe", "other tasks")
    study = contracts.create_study(make(0), 2)
    first = contracts.run(study, 2)
    rebuilt = contracts.create_study(make(0), 2)
    rebuilt.add_trials(study.trials)
    rest = contracts.run(rebuilt, 2)
    uninterrupted = contracts.run(contracts.create_study(make(0), 2), 3)
    assert first + rest[:1] == uninterrupted


def test_the_portfolio_is_handed_out_once_to_parallel_trials():
    sampler = maker("tpe", "other tasks")(0)
    study = contracts.create_study(sampler, 2)
    trials = [study.ask() for _ in range(5)]
    keys = {contracts.CONDITIONAL.key(contracts.CONDITIONAL.suggest(trial)) for trial in trials}
    assert len(keys) == 5
    assert [sampler.origin(number)["step"] for number in range(3)] == ["portfolio"] * 3


# Repeats.

SMALL = SearchSpace.from_distributions(
    {"width": IntDistribution(1, 3), "optimizer": CategoricalDistribution(["sgd", "adamw"])}
)


def test_a_finite_space_is_walked_through_without_repeats_and_then_exhausted():
    sampler = WarmStartSampler(None, SMALL, sampler=FAST["tpe"])
    study = contracts.create_study(sampler, 1)
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


def test_what_was_tried_on_the_same_task_is_not_proposed_again():
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
    sampler = WarmStartSampler(history, SMALL, task="digits", sampler=FAST["tpe"])
    study = contracts.create_study(sampler, 1)
    assert [c["width"] for c in _run_small(study, 2)] == [3, 3]
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
    study = contracts.create_study(WarmStartSampler(history, SMALL, task="mnist"), 1)
    assert _run_small(study, 1) == [{"width": 1, "optimizer": "sgd"}]


def _run_small(study, trials):
    configurations = []
    for _ in range(trials):
        trial = study.ask()
        configurations.append(SMALL.suggest(trial))
        study.tell(trial, 0.0)
    return configurations


# Malformed history.


def history_of(rows, objectives=("loss",), task="digits"):
    """A history of complete trials from configurations that Optuna itself would refuse."""
    good = contracts.prior_history(objectives=1, trials=1, tasks=1)
    row = good.trials.to_pylist()[0]
    table = [
        row
        | {
            "task": task, "search": task, "number": index, "run_id": f"run {index}",
            "configuration": json.dumps(configuration), "values": values,
            "objectives": list(objectives), "directions": ["minimize"] * len(objectives),
        }
        for index, (configuration, values) in enumerate(rows)
    ]  # fmt: skip
    return History(good.trials.from_pylist(table, schema=good.trials.schema), {})


SGD = {"optimizer": "sgd", "width": 16, "blocks": 2, "augment": True, "sgd.learning_rate": 0.1,
       "sgd.momentum": 0.5}  # fmt: skip


def test_out_of_range_trials_are_left_out_and_counted(caplog):
    history = history_of([(SGD, [1.0]), (SGD | {"width": 4096}, [0.1])])
    sampler = WarmStartSampler(history, contracts.CONDITIONAL)
    with caplog.at_level(logging.WARNING):
        assert contracts.run(contracts.create_study(sampler, 1), 1) == [SGD]
    assert sum(sampler.left_out.values()) == 1
    assert "1 of 2 prior trials left out" in caplog.text
    assert "width" in caplog.text


@pytest.mark.parametrize(
    "configuration",
    [
        {},
        {"lr": 0.1, "momentum": 0.9},
        {"optimizer": "sgd"},
        SGD | {"width": "16", "augment": "true", "momentum": 0.9},
        SGD | {"sgd.learning_rate": None, "blocks": "many"},
        SGD | {"optimizer": "lion"},
        SGD | {"width": [1, 2], "blocks": 10**400},
    ],
    ids=["empty", "foreign", "partial", "text", "none", "unknown choice", "absurd"],
)
@pytest.mark.parametrize("task", ["digits", "other"])
def test_malformed_configurations_do_no_harm(configuration, task):
    history = history_of([(configuration, [0.5]), (SGD, [1.0])])
    sampler = WarmStartSampler(
        history, contracts.CONDITIONAL, task=task, sampler=FAST["tpe"], portfolio=3
    )
    for proposed in contracts.run(contracts.create_study(sampler, 1), 7):
        assert contracts.CONDITIONAL.contains(proposed)


@pytest.mark.parametrize("values", [[], [math.nan], [math.inf], [1.0, 2.0]])
def test_values_that_are_no_measurement_are_left_out(values):
    sampler = WarmStartSampler(history_of([(SGD, values)]), contracts.CONDITIONAL, task="digits")
    contracts.run(contracts.create_study(sampler, 1), 1)
    assert sum(sampler.left_out.values()) == 1
    assert sampler.origin(0)["step"] == "random"


def test_prior_trials_count_only_for_the_same_directions_unless_objectives_are_named():
    history = contracts.prior_history(objectives=1)
    study = optuna.create_study(
        sampler=WarmStartSampler(history, contracts.CONDITIONAL), direction="maximize"
    )
    contracts.run(study, 1)
    assert sum(study.sampler.left_out.values()) == 40
    named = WarmStartSampler(
        contracts.prior_history(), contracts.CONDITIONAL, objectives=["objective_1"]
    )
    contracts.run(contracts.create_study(named, 1), 1)
    assert named.origin(0)["step"] == "portfolio"


def test_an_empty_space_and_a_fixed_one_are_no_error():
    study = contracts.create_study(WarmStartSampler(None, SearchSpace({})), 1)
    study.tell(study.ask(), 0.0)
    fixed = SearchSpace({"width": IntDistribution(3, 3), "rate": FloatDistribution(0.1, 0.1)})
    study = contracts.create_study(WarmStartSampler(None, fixed), 1)
    assert fixed.suggest(study.ask()) == {"width": 3, "rate": 0.1}


def test_settings_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="tep"):
        WarmStartSampler(sampler="tep")
    with pytest.raises(ValueError, match="does not take"):
        InnerSampler("gp", {"multivariate": True})
    with pytest.raises(ValueError, match="portfolio"):
        WarmStartSampler(portfolio=-1)

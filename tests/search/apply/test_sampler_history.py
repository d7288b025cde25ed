"""WarmStartSampler on malformed history: what is used, and what is left out with a warning."""

from __future__ import annotations

import json
import logging
import math

import optuna
import pyarrow as pa
import pytest

from search.apply import WarmStartSampler
from search.apply.sampler import TRANSFER
from search.history import History, Trial
from search.history.table import TRIALS, trial_row
from tests.support import studies
from tests.support.samplers import FAST

optuna.logging.set_verbosity(optuna.logging.ERROR)


def history_of(rows, objectives=("loss",), task="digits"):
    """Makes a history of complete trials from configurations that Optuna itself would refuse."""
    good = studies.prior_history(objectives=1, trials=1, tasks=1)
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


def test_out_of_range_trials_stay_in_the_model_at_their_place(caplog):
    history = history_of([(SGD, [1.0]), (SGD | {"width": 4096}, [0.1])])
    sampler = WarmStartSampler(history, studies.CONDITIONAL)
    with caplog.at_level(logging.WARNING, logger="search"):
        first, second = studies.run(studies.create_study(sampler, 1), 2)
    assert sampler.left_out == {}
    assert caplog.text == ""
    assert sampler.origin(0)["prior_trials"] == 2
    # Wider was better, beyond the range, so the widest is the best inside it; and then the other.
    assert (first["width"], second["width"]) == (64, 16)
    assert studies.CONDITIONAL.problems(first) == []


def test_trials_of_this_task_beyond_the_space_make_the_opening_unnecessary():
    rows = [(SGD | {"width": 100 * index}, [1.0 / index]) for index in range(1, 5)]
    sampler = WarmStartSampler(history_of(rows), studies.CONDITIONAL, task="digits")
    # Four results are not the six of a cold start, but two trials later they are.
    studies.run(studies.create_study(sampler, 1), 3)
    steps = [sampler.origin(number)["step"] for number in range(3)]
    assert steps == ["opening", "random", "prior-model"]
    more = WarmStartSampler(history_of(rows * 2), studies.CONDITIONAL, task="digits")
    studies.run(studies.create_study(more, 1), 1)
    assert more.origin(0)["step"] == "prior-model"


def test_trials_left_out_are_counted_and_logged(caplog):
    history = history_of([(SGD, [1.0]), (SGD | {"width": 32}, [math.nan])])
    sampler = WarmStartSampler(history, studies.CONDITIONAL)
    with caplog.at_level(logging.WARNING, logger="search"):
        studies.run(studies.create_study(sampler, 1), 1)
    assert sum(sampler.left_out.values()) == 1
    assert "1 of 2 prior trials left out" in caplog.text
    assert "no finite value" in caplog.text


def test_a_configuration_of_history_inside_the_space_is_proposed_as_it_stands():
    history = history_of([(SGD, [0.1]), (SGD | {"width": 32}, [1.0])])
    sampler = WarmStartSampler(history, studies.CONDITIONAL)
    assert studies.run(studies.create_study(sampler, 1), 1) == [SGD]


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
@pytest.mark.parametrize("task", ["digits", None])
@pytest.mark.parametrize("name", [TRANSFER, "tpe"])
def test_malformed_configurations_do_no_harm(configuration, task, name):
    history = history_of([(configuration, [0.5]), (SGD, [1.0])])
    sampler = WarmStartSampler(
        history, studies.CONDITIONAL, task=task, sampler=FAST[name], portfolio=3
    )
    for proposed in studies.run(studies.create_study(sampler, 1), 7):
        assert studies.CONDITIONAL.contains(proposed)


@pytest.mark.parametrize("values", [[], [math.nan], [math.inf], [1.0, 2.0]])
def test_values_that_are_no_measurement_are_left_out(values):
    sampler = WarmStartSampler(history_of([(SGD, values)]), studies.CONDITIONAL, task="digits")
    studies.run(studies.create_study(sampler, 1), 1)
    assert sum(sampler.left_out.values()) == 1
    assert sampler.origin(0)["step"] == "opening"


def test_prior_trials_count_only_for_the_same_directions_unless_objectives_are_named():
    history = studies.prior_history(objectives=1)
    study = optuna.create_study(
        sampler=WarmStartSampler(history, studies.CONDITIONAL), direction="maximize"
    )
    studies.run(study, 1)
    assert sum(study.sampler.left_out.values()) == 40
    named = WarmStartSampler(
        studies.prior_history(), studies.CONDITIONAL, objectives=["objective_1"]
    )
    studies.run(studies.create_study(named, 1), 1)
    assert named.origin(0)["step"] == "portfolio"


@pytest.mark.parametrize("tasks", [1, 2], ids=["alone", "with another task"])
def test_a_proposal_names_good_prior_runs_of_the_same_task(tasks):
    history = studies.prior_history(objectives=1, tasks=tasks)
    sampler = WarmStartSampler(history, studies.CONDITIONAL, task="task 0", confirm=False)
    studies.run(studies.create_study(sampler, 1), 1)
    own = [trial for trial in history.prior_trials() if trial.task == "task 0"]
    better = sorted(own, key=lambda trial: trial.values)[: len(own) // 2]
    made = sampler.origin(0)
    assert made["step"] == ("prior-model" if tasks == 1 else "history-model")
    assert set(made["source_runs"][:3]) <= {trial.run_id for trial in better}
    if tasks == 1:
        assert made["source_tasks"] == {"task 0": 1.0}


@pytest.mark.parametrize(
    ("metric", "tried"), [("accuracy.pgd10_linf_0.1", 1), ("accuracy.clean", 0)]
)
def test_a_value_in_doubt_is_no_record_to_try_again_where_a_robust_accuracy_counts(metric, tried):
    names = ["accuracy.clean", "accuracy.pgd10_linf_0.1"]
    known = history_of([(SGD, [0.9, 0.9]), (SGD | {"width": 32}, [0.8, 0.5])], names)
    rows = [row | {"directions": ["maximize"] * 2} for row in known.trials.to_pylist()]
    rows[0]["curves"] = [{"metric": "robustness.vanished", "epoch": 1, "value": 0.99}]
    history = History(known.trials.from_pylist(rows, schema=known.trials.schema), {})
    sampler = WarmStartSampler(
        history, studies.CONDITIONAL, task="digits", objectives=[metric], directions=["maximize"]
    )
    study = optuna.create_study(sampler=sampler, direction="maximize")
    first = sampler.propose(study)
    assert first.origin["source_runs"] == [f"run {tried}"]
    assert first.configuration == history.prior_trials()[tried].configuration


def test_an_unknown_task_is_an_error_with_the_nearest_name():
    history = studies.prior_history(objectives=1)
    with pytest.raises(ValueError, match=r"task 'taks 0'; did you mean 'task 0'\? It has task 0"):
        WarmStartSampler(history, task="taks 0")
    with pytest.raises(ValueError, match=r"task 'x': it has task 0.*fix: .* leave task out"):
        WarmStartSampler(history, task="x")


def test_a_task_that_is_described_or_has_no_history_may_be_new():
    WarmStartSampler(studies.prior_history(objectives=1), task="x", fingerprint={"model": "cnn"})
    WarmStartSampler(History.empty(), task="x")


def unstated(metric="val_acc"):
    """A history as runs logged by hand give it: metrics, and nothing on what was optimised."""
    trials = [
        Trial(
            state="complete", configuration=SGD | {"width": width}, task="mine", search="mine",
            run_id=f"r{width}", curves={metric: {1: width / 64}, "loss": {1: 1.0}},
        )
        for width in (16, 32)
    ]  # fmt: skip
    return History(pa.Table.from_pylist([trial_row(trial) for trial in trials], schema=TRIALS))


def test_without_any_direction_or_name_the_error_names_the_metrics_that_there_are():
    study = studies.create_study(WarmStartSampler(unstated(), studies.CONDITIONAL), 1)
    with pytest.raises(ValueError, match=r"objectives=\[\.\.\.\]; its metrics are loss, val_acc"):
        studies.run(study, 1)
    named = WarmStartSampler(unstated(), studies.CONDITIONAL, objectives=["val_acc"])
    studies.run(studies.create_study(named, 1), 1)
    assert not named.left_out


def test_a_metric_with_another_name_is_a_likely_rename(caplog):
    sampler = WarmStartSampler(unstated(), studies.CONDITIONAL, objectives=["accuracy"])
    with caplog.at_level(logging.WARNING, logger="search"):
        studies.run(studies.create_study(sampler, 1), 1)
    assert "The search starts cold." in caplog.text
    assert "Likely: history.renamed({}, {'val_acc': 'accuracy'})." in caplog.text


@pytest.mark.parametrize("given", ["sqlite:///mlflow.db", {}, [1]])
def test_what_is_no_history_is_refused_and_not_a_cold_start(given):
    with pytest.raises(TypeError, match=r"^history is a .*; fix: read it with search.load_history"):
        WarmStartSampler(given)

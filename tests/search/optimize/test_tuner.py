"""What Tune is configured with, without starting it."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import ray
from ray.tune.schedulers import TrialScheduler
from threadpoolctl import threadpool_info, threadpool_limits

from search.history import Trial
from search.optimize import driver
from search.optimize.compared import compared_metrics
from search.optimize.plan import Plan
from search.optimize.scheduler import MultiObjectiveASHA, carried, scheduler_for
from search.optimize.tuner import Tuning, in_doubt_in_words
from search.spec import spec_from_yaml
from search.tracking.write.journal import Journal, read_events
from tests.support.plans import a_plan
from tests.support.spec_texts import fine_tuning
from tests.support.stepped_trials import HILLS

ASHA = {"name": "multi_objective_asha", "grace_epochs": 1, "reduction_factor": 2}


def tuning_of(plan: Plan, own: list[Trial] | None = None) -> Tuning:
    journal = Journal(plan.storage)
    return Tuning(plan, own or [], journal, 1, threading.Event(), lambda: False)


def prior(number: int, state: str, curves: Any = None, values: Any = ()) -> Trial:
    return Trial(
        task="hills@1", search="hills-1", number=number, run_id="r", state=state,
        configuration={"x": number / 10}, objectives=HILLS,
        values=values, epoch=1, curves=curves or {}, origin={},
    )  # fmt: skip


def decided(tuning: Tuning, number: int, epoch: int, **metrics: float) -> str:
    """Returns the scheduler's decision for a result in Ray's form."""
    trial = SimpleNamespace(trial_id=f"t{number}", config={"number": number, "must_end": False})
    result = {"epoch": epoch, "done": False}
    result |= {f"metrics/{name}": value for name, value in metrics.items()}
    return str(scheduler_for(tuning._plan, tuning._own).on_trial_result(None, trial, result))


def test_a_users_function_is_compared_by_its_objectives_and_never_attacked(tmp_path: Path) -> None:
    spec = a_plan(tmp_path, scheduler=ASHA).spec
    assert compared_metrics(spec) == ["left", "right"]
    assert spec.threat is None


def test_texts_are_compared_by_the_cheap_accuracy_of_their_attack() -> None:
    scheduler = {"name": "multi_objective_asha", "grace_epochs": 1}
    metrics = compared_metrics(spec_from_yaml(fine_tuning(scheduler=scheduler)))
    assert metrics == [
        "selection.accuracy.clean",
        "selection.accuracy.characters_0.15_cheap32",
    ]


def test_the_last_value_of_a_trial_that_ended_early_counts_for_later_epochs() -> None:
    trial = prior(0, "complete", {"left": {1: 0.2}}, (0.2, 0.1))
    assert carried(trial, "left", 4) == {1: 0.2, 2: 0.2, 3: 0.2, 4: 0.2}
    assert carried(trial, "right", 4) == {}
    without_end = replace(trial, epoch=2)
    assert carried(without_end, "left", 4) == {1: 0.2}
    stopped = prior(1, "stopped", {"left": {1: 0.2}})
    assert carried(stopped, "left", 4) == {1: 0.2}


def test_a_resumed_search_compares_with_what_it_had_recorded(tmp_path: Path) -> None:
    plan = a_plan(tmp_path, scheduler=ASHA)
    own = [
        prior(number, "stopped", {"left": {1: 0.9}, "right": {1: 0.9}}) for number in range(3)
    ]  # fmt: skip
    assert decided(tuning_of(plan, own), 7, 1, left=0.1, right=0.1) == TrialScheduler.STOP
    assert decided(tuning_of(plan), 7, 1, left=0.1, right=0.1) == TrialScheduler.CONTINUE


def test_plain_asha_compares_by_the_primary_objective_alone(tmp_path: Path) -> None:
    own = [prior(number, "stopped", {"left": {1: 0.5}, "right": {1: 0.9}}) for number in range(3)]
    single = tuning_of(a_plan(tmp_path, scheduler=ASHA | {"name": "asha"}), own)
    assert isinstance(scheduler_for(single._plan, single._own), MultiObjectiveASHA)
    assert decided(single, 7, 1, left=0.1, right=1.0) == TrialScheduler.STOP
    both = tuning_of(a_plan(tmp_path, scheduler=ASHA), own)
    assert decided(both, 7, 1, left=0.1, right=1.0) == TrialScheduler.CONTINUE


def test_nothing_is_settled_before_anything_started(tmp_path: Path) -> None:
    tuning = tuning_of(a_plan(tmp_path))
    assert (tuning.settle(), tuning.data_bytes) == (0, 0)
    assert list(read_events(tmp_path)) == []


def test_trials_in_doubt_are_told_of_and_a_search_of_nothing_else_says_so() -> None:
    assert in_doubt_in_words([prior(0, "complete"), prior(1, "failed")]) == ""
    doubt = [
        replace(prior(number, "failed"), reason="the robust accuracy is in doubt, and ...")
        for number in (3, 1)
    ]
    assert in_doubt_in_words([prior(0, "complete"), *doubt]).startswith(
        "not counted, as gradients may be masked: 2 trials (001, 003); fix: "
    )
    assert "no other is complete" in in_doubt_in_words(doubt)


def test_a_users_function_has_no_test_split_to_evaluate(tmp_path: Path) -> None:
    tuning = tuning_of(a_plan(tmp_path), [prior(0, "complete", values=(0.5, 0.5))])
    tuning.test_front()
    assert list(read_events(tmp_path)) == []


def test_the_front_is_tested_once(tmp_path: Path) -> None:
    own = [
        prior(0, "complete", values=(0.9, 0.1)), prior(1, "complete", values=(0.1, 0.9)),
        prior(2, "complete", values=(0.05, 0.05)), prior(3, "stopped"),
        prior(4, "complete", {"test.left": {3: 0.8}}, (0.95, 0.05)),
    ]  # fmt: skip
    assert tuning_of(a_plan(tmp_path), own)._front_without_test() == own[:2]


def test_the_front_is_found_among_what_earlier_launches_and_this_one_have_completed(
    tmp_path: Path,
) -> None:
    own = [prior(0, "complete", values=(0.9, 0.1)), prior(1, "complete", values=(0.2, 0.2))]
    tuning = tuning_of(a_plan(tmp_path, resources={"parallelism": 2, "cpus": 1}), own)
    for epoch, left in ((3, 0.3), (2, 0.95)):  # the second is stopped
        config = tuning.searcher.suggest(f"t{left}")
        metrics = {"left": left, "right": 0.3}
        trial = SimpleNamespace(
            trial_id=f"t{left}", config=config, last_result={"epoch": epoch, "metrics": metrics}
        )
        tuning.recorder.on_trial_start(0, [], trial)
        tuning.recorder.on_trial_result(0, [], trial, trial.last_result)
        tuning.recorder.on_trial_complete(0, [], trial)
    (tmp_path / "journal.jsonl").unlink()
    first, second = tuning._front_without_test()
    assert first == own[0]
    assert (second.number, second.epoch, second.values) == (2, 3, (0.3, 0.3))


def test_a_resumed_search_knows_what_is_left_of_it(tmp_path: Path) -> None:
    own = [prior(number, "complete", values=(0.5, 0.5)) for number in range(4)]
    assert not tuning_of(a_plan(tmp_path, trials=4), own).searcher.has_more()
    assert tuning_of(a_plan(tmp_path, trials=5), own).searcher.has_more()


@pytest.mark.parametrize(
    ("parallelism", "cpus", "least"),
    [
        (2, 1, 2),
        (1, 0.5, 0.5),
        (3, 0.5, 1.5),
        (1, 1.4, 1.4),
        (1, 2.5, 2.5),
        (3, 1.5, 4.5),
    ],
)
def test_ray_is_given_the_cores_that_its_trials_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parallelism: int, cpus: float, least: float
) -> None:
    # With fewer, Tune would wait for ever for cores that are never free.
    given: dict[str, Any] = {}
    monkeypatch.setattr(ray, "init", lambda **options: given.update(options))
    resources = {"parallelism": parallelism, "cpus": cpus}
    with ExitStack() as at_the_end:
        plan = a_plan(tmp_path, resources=resources)
        driver._start_ray(plan, at_the_end, data_bytes=0, say=lambda text, **fields: None)
    assert given["num_cpus"] >= least
    assert given["address"] == "local"


def test_a_driver_computes_in_one_thread_and_leaves_the_cores_to_its_trials() -> None:
    with threadpool_limits(2, user_api="blas"):  # puts back what was there
        driver.compute_alone()
        pools = [each for each in threadpool_info() if each["user_api"] == "blas"]
        assert {each["num_threads"] for each in pools} == {1}
        assert len(pools) >= 2, "numpy's and scipy's"


def test_a_users_function_gets_the_data_that_its_task_names_and_is_not_tested(
    tmp_path: Path,
) -> None:
    plan = a_plan(tmp_path)
    task = plan.spec.task.model_copy(update={"data": {"name": "digits"}})
    named = replace(plan, spec=plan.spec.model_copy(update={"task": task}))
    tuning = tuning_of(named, [prior(0, "complete", values=(0.5, 0.5))])
    assert tuning.data_bytes > 1000
    tuning.test_front()
    assert list(read_events(tmp_path)) == []

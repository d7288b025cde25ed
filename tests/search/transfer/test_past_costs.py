"""What earlier searches cost: which count, in whose order, and on which device."""

from __future__ import annotations

from datetime import timedelta

import pytest

from search.history import History
from search.transfer.past_costs import mean_seconds_per_trial, past_costs
from tests.support.priced_searches import (
    ONE,
    costs_before,
    new_search,
    priced,
    together,
    unfinished,
)
from tests.support.synthetic_history import START, history, points, row, search


def names(known: History, **units: str) -> list[str]:
    return [each.search.id for each in costs_before(known, new_search(), **units).searches]


def test_levels_and_seconds_follow_the_trials() -> None:
    (found,) = costs_before(priced("a", [0.5, None, 0.7], [1.0, 2.0, 4.0]), new_search()).searches
    # The reference point of an accuracy is -0.1.
    assert found.progress.levels == pytest.approx((0.6, 0.6, 0.8))
    assert found.progress.seconds == (1.0, 3.0, 7.0)
    assert (found.seconds, found.repeatable_level) == (7.0, pytest.approx(0.8))
    assert found.seconds_per_trial == pytest.approx(7 / 3) == mean_seconds_per_trial([found])
    assert found.progress.seconds_to(0.8) == 7.0 and found.progress.seconds_to(0.6) == 1.0
    assert found.progress.seconds_to(0.9) is None


def test_each_search_knows_those_of_its_task_before_it() -> None:
    known = together(
        priced("b", [0.5], 1.0, day=2), priced("a", [0.5], 1.0, day=1),
        priced("other", [0.5], 1.0, day=0, task="other@1"), priced("c", [0.5], 1.0, day=3),
    )  # fmt: skip
    found = costs_before(known, new_search()).searches
    assert [each.search.id for each in found] == ["other", "a", "b", "c"]
    assert [[e.search.id for e in each.earlier] for each in found] == [[], [], ["a"], ["a", "b"]]


def test_searches_that_say_nothing_about_costs_are_left_out() -> None:
    known = together(
        priced("good", [0.5], 1.0),
        priced("untimed", [0.5], 0.0),
        priced("incomplete", [None], 1.0),
        priced("running", [0.5], 1.0),
    )
    assert names(unfinished(known, "running")) == ["good"]


def test_a_search_that_only_repeats_what_it_was_given_is_left_out() -> None:
    given = row(0, [0.5], search="repeat", origin={"step": "first"})
    repeated = history([given], [search("repeat", objectives=ONE)])
    assert names(together(priced("good", [0.5], 1.0), repeated)) == ["good"]


def test_unlike_tasks_are_left_out() -> None:
    known = together(priced("same", [0.5], 1.0), priced("far", [0.5], 1.0, task="far@1"))
    found = past_costs(known, new_search(), {"far": 0.39, "same": 1.0}, {}, "core", True)
    assert [each.search.id for each in found.searches] == ["same"]


@pytest.mark.parametrize(("excludes", "states"), [(True, ["failed"]), (False, ["complete"])])
def test_a_trial_in_doubt_ends_as_the_new_search_says_and_costs_the_same(
    excludes: bool, states: list[str]
) -> None:
    jumps = points("robustness.jumps", {5: 0.5})
    rows = [row(0, [0.5, 0.5]), row(1, [0.5, 1.0], curves=jumps)]
    known, this = history(rows, [search()]), search("", started=START + timedelta(days=1))
    (found,) = past_costs(known, this, {}, {}, "core", excludes).searches
    assert [each.state for each in found.trials] == ["complete", *states]
    assert found.seconds == 20.0


def test_hours_of_a_gpu_are_not_forecast_from_trials_on_cores() -> None:
    known = together(priced("cpu", [0.5], 1.0), priced("gpu", [0.5], 1.0, day=1))
    assert names(known, gpu="GPU") == ["cpu"]
    assert names(known, gpu="GPU", cpu="core") == ["cpu"]


def test_trials_of_another_device_count_with_their_work_at_the_speed_of_the_newest() -> None:
    old = priced(
        "old", [0.5], 100.0, device="slow", work=400.0,
        curves=points("work.epoch", {1: 400.0}) + points("seconds.epoch", {1: 100.0}),
    )  # fmt: skip
    new = priced(
        "new", [0.5], 10.0, day=1, device="fast", work=200.0,
        curves=points("work.epoch", {1: 200.0}) + points("seconds.epoch", {1: 4.0}),
    )  # fmt: skip
    found = costs_before(together(old, new), new_search())
    assert found.device == "fast"
    # 400 FLOP at 50 a second; the newest is what it was, its set-up included.
    assert [each.seconds for each in found.searches] == [8.0, 10.0]
    # So is work on cores, if trials on the GPU tell its speed.
    on_gpu = past_costs(
        together(old, new), new_search(), {}, {"old": "core", "new": "GPU"}, "GPU", True
    )  # fmt: skip
    assert [each.seconds for each in on_gpu.searches] == [8.0, 10.0]


def test_the_order_is_that_of_time_and_not_of_names() -> None:
    known = together(priced("b", [0.5], 1.0), priced("a", [0.5], 1.0, day=1))
    assert names(known) == ["b", "a"]
    assert START + timedelta(days=1) == known.searches["a"].started


@pytest.mark.parametrize("seconds", [-1.0, 1e-9, 1e13, float("inf"), float("nan")])
def test_a_search_whose_store_holds_impossible_seconds_is_left_out(seconds: float) -> None:
    known = together(priced("good", [0.5], 1.0), priced("odd", [0.5, 0.6], [1.0, seconds]))
    assert names(known) == ["good"]


def test_seconds_on_cores_without_a_device_do_not_become_those_of_a_gpu() -> None:
    curves = points("work.epoch", {1: 200.0}) + points("seconds.epoch", {1: 4.0})
    gpu = priced("gpu", [0.5], 10.0, device="fast", work=200.0, curves=curves)
    cpu = priced("cpu", [0.5], 99.0, work=200.0)
    found = past_costs(
        together(gpu, cpu), new_search(), {}, {"gpu": "GPU", "cpu": "core"}, "GPU", True
    )
    assert [each.search.id for each in found.searches] == ["gpu"]


def test_a_task_with_a_running_search_alone_has_none() -> None:
    assert names(unfinished(priced("a", [0.5], 1.0), "a")) == []

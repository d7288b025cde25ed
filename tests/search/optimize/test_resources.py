"""What a trial requests from Ray, and how many trials fit."""

from __future__ import annotations

from typing import Any

import pytest
import ray

from search.optimize.resources import (
    bundle,
    fitting,
    lacking,
    trials_at_once,
    wanted,
    why_crowded,
    why_no_node,
)
from search.spec.sections import Resources

A10G = "accelerator_type:A10G"


@pytest.mark.parametrize(
    ("offered", "resources", "count"),
    [
        ({"CPU": 8}, {"cpus": 2.0}, 4),
        ({"CPU": 8}, {"cpus": 0.1}, 80),
        ({"CPU": 8, "GPU": 1}, {"gpus": 0.25}, 4),
        ({"CPU": 8, "GPU": 2}, {"gpus": 0.4}, 4),  # two on each: a trial never spans two GPUs
        ({"CPU": 64, "GPU": 8}, {"gpus": 2.0}, 4),
        ({"CPU": 8}, {"gpus": 1.0}, 0),
        ({"CPU": 8, "memory": 8 * 2**30}, {"memory_gb": 3.0}, 2),
        ({"CPU": 8, "GPU": 2, A10G: 1}, {"gpus": 1.0, "accelerator": "A10G"}, 2),
        ({"CPU": 8, "GPU": 2, A10G: 1}, {"gpus": 1.0, "accelerator": "H100"}, 0),
    ],
)
def test_trials_that_fit_a_node(
    offered: dict[str, float], resources: dict[str, Any], count: int
) -> None:
    assert fitting(offered, Resources(**resources)) == count


def test_a_trial_requests_exactly_what_it_gets() -> None:
    assert bundle(Resources(cpus=2.0)) == {"CPU": 2.0}
    everything = Resources(cpus=1.0, gpus=0.5, memory_gb=2.0, accelerator="A10G")
    assert bundle(everything) == {"CPU": 1.0, "GPU": 0.5, "memory": 2**31, A10G: 0.001}
    assert bundle(everything, has_whole_gpu=True)["GPU"] == 1.0


def test_a_node_without_room_for_a_trial_says_what_it_lacks() -> None:
    large = Resources(cpus=4.0, gpus=1.0, accelerator="H100")
    assert lacking({"CPU": 2.0, "GPU": 1.0, A10G: 1.0}, large) == (
        "it has 2 CPUs and its GPUs are A10G"
    )
    assert "no known kind of GPU" in lacking({"CPU": 8.0, "GPU": 1.0}, large)


def test_no_node_is_reported_while_one_has_room_for_a_trial() -> None:
    small, large = {"CPU": 1.0}, {"CPU": 4.0}
    assert why_no_node({"a": small, "b": large}, Resources(cpus=4.0)) == ""
    problem = why_no_node({"a": small}, Resources(cpus=4.0))
    assert "4 CPUs, 0 GPUs" in problem and problem.endswith("a: it has 1 CPU")
    assert "and 2 more nodes" in why_no_node(dict.fromkeys("abcdef", small), Resources(cpus=4.0))


def test_one_core_or_gpu_is_singular_and_a_share_is_not() -> None:
    assert wanted(Resources(cpus=1.0, gpus=1.0)) == "1 CPU, 1 GPU"
    assert wanted(Resources(cpus=2.0, gpus=0.5)) == "2 CPUs, 0.5 GPUs"
    assert lacking({"CPU": 0.5, "memory": 1.5 * 2**30}, Resources(memory_gb=2)) == (
        "it has 0.5 CPUs and it has 1.5 GB of memory"
    )


def test_a_number_of_trials_at_once_is_that_number_wherever_it_runs() -> None:
    for is_cluster in (False, True):
        limit = trials_at_once(Resources(parallelism=3), is_cluster)
        assert limit(0) == limit(2) == 3


def test_on_one_machine_auto_is_what_it_has_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 7.0})
    limit = trials_at_once(Resources(parallelism="auto", cpus=2.0), is_cluster=False)
    assert limit(0) == limit(3) == 3


def test_on_a_cluster_auto_fills_what_is_free_and_lets_one_trial_wait_for_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limit = trials_at_once(Resources(parallelism="auto"), is_cluster=True)
    for free, at_work, allowed in [(4, 0, 4), (0, 4, 5), (3, 4, 7), (0, 2, 3), (0, 0, 1)]:
        monkeypatch.setattr(ray, "available_resources", lambda cpus=float(free): {"CPU": cpus})
        assert limit(at_work) == allowed


@pytest.mark.parametrize("resources", [{"parallelism": 2}, {"parallelism": "auto", "cpus": 0.5}])
def test_trials_that_have_their_cores_are_not_crowded(resources: dict[str, Any]) -> None:
    assert why_crowded(Resources(**resources), 2) == ""


@pytest.mark.parametrize(
    ("resources", "said"),
    [
        ({"parallelism": 64}, "64 trials at once with 1 core on 2 cores: trials share cores"),
        ({"parallelism": 2, "cpus": 1.5}, "2 trials at once with 1.5 cores on 2 cores: "),
        ({"parallelism": "auto", "cpus": 16.0}, "1 trial at once with 16 cores on 2 cores: "),
    ],
)
def test_trials_that_ask_for_more_cores_than_there_are_are_told_so(
    resources: dict[str, Any], said: str
) -> None:
    assert said in why_crowded(Resources(**resources), 2)

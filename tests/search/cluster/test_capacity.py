"""Disk, consistency, GPUs, trials that fit, and data: what a node reports of itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from search.cluster import capacity, consistency
from search.cluster.capacity import check_fitting
from search.cluster.consistency import check_data, digest_check
from search.cluster.nodes import HERE, Reply, ThisMachine
from search.spec import load_spec
from search.spec.sections import Resources
from tests.support.pretended_nodes import PretendedNodes

GB = 10**9
SPECS = Path(__file__).resolve().parents[3] / "search" / "specs"


def test_the_room_of_a_missing_folder_is_that_of_the_folder_above(tmp_path: Path) -> None:
    assert capacity.room(str(tmp_path / "not" / "made"))[1] == capacity.room(str(tmp_path))[1] > 0


@pytest.mark.parametrize(
    ("free", "status"), [(500 * GB, "pass"), (60 * GB, "pass"), (40 * GB, "fail")]
)
def test_a_disk_of_a_terabyte_fails_where_ray_refuses_to_store(free: int, status: str) -> None:
    check = capacity.disk_check("disk", {"a": (900 * GB, 1000 * GB), "b": (free, 1000 * GB)})
    assert check.status == status
    assert status == "pass" or "b" in check.found


def test_a_small_disk_that_is_not_full_is_a_warning() -> None:
    assert capacity.disk_check("disk", {"a": (4 * GB, 20 * GB)}).status == "warning"


def test_the_round_trip_explains_a_part_of_the_skew() -> None:
    assert consistency.skew(100.0, 104.0, 108.0) == 0
    assert consistency.skew(100.0, 120.0, 108.0) == 12
    assert consistency.skew(100.0, 90.0, 108.0) == -10


def test_a_clock_that_is_ahead_fails_and_is_named() -> None:
    check = consistency.clock_check({"a": 0.0, "b": 42.0})
    assert check.status == "fail" and "b is 42.0 s ahead of" in check.found


def test_clocks_of_one_machine_agree() -> None:
    check = consistency.check_clocks(PretendedNodes())
    assert check.status == "pass"


def seen(problem: str = "", count: int = 1, cuda: str | None = "13.0") -> Reply:
    device = {"name": "H100", "memory_gb": 78.0, "problem": problem}
    return Reply({"cuda": cuda, "devices": [device] * count})


@pytest.mark.parametrize(
    ("reply", "status", "said"),
    [
        (seen(count=2), "pass", "2 GPUs"),
        (seen("no kernel image is available"), "fail", "no kernel image"),
        (seen(count=0), "fail", "torch sees none on any node"),
    ],
)
def test_a_spec_for_gpus_needs_some_that_work(reply: Reply, status: str, said: str) -> None:
    check = capacity.check_gpus(ThisMachine(), {HERE: reply})
    assert check.status == status and said in check.found


def test_a_gpu_that_ray_offers_and_torch_does_not_see_fails() -> None:
    nodes = PretendedNodes(names=("a",))
    nodes.resources["a"]["GPU"] = 1.0
    check = capacity.check_gpus(nodes, {"a": seen(count=0, cuda=None)})
    assert check.status == "fail" and "without CUDA" in check.found


def test_a_trial_that_fits_no_node_fails_with_what_each_lacks() -> None:
    nodes = {"a": {"CPU": 2.0, "GPU": 1.0}, "b": {"CPU": 8.0}}
    check = check_fitting(nodes, Resources(cpus=4.0, gpus=1.0))
    assert check.status == "fail"
    assert "a: it has 2 CPUs" in check.found and "b: it has 0 GPUs" in check.found


def test_fewer_trials_than_wanted_at_once_is_a_warning() -> None:
    check = check_fitting({"a": {"CPU": 2.0}}, Resources(parallelism=4))
    assert check.status == "warning" and "to 2" in check.fix


def test_a_search_with_automatic_parallelism_wants_no_number() -> None:
    check = check_fitting({"a": {"CPU": 2.0}}, Resources(parallelism="auto"))
    assert check.status == "pass" and "2 trials" in check.found


def test_a_data_set_that_is_the_same_on_all_nodes_passes() -> None:
    (check,) = check_data(PretendedNodes(), load_spec(SPECS / "digits.yaml"))
    assert check.status == "pass" and "2 nodes" in check.found


def test_a_data_set_that_differs_or_is_missing_on_a_node_fails() -> None:
    assert "on b" in digest_check("data set", "x", {"a": Reply("x"), "b": Reply("y")}).found
    assert (
        "b: gone"
        in digest_check("data set", "x", {"a": Reply("x"), "b": Reply(problem="gone")}).found
    )

"""Types of node that the autoscaler may add, and a spec that only those can run."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from search.cluster.capacity import check_fitting
from search.cluster.nodes import BOOTSTRAP, autoscaler_node_types
from search.spec.sections import Resources

CLOUD = {
    "provider": {"type": "aws"},
    "head_node_type": "head",
    "available_node_types": {
        "head": {"resources": {"CPU": 4}, "max_workers": 1},
        "gpu": {"resources": {"CPU": 16, "GPU": 4, "memory": 2**36}, "max_workers": 8},
        "on_demand": {"resources": {"CPU": 16, "GPU": 4}, "max_workers": 0},
    },
}


def test_the_node_types_are_those_that_may_have_workers(tmp_path: Path) -> None:
    (tmp_path / BOOTSTRAP).write_text(yaml.safe_dump(CLOUD))
    assert autoscaler_node_types(tmp_path) == {"gpu": {"CPU": 16.0, "GPU": 4.0, "memory": 2.0**36}}


def test_on_premise_the_autoscaler_adds_none(tmp_path: Path) -> None:
    assert autoscaler_node_types(tmp_path) == {}, "no head that Ray's launcher made"
    (tmp_path / BOOTSTRAP).write_text(yaml.safe_dump(CLOUD | {"provider": {"type": "local"}}))
    assert autoscaler_node_types(tmp_path) == {}


@pytest.mark.parametrize("text", ["", "[1]", "{", "provider: 3", "provider: {type: aws}", "\0"])
def test_a_file_that_is_not_rays_counts_as_no_file(tmp_path: Path, text: str) -> None:
    (tmp_path / BOOTSTRAP).write_text(text)
    assert autoscaler_node_types(tmp_path) == {}


def test_a_spec_that_only_an_added_node_can_run_passes_and_says_so() -> None:
    node_types = {"gpu": {"CPU": 16.0, "GPU": 4.0}, "small": {"CPU": 2.0}}
    check = check_fitting({"head": {"CPU": 0.0}}, Resources(gpus=0.5, cpus=1.0), node_types)
    assert check.status == "pass" and "8 on each gpu" in check.found
    assert "small" not in check.found


def test_a_spec_that_no_added_node_can_run_fails() -> None:
    check = check_fitting({"head": {"CPU": 0.0}}, Resources(gpus=1.0), {"small": {"CPU": 2.0}})
    assert check.status == "fail"

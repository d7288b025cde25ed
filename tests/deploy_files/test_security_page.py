"""SECURITY.md says what the cluster files do: every port that they open is in its table."""

import re
from pathlib import Path

import pytest
import yaml

from tests.deploy_files.rules import ray_starts

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "SECURITY.md").read_text(encoding="utf-8")


def ports_of_the_page(page: str) -> set[int]:
    """The ports in the first column of its table, ranges by their two ends."""
    rows = re.findall(r"^\| ([\d ,to]+) \|", page, flags=re.MULTILINE)
    return {int(port) for row in rows for port in re.findall(r"\d+", row)}


@pytest.mark.parametrize("name", ["cluster.yaml", "deploy/on_premise.yaml"])
def test_every_port_that_a_cluster_file_names_is_on_the_page(name: str) -> None:
    config = yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))
    named = {int(port) for line in ray_starts(config) for port in re.findall(r"port=(\d+)", line)}

    assert len(named) == 10
    assert named <= ports_of_the_page(PAGE)


def test_the_page_names_the_ports_that_ray_opens_by_itself() -> None:
    # Seen with ray 2.60: the two exporters of metrics and Ray Client have no flag that closes them.
    assert {44217, 44227, 10001, 22, 5000} <= ports_of_the_page(PAGE)


def test_files_that_the_page_names_exist() -> None:
    named = set(re.findall(r"`((?:deploy|search|models)/[\w./]+|cluster\.yaml)`", PAGE))

    assert "cluster.yaml" in named
    missing = [each for each in named if not (ROOT / each).exists()]
    assert missing in ([], ["deploy/mlflow/secrets/"])  # that one is the user's own

"""SECURITY.md has every port that the cluster files open, and pages name files that exist."""

import re
from pathlib import Path

import pytest
import yaml

from tests.deploy_files.rules import ray_starts

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "SECURITY.md").read_text(encoding="utf-8")


def ports_of_the_page(page: str) -> set[int]:
    """Return the ports in the first column of its table, ranges by their two ends."""
    rows = re.findall(r"^\| ([\d ,to]+) \|", page, flags=re.MULTILINE)
    return {int(port) for row in rows for port in re.findall(r"\d+", row)}


@pytest.mark.parametrize("name", ["cluster.yaml", "deploy/on_premise.yaml"])
def test_every_port_that_a_cluster_file_names_is_on_the_page(name: str) -> None:
    config = yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))
    named = {int(port) for line in ray_starts(config) for port in re.findall(r"port=(\d+)", line)}

    assert len(named) == 10
    assert named <= ports_of_the_page(PAGE)


def test_the_page_names_the_ports_that_ray_opens_by_itself() -> None:
    # Observed with ray 2.60: no flag closes the two exporters of metrics and Ray Client.
    assert {44217, 44227, 10001, 22, 5000} <= ports_of_the_page(PAGE)


@pytest.mark.parametrize("name", ["SECURITY.md", "CONTRIBUTING.md"])
def test_files_and_folders_that_a_page_names_exist(name: str) -> None:
    page = (ROOT / name).read_text(encoding="utf-8")
    folders = "benchmarks|deploy|models|results|search|tests"
    named = set(re.findall(rf"`((?:{folders})/[\w./]*|cluster\.yaml)`", page))

    assert named
    missing = [each for each in named if not (ROOT / each).exists()]
    assert missing in ([], ["deploy/mlflow/secrets/"])  # the user makes that one

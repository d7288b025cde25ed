"""The checks on a real Ray cluster of two nodes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from search.cluster.nodes import join_cluster
from tests.support.ray_clusters import two_nodes


def test_an_address_where_nothing_answers_is_reported_at_once() -> None:
    with pytest.raises(ConnectionError, match=r"127\.0\.0\.1:9"), join_cluster("127.0.0.1:9", {}):
        pass


@pytest.mark.slow
def test_storage_that_is_local_to_a_node_of_a_real_cluster_is_the_only_failure_of_the_nodes(
    tmp_path: Path,
) -> None:
    (tmp_path / "results" / "storage").mkdir(parents=True)
    with two_nodes(tmp_path / "results" / "storage", tmp_path / "token") as (address, environment):
        done = subprocess.run(
            [sys.executable, "-m", "search", "doctor", "--address", address, "--json",
             "--results", str(tmp_path / "results"),
             "--tracking-uri", f"sqlite:///{tmp_path / 'mlflow.db'}"],
            capture_output=True, text=True, timeout=400, env=environment,
        )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    checks = {each["name"]: each for each in json.loads(done.stdout)["checks"]}
    assert "2 nodes" in checks["cluster"]["found"]
    assert checks["storage"]["status"] == "fail" and "not shared" in checks["storage"]["found"]
    for name in ("versions", "code", "clocks", "token", "head without token"):
        assert checks[name]["status"] == "pass", checks[name]

"""`doctor --cluster` for a cluster that is down, and for a real head of Ray that takes jobs.

The same head admits its clients.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from search.cluster.access import ANSWER_SECONDS, admit
from search.cluster.check import Check
from search.cluster.preflight import LaunchArguments
from search.cluster.remote import check_remotely
from tests.support.cluster_specs import written
from tests.support.ray_clusters import head_that_takes_jobs

ROOT = Path(__file__).resolve().parents[3]
CLUSTER = "cluster_name: lab-{}\nprovider: {{type: local, head_ip: 127.0.0.1, worker_ips: []}}\n"
# `doctor`, but for the tunnel: the head is on this very machine.
DOCTOR = """
import contextlib, sys
from search.cluster import launcher
dashboard = sys.argv.pop(1)
launcher.tunnel = lambda cluster, log: contextlib.nullcontext(dashboard)
from search.__main__ import main
main()
"""


def seen(project: Path, **changes: Any) -> dict[str, Check]:
    """Return the checks of a cluster that was never up, by name."""
    (project / "cluster.yaml").write_text(CLUSTER.format(project.parent.name))
    given: dict[str, Any] = {
        "cluster": project / "cluster.yaml", "project": project, "spec": written(project),
        "settings": (), "tracking_uri": "http://10.255.0.1:5000", "results": Path("/shared"),
    }  # fmt: skip
    checks: list[Check] = []
    check_remotely(LaunchArguments(**given | changes), checks.append)
    return {check.name: check for check in checks}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    (home / ".ray").mkdir(parents=True)
    (home / ".ray" / "auth_token").write_text("secret")
    (home / ".ray" / "auth_token").chmod(0o600)
    monkeypatch.setenv("HOME", str(home))
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


@pytest.mark.slow
def test_for_a_cluster_that_is_down_the_rest_is_checked(project: Path) -> None:
    checks = seen(project)
    assert checks["head"].status == "warning" and "not checked" in checks["head"].found
    assert "ssh: connect to host 127.0.0.1" in checks["head"].found, "why, in the words of ssh"
    assert {checks[name].status for name in ("cluster file", "token here", "spec", "results")} == {
        "pass"
    }
    assert checks["tracking store"].status == "fail", "no server answers there"


@pytest.mark.slow
def test_what_a_launch_would_refuse_fails_with_its_key(project: Path) -> None:
    (Path.home() / ".ray" / "auth_token").chmod(0o644)
    checks = seen(
        project, settings=("budget.trails=3",), results=Path("here"), tracking_uri="sqlite:///a.db"
    )
    for name, word in {
        "token here": "mode 644", "spec": "budget.trails", "results": "absolute path",
        "tracking store": "temporary copy",
    }.items():  # fmt: skip
        assert checks[name].status == "fail" and word in checks[name].found, checks[name]


def test_a_missing_cluster_file_is_the_only_check(tmp_path: Path) -> None:
    checks: list[Check] = []
    given = LaunchArguments(tmp_path / "none.yaml", tmp_path, None, (), None, None)
    check_remotely(given, checks.append)
    (check,) = checks
    assert check.status == "fail" and "none.yaml" in check.found


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, Mapping[str, str]]]:
    """Runs a head; its address, its dashboard's, and the environment of its clients."""
    with head_that_takes_jobs(tmp_path_factory.mktemp("head")) as running:
        yield running


@pytest.mark.slow
def test_a_real_head_admits_a_client_with_its_token_and_refuses_others_within_seconds(
    head: tuple[str, str, Mapping[str, str]], tmp_path: Path
) -> None:
    address, _, of_clients = head
    environment = dict(of_clients)
    del environment["RAY_AUTH_MODE"]
    began = time.monotonic()
    with pytest.raises(ConnectionError, match="another cluster's"):
        admit(address, environment | {"RAY_AUTH_TOKEN": "0" * 64})
    with pytest.raises(ConnectionError, match="is missing or empty"):
        admit(address, environment | {"RAY_AUTH_TOKEN_PATH": str(tmp_path / "none")})
    assert time.monotonic() - began < 3 * ANSWER_SECONDS
    admit(address, environment)
    assert environment["RAY_AUTH_MODE"] == "token"


@pytest.mark.slow
def test_the_nodes_of_a_cluster_that_is_up_are_checked_remotely(
    head: tuple[str, str, Mapping[str, str]], tmp_path: Path
) -> None:
    (tmp_path / "lab.yaml").write_text(CLUSTER.format("up"))
    shared = tmp_path / "shared"
    (shared / "storage").mkdir(parents=True)
    _, dashboard, environment = head
    done = subprocess.run(
        [sys.executable, "-c", DOCTOR, dashboard, "doctor", "search/specs/digits.yaml",
         "--cluster", str(tmp_path / "lab.yaml"), "--json", "--results", str(shared)],
        capture_output=True, text=True, timeout=400, env=environment, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    checks = {each["name"]: each for each in json.loads(done.stdout)["checks"]}
    assert "lab-up is up: 1 node," in checks["head"]["found"]
    assert checks["tracking store"]["status"] == "fail", "none was named"
    # Checked by the job on the head.
    there = ("versions", "code", "storage", "clocks", "token", "data set", "head without token")
    for name in there:
        assert checks[name]["status"] == "pass", checks[name]

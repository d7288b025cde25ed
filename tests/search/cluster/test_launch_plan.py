"""A dry run of a launch says what would happen, and touches nothing."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from search.cli import cluster as commands
from search.optimize.bundle import what_travels
from tests.support.cluster_specs import SPEC

CLUSTER = """
cluster_name: lab
provider: {type: local, head_ip: 10.0.0.11, worker_ips: [10.0.0.12]}
auth: {ssh_user: ray}
min_workers: 1
max_workers: 1
file_mounts: {"~/wanted.txt": ./constraints.txt}
setup_commands: [pip install something]
head_start_ray_commands: [ray stop, ray start --head --port=6379]
worker_start_ray_commands: ["ray start --address=$RAY_HEAD_IP:6379"]
"""
NETWORK = """
from torch import nn

def build(configuration, data):
    return nn.Flatten()
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    (folder / "results").mkdir(parents=True)
    (folder / "results" / "old.md").write_text("a report")
    (folder / "spec.yaml").write_text((SPEC % "/data/images").replace("name: none", "name: none"))
    (folder / "cluster.yaml").write_text(CLUSTER)
    (folder / "constraints.txt").write_text("")
    (folder / ".gitignore").write_text("*.parquet\nprivate/\n")
    (folder / "big.parquet").write_text("x" * 1000)
    (folder / "private").mkdir()
    (folder / "private" / "notes.txt").write_text("secret")
    token = tmp_path / "token"
    token.write_text("0123")
    token.chmod(0o600)
    monkeypatch.setattr(commands, "PROJECT", folder)
    monkeypatch.setattr(commands, "TOKEN", token)
    monkeypatch.setattr(commands, "CREDENTIALS", tmp_path / "none")
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    return folder


def refuse(*arguments: Any, **options: Any) -> Any:
    raise AssertionError(f"a dry run touched something: {arguments} {options}")


def dry_run(project: Path, monkeypatch: pytest.MonkeyPatch, **options: Any) -> None:
    """Launches with sockets, processes and files for writing out of reach."""
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "create_server", refuse)
    monkeypatch.setattr(subprocess, "Popen", refuse)
    monkeypatch.setattr(Path, "mkdir", refuse)
    given = {
        "spec": project / "spec.yaml", "cluster": project / "cluster.yaml",
        "tracking_uri": "https://mlflow.example.org", "results": Path("/shared/results"),
    }  # fmt: skip
    commands.launch(**(given | options), dry_run=True)


def everything(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        str(file): (file.stat().st_mtime_ns, file.stat().st_size)
        for file in folder.rglob("*") if file.is_file()
    }  # fmt: skip


def test_it_names_files_addresses_commands_and_what_travels(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = everything(project)
    dry_run(project, monkeypatch)
    assert everything(project) == before
    text = capsys.readouterr().out
    files, addresses, started, travels = text.split("\n\n")[1:]
    assert f"{project}/results/clusters/lab.log" in files
    assert "~/wanted.txt: copy of ./constraints.txt" in files and "/shared/results" in files
    assert "10.0.0.11 port 22" in addresses and "10.0.0.12 port 22" in addresses
    assert "127.0.0.1:8265" in addresses and "https://mlflow.example.org" in addresses
    assert "ray start --head --port=6379" in started and "each worker" in started
    assert "waits for 2 nodes" in started and "1 setup command" in started
    assert "python -m search run spec.yaml --address auto" in started
    # spec.yaml, cluster.yaml, constraints.txt and .gitignore
    assert f"{project}: 4 files" in travels and "results, what .gitignore names" in travels
    assert "/data/images does not travel" in travels


def test_a_link_to_nothing_has_no_size(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "latest").symlink_to(project / "gone")
    dry_run(project, monkeypatch)
    assert f"{project}: 5 files, 0.0 MB" in capsys.readouterr().out


def test_own_code_is_listed_by_file_and_digest(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "my_net.py").write_text(NETWORK)
    text = (SPEC % "digits").replace("model: cnn", "network: python:my_net:build")
    text = text.replace("adamw.learning_rate", "learning_rate").replace("adamw", "sgd")
    (project / "spec.yaml").write_text(
        text.replace(", settings: {optimizer: sgd}", "").replace(
            "learning_rate:", "model.width:"
        )
    )  # fmt: skip
    dry_run(project, monkeypatch)
    travels = capsys.readouterr().out.split("\n\n")[-1]
    assert "python:my_net:build, digest" in travels and ": my_net.py" in travels


def test_a_resumed_search_has_its_spec_in_the_store(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    dry_run(project, monkeypatch, spec=None, resume="hills-1130-1200-ab12")
    text = capsys.readouterr().out
    assert "python -m search resume hills-1130-1200-ab12" in text
    assert "stored spec is read on the head" in text


def test_what_a_launch_refuses_a_dry_run_refuses_too(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match="--results is missing"):
        dry_run(project, monkeypatch, results=None)


def test_what_travels_leaves_out_what_ignore_files_of_inner_folders_name(tmp_path: Path) -> None:
    (tmp_path / "code" / "cache").mkdir(parents=True)
    (tmp_path / "code" / ".rayignore").write_text("cache/\n*.bin\n")
    for name in ("code/a.py", "code/b.bin", "code/cache/c.py", "d.bin"):
        (tmp_path / name).write_text("")
    found = [str(file.relative_to(tmp_path)) for file in what_travels(tmp_path)]
    (tmp_path / ".git").write_text("gitdir: of a worktree")
    assert found == [str(file.relative_to(tmp_path)) for file in what_travels(tmp_path)]
    assert found == [f"code{os.sep}.rayignore", f"code{os.sep}a.py", "d.bin"]

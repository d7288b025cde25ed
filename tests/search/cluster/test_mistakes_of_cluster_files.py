from __future__ import annotations

import dataclasses
import socket
import threading
from pathlib import Path

import pytest

from search.cluster import cluster_file
from search.cluster.cluster_file import ClusterFile, mistakes_in, read_cluster_file, why_no_ssh

ROOT = Path(__file__).resolve().parents[3]
ON_PREMISE = "cluster_name: lab\nprovider: {type: local, head_ip: 127.0.0.1, worker_ips: []}\n"


def found(folder: Path, more: str) -> list[str]:
    path = folder / "cluster.yaml"
    path.write_text(ON_PREMISE + more)
    return mistakes_in(read_cluster_file(path), folder)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    file = tmp_path / "key"
    file.write_text("")
    file.chmod(0o600)
    return file


def test_a_file_that_ray_accepts_has_no_mistakes(tmp_path: Path, key: Path) -> None:
    (tmp_path / "constraints.txt").write_text("")
    more = f"min_workers: 0\nauth: {{ssh_user: ray, ssh_private_key: {key}}}\n"
    assert found(tmp_path, more + "file_mounts: {~/c: ./constraints.txt}\n") == []


@pytest.mark.parametrize(
    ("more", "because"),
    [
        ("idle_minutes: 3\n", "'idle_minutes' was unexpected"),
        ("max_workers: two\n", "max_workers: 'two' is not of type 'integer'"),
        ("setup_commands: [mount fs-REPLACE_ME.efs:/ /shared]\n", "setup_commands.0 = fs-REPLACE"),
        ("file_mounts: {~/c: ./constraints.txt}\n", "file_mounts.~/c: there is no ./constraints"),
        ("file_mounts: {~/c: ~nobody-here/c}\n", "file_mounts.~/c: there is no ~nobody-here/c"),
        ("auth: {ssh_user: ray, ssh_private_key: /none}\n", "auth.ssh_private_key: there is no"),
        ("auth: {ssh_user: r, ssh_private_key: ~nobody-here/k}\n", "there is no ~nobody-here/k"),
        (
            "head_node_type: big\navailable_node_types: {head: {node_config: {}, resources: {}}}\n",
            "head_node_type: big is none of",
        ),
    ],
)
def test_a_mistake_is_a_line_with_file_and_key(tmp_path: Path, more: str, because: str) -> None:
    (line,) = found(tmp_path, more)
    assert line.startswith(f"{tmp_path / 'cluster.yaml'}: ") and because in line


def test_an_ssh_key_that_others_can_read_is_a_mistake_since_ssh_refuses_it(
    tmp_path: Path, key: Path
) -> None:
    key.chmod(0o644)
    (line,) = found(tmp_path, f"auth: {{ssh_user: ray, ssh_private_key: {key}}}\n")
    assert f"chmod 600 {key}" in line


def test_the_ids_that_a_user_must_fill_in_are_the_only_mistakes_of_the_aws_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("secret")
    lines = mistakes_in(read_cluster_file(ROOT / "cluster.yaml"), ROOT)
    assert lines and all("REPLACE_ME" in line and "put your own id" in line for line in lines)
    assert any("available_node_types.head.node_config.ImageId" in line for line in lines)


@pytest.mark.parametrize(
    ("greeting", "because"), [(b"SSH-2.0-any", ""), (b"HTTP", "another program answers")]
)
def test_a_head_that_does_not_answer_to_ssh_is_named(
    greeting: bytes, because: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = ClusterFile(Path("/lab.yaml"), "lab", True, 1, ("127.0.0.1",))
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(cluster_file, "SSH_PORT", server.getsockname()[1])

        def greet() -> None:
            connected, _ = server.accept()
            with connected:
                connected.sendall(greeting)

        threading.Thread(target=greet, daemon=True).start()
        why = why_no_ssh(lab)
    assert because in why and bool(because) == bool(why)
    assert "provider.head_ip: 127.0.0.1 does not answer" in why_no_ssh(lab)
    behind_a_proxy = dataclasses.replace(lab, is_direct=False)
    assert why_no_ssh(behind_a_proxy) == ""

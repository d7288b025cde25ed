from __future__ import annotations

from pathlib import Path

import pytest

from search.cluster.cluster_file import ClusterFile, read_cluster_file


def read(tmp_path: Path, text: str) -> ClusterFile:
    path = tmp_path / "cluster.yaml"
    path.write_text(text)
    return read_cluster_file(path)


LOCAL = """
cluster_name: lab
provider: {type: local, head_ip: 10.0.0.1, worker_ips: [10.0.0.2, 10.0.0.3]}
"""


def test_on_premise_every_listed_host_is_waited_for(tmp_path: Path) -> None:
    found = read(tmp_path, LOCAL)
    assert (found.nodes, found.is_on_premise) == (3, True)
    assert found.missing({"10.0.0.1", "10.0.0.3"}) == ["10.0.0.2"]


def test_on_premise_fewer_may_be_waited_for(tmp_path: Path) -> None:
    assert read(tmp_path, LOCAL + "min_workers: 1\n").nodes == 2


def test_in_a_cloud_the_minimum_of_every_type_of_worker_is_waited_for(tmp_path: Path) -> None:
    text = """
cluster_name: gpus
provider: {type: aws}
head_node_type: head
available_node_types:
  head: {min_workers: 0}
  spot: {min_workers: 3}
  on_demand: {min_workers: 1}
  never: {}
"""
    found = read(tmp_path, text)
    assert (found.nodes, found.is_on_premise, found.hosts) == (5, False, ())


def test_on_premise_ssh_logs_in_to_the_head_with_the_key_of_the_file(tmp_path: Path) -> None:
    auth = "auth: {ssh_user: ray, ssh_private_key: /keys/ray, ssh_proxy_command: nc gate 22}\n"
    found = read(tmp_path, LOCAL + auth)
    assert found.ssh[-3:] == ("-i", "/keys/ray", "ray@10.0.0.1")
    assert "BatchMode=yes" in found.ssh, "a question would wait for ever"
    assert "ProxyCommand=nc gate 22" in found.ssh and not found.is_direct
    assert read(tmp_path, LOCAL).ssh[-1] == "10.0.0.1"


@pytest.mark.parametrize(
    ("text", "because"),
    [
        ("[1, 2]", "mapping"),
        ("provider: {type: aws}", "cluster_name"),
        ("cluster_name: x", r"provider\.type"),
        ("cluster_name: x\nprovider: {type: local}", "head_ip"),
        (LOCAL + "auth: [ray]", "auth: a mapping"),
        (LOCAL + "file_mounts: [./a]", "file_mounts: a mapping"),
        ("cluster_name: x\nprovider: {type: aws}\nmin_workers: two", "min_workers: a whole"),
        ("a: [", "not YAML"),
    ],
)
def test_what_is_not_a_cluster_file_is_refused(tmp_path: Path, text: str, because: str) -> None:
    with pytest.raises(ValueError, match=because):
        read(tmp_path, text)


def test_a_missing_cluster_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="--cluster"):
        read_cluster_file(tmp_path / "none.yaml")


def test_the_projects_own_cluster_files_are_read() -> None:
    root = Path(__file__).resolve().parents[3]
    assert read_cluster_file(root / "cluster.yaml").nodes >= 1
    assert read_cluster_file(root / "deploy" / "on_premise.yaml").nodes == 3

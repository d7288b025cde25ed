"""The cluster file: what Ray's launcher reads, and what we must know of it.

For the number of nodes that were asked for, and their addresses where the file names them. Not for
checking the file against Ray's schema: `ray up` does that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True)
class ClusterFile:
    """A cluster as its file asks for it.

    Attributes:
        path: Of the file, absolute.
        name: `cluster_name`.
        is_on_premise: Provider `local`: hosts that are there anyway.
        nodes: How many must have joined before a search starts, the head among them.
        hosts: Addresses of all of them, the head's first, if the file names them; empty in a cloud.
        is_direct: Reached by ssh without a proxy of its own between.
        ssh: On premise the arguments of `ssh` that log in to the head, with the file's own key.
    """

    path: Path
    name: str
    is_on_premise: bool
    nodes: int
    hosts: tuple[str, ...] = ()
    is_direct: bool = True
    ssh: tuple[str, ...] = ()

    def missing(self, joined: set[str]) -> list[str]:
        """The named hosts that are not among the addresses that joined."""
        return [host for host in self.hosts if host not in joined]


def read_cluster_file(path: Path) -> ClusterFile:
    """Reads a cluster file.

    Raises:
        FileNotFoundError: There is none.
        ValueError: It is no cluster file; names the key.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such cluster file; give it with --cluster")
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not YAML: {error}") from None
    if not isinstance(document, dict):
        raise ValueError(f"{path}: not a cluster file: a mapping of keys was expected")
    name, provider = document.get("cluster_name"), document.get("provider")
    if not isinstance(name, str) or not name:
        raise ValueError(f"{path}: cluster_name is missing: Ray finds the cluster again by it")
    if not isinstance(provider, dict) or "type" not in provider:
        raise ValueError(f"{path}: provider.type is missing: 'aws', 'local' or another of Ray's")
    if provider["type"] != "local":
        return ClusterFile(path.resolve(), name, False, 1 + _wanted_workers(document))
    head, workers = provider.get("head_ip"), provider.get("worker_ips")
    if not head or not isinstance(workers, list):
        raise ValueError(f"{path}: provider local needs head_ip and a list worker_ips")
    hosts = (str(head), *map(str, workers))
    wanted = document.get("min_workers", len(workers))
    wanted = min(wanted, len(workers)) if isinstance(wanted, int) else len(workers)
    auth = document.get("auth") or {}
    is_direct = "ssh_proxy_command" not in auth
    login = _login(auth, hosts[0])
    return ClusterFile(path.resolve(), name, True, 1 + wanted, hosts, is_direct, login)


def _login(auth: Mapping[str, Any], head: str) -> tuple[str, ...]:
    """As Ray's launcher logs in: nothing is asked, and hosts are not known beforehand."""
    options = {
        "BatchMode": "yes", "ConnectTimeout": "10", "ExitOnForwardFailure": "yes",
        "IdentitiesOnly": "yes", "LogLevel": "ERROR", "ServerAliveInterval": "5",
        "StrictHostKeyChecking": "no", "UserKnownHostsFile": "/dev/null",
    }  # fmt: skip
    if "ssh_proxy_command" in auth:
        options["ProxyCommand"] = str(auth["ssh_proxy_command"])
    key = auth.get("ssh_private_key")
    identity = ("-i", str(Path(str(key)).expanduser())) if key else ()
    user = f"{auth['ssh_user']}@" if auth.get("ssh_user") else ""
    set_ones = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
    return (*set_ones, *identity, f"{user}{head}")


def _wanted_workers(document: Mapping[str, Any]) -> int:
    """Sum of `min_workers` over the node types of workers, or the old file's one number."""
    kinds, head = document.get("available_node_types"), document.get("head_node_type")
    if not isinstance(kinds, dict):
        return int(document.get("min_workers") or 0)
    return sum(
        int(kind.get("min_workers") or 0)
        for name, kind in kinds.items()
        if name != head and isinstance(kind, dict)
    )

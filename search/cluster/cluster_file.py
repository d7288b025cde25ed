"""The cluster file: what Ray's launcher reads, what we must know of it, and what is wrong with it.

For the number of nodes that were asked for, and their addresses where the file names them. It is
checked before Ray's launcher starts anything, by Ray's own schema, which lies in its package as
JSON, and by what no schema sees: a placeholder that was never replaced, a file to copy that is not
there, a key for ssh that is missing or that ssh would not use. Not for what only the cloud can
tell.
"""

from __future__ import annotations

import importlib.util
import json
import socket
import stat
from collections.abc import Iterator, Mapping
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


PLACEHOLDER = "REPLACE_ME"
SSH_PORT, SSH_SECONDS = 22, 5.0


def mistakes_in(cluster: ClusterFile, project: Path) -> list[str]:
    """Each mistake in a line that names file, key and value; empty if there is none.

    Args:
        cluster: Its file was read already, so it is YAML.
        project: Where relative paths of its `file_mounts` are found.
    """
    document = yaml.safe_load(cluster.path.read_text(encoding="utf-8"))
    found = [*_against_schema(document), *_placeholders(document, ())]
    found += [*_missing_sources(document, project), *_ssh_key(document)]
    return [f"{cluster.path}: {line}" for line in found]


def why_no_ssh(cluster: ClusterFile) -> str:
    """Why the head of a cluster on premise cannot be logged in to; empty if it may well be.

    `ray up` would try for a quarter of an hour.
    """
    if not cluster.is_on_premise or not cluster.is_direct:
        return ""
    head = cluster.hosts[0]
    try:
        with socket.create_connection((head, SSH_PORT), SSH_SECONDS) as connected:
            # A server of ssh speaks first: RFC 4253, section 4.2.
            why = "" if connected.recv(4) == b"SSH-" else "another program answers"
    except OSError as error:
        why = error.strerror or str(error)
    if not why:
        return ""
    return (
        f"provider.head_ip: {head} does not answer on port {SSH_PORT} (ssh): "
        f"{why}; start sshd there, or correct the address"
    )


def _against_schema(document: Mapping[str, Any]) -> Iterator[str]:
    import jsonschema  # type: ignore[import-untyped]

    ray = importlib.util.find_spec("ray")
    assert ray is not None and ray.submodule_search_locations
    schema = Path(ray.submodule_search_locations[0]) / "autoscaler" / "ray-schema.json"
    checked = dict(document)
    if document["provider"]["type"] == "local":
        checked.pop("min_workers", None)  # Ray takes it there, and moves it before it checks
    for error in jsonschema.Draft7Validator(json.loads(schema.read_text())).iter_errors(checked):
        where = ".".join(map(str, error.absolute_path))
        yield f"{where + ': ' if where else ''}{error.message[:200]} (Ray's schema)"
    kinds, head = document.get("available_node_types"), document.get("head_node_type")
    if isinstance(kinds, dict) and head not in kinds:
        yield f"head_node_type: {head} is none of available_node_types ({', '.join(kinds)})"


def _placeholders(value: Any, keys: tuple[str, ...]) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _placeholders(inner, (*keys, str(key)))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _placeholders(inner, (*keys, str(index)))
    elif isinstance(value, str) and PLACEHOLDER in value:
        word = next(each for each in value.split() if PLACEHOLDER in each)
        yield f"{'.'.join(keys)} = {word}: put your own id there, as the file's head says"


def _missing_sources(document: Mapping[str, Any], project: Path) -> Iterator[str]:
    for place, source in (document.get("file_mounts") or {}).items():
        if isinstance(source, str) and not (project / Path(source).expanduser()).exists():
            yield f"file_mounts.{place}: there is no {source}"


def _ssh_key(document: Mapping[str, Any]) -> Iterator[str]:
    text = (document.get("auth") or {}).get("ssh_private_key")
    if not isinstance(text, str):
        return
    key = Path(text).expanduser()
    if not key.is_file():
        yield f"auth.ssh_private_key: there is no {key}"
    elif stat.S_IMODE(key.stat().st_mode) & 0o077:
        yield f"auth.ssh_private_key: {key} is readable by others, ssh refuses it: chmod 600 {key}"

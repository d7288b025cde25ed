"""The cluster file: what Ray's launcher reads, what `launch` must know of it, and its mistakes.

It says how many nodes to wait for, and their addresses where it names them. It is checked before
Ray's launcher starts anything, by Ray's own schema, which lies in its package as JSON, and for what
no schema sees: a placeholder that was never replaced, a file to copy that does not exist, an SSH
key that is missing or that ssh would refuse. Not for what only the cloud can tell.
"""

from __future__ import annotations

import json
import os.path
import socket
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True)
class ClusterFile:
    """A cluster as its file describes it.

    Attributes:
        path: The file's absolute path.
        name: `cluster_name`.
        is_on_premise: Provider `local`: hosts that exist anyway.
        nodes: How many must have joined before a search starts, the head among them.
        hosts: Addresses of all of them, the head's first, if the file names them; empty in a cloud.
        is_direct: Reached by ssh without a proxy of its own between.
        ssh: On premise, the arguments of `ssh` that log in to the head, with the file's own key.
        document: The file, as YAML has it.
    """

    path: Path
    name: str
    is_on_premise: bool
    nodes: int
    hosts: tuple[str, ...] = ()
    is_direct: bool = True
    ssh: tuple[str, ...] = ()
    document: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def missing(self, joined: set[str]) -> list[str]:
        """Return the named hosts that are not among the addresses that joined."""
        return [host for host in self.hosts if host not in joined]


def read_cluster_file(path: Path) -> ClusterFile:
    """Read a cluster file.

    Raises:
        FileNotFoundError: It does not exist.
        ValueError: It is not a cluster file; names the key.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such cluster file; fix: name it by --cluster")
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not YAML: {error}") from None
    if not isinstance(document, dict):
        raise ValueError(f"{path}: not a cluster file: a mapping of keys was expected")
    for key in ("auth", "file_mounts", "available_node_types"):
        if not isinstance(document.get(key) or {}, dict):
            raise ValueError(f"{path}: {key}: a mapping of keys was expected")
    name, provider = document.get("cluster_name"), document.get("provider")
    if not isinstance(name, str) or not name:
        raise ValueError(f"{path}: cluster_name is missing: Ray finds the cluster again by it")
    if not isinstance(provider, dict) or "type" not in provider:
        raise ValueError(f"{path}: provider.type is missing: 'aws', 'local' or another of Ray's")
    if provider["type"] != "local":
        nodes = 1 + _wanted_workers(document, path)
        return ClusterFile(path.resolve(), name, False, nodes, document=document)
    head, workers = provider.get("head_ip"), provider.get("worker_ips")
    if not head or not isinstance(workers, list):
        raise ValueError(f"{path}: provider local needs head_ip and a list worker_ips")
    hosts = (str(head), *map(str, workers))
    wanted = document.get("min_workers")
    if not isinstance(wanted, int):
        wanted = len(workers)
    auth = document.get("auth") or {}
    return ClusterFile(
        path.resolve(), name, is_on_premise=True, nodes=1 + min(wanted, len(workers)), hosts=hosts,
        is_direct="ssh_proxy_command" not in auth, ssh=_login(auth, hosts[0]), document=document,
    )  # fmt: skip


def _login(auth: Mapping[str, Any], head: str) -> tuple[str, ...]:
    """Return the arguments of `ssh` as of Ray's launcher: no questions, hosts need not be known."""
    options = {
        "BatchMode": "yes", "ConnectTimeout": "10", "ExitOnForwardFailure": "yes",
        "IdentitiesOnly": "yes", "LogLevel": "ERROR", "ServerAliveInterval": "5",
        "StrictHostKeyChecking": "no", "UserKnownHostsFile": "/dev/null",
    }  # fmt: skip
    if "ssh_proxy_command" in auth:
        options["ProxyCommand"] = str(auth["ssh_proxy_command"])
    key = auth.get("ssh_private_key")
    identity = ("-i", os.path.expanduser(str(key))) if key else ()
    user = f"{auth['ssh_user']}@" if auth.get("ssh_user") else ""
    arguments = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
    return (*arguments, *identity, f"{user}{head}")


def _wanted_workers(document: Mapping[str, Any], path: Path) -> int:
    """Return the sum of `min_workers` over the types of workers, or an older file's one number.

    Raises:
        ValueError: It is no whole number.
    """
    types, head = document.get("available_node_types"), document.get("head_node_type")
    workers = [each for name, each in types.items() if name != head] if types else [document]
    wanted = [each.get("min_workers") or 0 for each in workers if isinstance(each, dict)]
    if not all(isinstance(each, int) for each in wanted):
        raise ValueError(f"{path}: min_workers: a whole number was expected")
    return sum(wanted)


PLACEHOLDER = "REPLACE_ME"
SSH_PORT, SSH_SECONDS = 22, 5.0


def mistakes_in(cluster: ClusterFile, project: Path) -> list[str]:
    """Return each mistake in a line that names file, key and value; empty if there is none.

    Args:
        cluster: The cluster.
        project: The folder against which relative paths of its `file_mounts` are resolved.
    """
    document = cluster.document
    found = [*_against_schema(document), *_placeholders(document)]
    found += [*_missing_sources(document, project), *_ssh_key(document)]
    return [f"{cluster.path}: {line}" for line in found]


def why_no_ssh(cluster: ClusterFile) -> str:
    """Return why the head of a cluster on premise cannot be logged in to; empty if it may well be.

    `ray up` would try for a quarter of an hour.
    """
    if not cluster.is_on_premise or not cluster.is_direct:
        return ""
    head = cluster.hosts[0]
    try:
        with socket.create_connection((head, SSH_PORT), SSH_SECONDS) as connected:
            # A server of ssh speaks first: RFC 4253, section 4.2.
            if connected.recv(4) == b"SSH-":
                return ""
            why = "another program answers"
    except OSError as error:
        why = error.strerror or str(error)
    return (
        f"provider.head_ip: {head} does not answer on port {SSH_PORT} (ssh): "
        f"{why}; fix: start sshd there, or correct the address"
    )


def texts_in(value: Any, *keys: str) -> Iterator[tuple[str, str]]:
    """Yield every text in a document: the keys that lead to it, joined by points, and the text."""
    if isinstance(value, str):
        yield ".".join(keys), value
    elif isinstance(value, Mapping | list | tuple):
        for key, inner in value.items() if isinstance(value, Mapping) else enumerate(value):
            yield from texts_in(inner, *keys, str(key))


def _against_schema(document: Mapping[str, Any]) -> Iterator[str]:
    import jsonschema  # type: ignore[import-untyped]

    # Found without importing Ray, which takes seconds.
    schema = distribution("ray").locate_file("ray/autoscaler/ray-schema.json").read_text()
    checked = dict(document)
    if document["provider"]["type"] == "local":
        checked.pop("min_workers", None)  # Ray takes it there, and moves it before it checks
    for error in jsonschema.Draft7Validator(json.loads(schema)).iter_errors(checked):
        where = ".".join(map(str, error.absolute_path))
        yield f"{where + ': ' if where else ''}{error.message[:200]} (Ray's schema)"
    types, head = document.get("available_node_types"), document.get("head_node_type")
    if types and head not in list(types):
        yield f"head_node_type: {head} is none of available_node_types ({', '.join(types)})"


def _placeholders(document: Mapping[str, Any]) -> Iterator[str]:
    for keys, text in texts_in(document):
        if words := [word for word in text.split() if PLACEHOLDER in word]:
            yield f"{keys} = {words[0]}; fix: put your own id there, as the file's first lines say"


def _missing_sources(document: Mapping[str, Any], project: Path) -> Iterator[str]:
    for place, source in (document.get("file_mounts") or {}).items():
        if isinstance(source, str) and not (project / os.path.expanduser(source)).exists():
            yield f"file_mounts.{place}: there is no {source}"


def _ssh_key(document: Mapping[str, Any]) -> Iterator[str]:
    text = (document.get("auth") or {}).get("ssh_private_key")
    if not isinstance(text, str):
        return
    key = Path(os.path.expanduser(text))  # Path.expanduser raises where there is no such user
    if not key.is_file():
        yield f"auth.ssh_private_key: there is no {key}"
    elif stat.S_IMODE(key.stat().st_mode) & 0o077:
        yield f"auth.ssh_private_key: others can read {key}; ssh refuses it; fix: chmod 600 {key}"

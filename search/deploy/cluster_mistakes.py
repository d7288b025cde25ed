"""What is wrong with a cluster file, found before Ray's launcher starts anything.

By Ray's own schema, which lies in its package as JSON, and by what no schema sees: a placeholder
that was never replaced, a file to copy that is not there, a key for ssh that is missing or that ssh
would not use. Not for what only the cloud can tell.
"""

from __future__ import annotations

import importlib.util
import json
import socket
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from search.deploy.cluster_file import ClusterFile

PLACEHOLDER = "REPLACE_ME"
SSH_PORT, SSH_SECONDS = 22, 5.0


def mistakes(cluster: ClusterFile, project: Path) -> list[str]:
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

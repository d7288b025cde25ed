"""Preflight: what must be right before a cluster is brought up, since GPU hours cost from then on.

For the places that a submitted search reads and writes: it runs in a temporary copy of the project
on another machine. `doctor` checks the same for a cluster that may be down. Not for what only the
cluster itself can tell: nothing here starts one, or asks a node of it.
"""

from __future__ import annotations

import ipaddress
import os.path
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import parse_qs, urlsplit

from models.networks.own_code import locate_code
from search.cluster.check import Check, failed, failed_if, passed
from search.cluster.cluster_file import ClusterFile, mistakes_in, texts_in, why_no_ssh
from search.optimize.bundle import what_stays
from search.spec import Spec, load_spec
from search.spec.overrides import override
from search.spec.yaml_document import read_document, read_file

STORES = ("http", "https", "postgresql")


@dataclass(frozen=True)
class LaunchArguments:
    """What `launch` would be given; `settings` are overrides of the spec."""

    cluster: Path
    project: Path
    spec: Path | None
    settings: tuple[str, ...]
    tracking_uri: str | None
    results: Path | None


def check_spec(
    path: Path, project: Path, overrides: Sequence[str], first: Path | None = None
) -> Spec:
    """Return the spec, if all that it needs travels with the project or has an absolute path.

    Args:
        path: The spec.
        project: The folder that becomes the working directory on the cluster.
        overrides: As `load_spec` takes them.
        first: A file with the first configurations, as `load_spec` takes it.

    Raises:
        SpecError: The spec is wrong, or that file.
        ValueError: One of them, a path in the spec, or its training function would not arrive.
    """
    path = path.resolve()
    if path.is_file():
        _must_travel(path, project, "the spec")
    if first is not None and first.is_file():
        _must_travel(first.resolve(), project, "--first")
    # An absolute path is one on the nodes; it need not exist here.
    spec = load_spec(path, overrides, first=first, must_exist=False)
    document = read_document(read_file(path), str(path))
    for text in overrides:
        override(document, text)
    absolute = _absolute_paths(document.data)
    for key, place in places(spec):
        if place not in absolute:
            _must_travel(Path(place), project, f"{path}: {key}")
            if not Path(place).exists():
                raise ValueError(f"{path}: {key}: there is no {place}")
    code = locate_code(spec.task.code, project) if spec.task.code else None
    for source in code.files.values() if code else ():
        _must_travel(source, project.resolve(), f"{path}: {spec.task.code}")
    return spec


def check_store(uri: str | None) -> str:
    """Return the tracking URI, if it means the same store on every node of a cluster.

    Raises:
        ValueError: It is embedded, on this machine only, or holds a password.
    """
    fix = "fix: run an MLflow server that the cluster reaches: --tracking-uri https://HOST"
    if not uri:
        raise ValueError(f"--tracking-uri is missing; {fix}")
    parts = urlsplit(uri)
    if parts.password or "password" in parse_qs(parts.query):
        raise ValueError(
            f"--tracking-uri {parts.scheme}://{parts.hostname}: its password would stand in the "
            "process lists of the head; fix: leave it out; for a server write "
            "~/.mlflow/credentials (mode 600), for PostgreSQL ~/.pgpass on the head"
        )
    if parts.scheme not in STORES:
        raise ValueError(
            f"--tracking-uri {uri}: a search on a cluster runs in a temporary copy of the project, "
            f"with which a store in files would be lost; {fix}"
        )
    host = parts.hostname
    if not host or is_loopback(host) or host in ("0.0.0.0", "::"):
        raise ValueError(f"--tracking-uri {uri}: on the cluster that is the head itself; {fix}")
    return uri


def check_results(results: Path | None) -> PurePath:
    """Return where reports and checkpoints go: the same absolute folder on every node.

    Raises:
        ValueError: It is missing or relative.
    """
    if results is None or not results.is_absolute():
        raise ValueError(
            f"--results {results or 'is missing'}; fix: give the absolute path of storage that all "
            "nodes share, such as /shared/results (or set TWENTIETH_RESULTS)"
        )
    return results


def check_secret(file: Path, fix: str) -> None:
    """Check that a file with a secret exists, and that only its owner can read it.

    Raises:
        FileNotFoundError: It does not exist or is empty; says `fix`.
        PermissionError: Its mode lets others read it.
    """
    if not file.is_file() or not file.stat().st_size:
        raise FileNotFoundError(f"{file} is missing or empty; fix: {fix}")
    mode = stat.S_IMODE(file.stat().st_mode)
    if mode & 0o077:
        raise PermissionError(
            f"{file} has mode {mode:03o}, so others can read it; fix: chmod 600 {file}"
        )


def is_loopback(host: str) -> bool:
    """Whether a host's name or address means this machine only.

    "0.0.0.0" does not: what listens there is reached from others.
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost" or host.lower().endswith(".localhost")


def _must_travel(place: Path, project: Path, what: str) -> None:
    if not place.is_relative_to(project):
        raise ValueError(
            f"{what}: {place} is outside {project}, the folder that travels to the cluster; fix: "
            "move it there, or name an absolute path that exists on every node (of data)"
        )
    if why := what_stays(place, project):
        raise ValueError(
            f"{what}: {why}, so it would not reach the cluster; fix: put {place} on the shared "
            "storage and name its absolute path, or where it travels (see .gitignore, .rayignore)"
        )


def places(spec: Spec) -> Iterator[tuple[str, str]]:
    """Yield the key and path of each folder and file in a spec; `load_spec` made them absolute."""
    data: Mapping[str, Any] = spec.task.data
    if data.get("path"):
        yield "task.data.path", data["path"]
    for name, folder in (data.get("targets") or {}).items():
        yield f"task.data.targets.{name}", folder
    for index, folder in enumerate(data.get("without") or ()):
        yield f"task.data.without[{index}]", folder
    base = spec.task.base
    if base and not base.startswith(("hub:", "package:")):
        yield "task.base", base
    if synonyms := getattr(spec.robustness, "synonyms", None):
        yield "robustness.synonyms", synonyms


def _absolute_paths(document: Mapping[str, Any]) -> set[str]:
    """Return the texts in a document that are absolute paths."""
    texts = [text for _, text in texts_in(document) if text.startswith(("/", "~"))]
    # A "~" need not be a home: Path.expanduser raises where there is no such user.
    return {str(Path(os.path.expanduser(text)).resolve()) for text in texts}


FILE, TOKEN, SSH, SPEC, STORE, RESULTS = (
    "cluster file", "token here", "ssh", "spec", "tracking store", "results"
)  # fmt: skip


def check_launch(cluster: ClusterFile, given: LaunchArguments, token: Path) -> Iterator[Check]:
    """Check the cluster file, the token's file, ssh to the head, and what the search is given."""
    project, spec = given.project, given.spec
    wrong = mistakes_in(cluster, project)
    for line in wrong:
        yield failed(
            FILE, line, "correct the file; `ray up` would fail, or start what you do not want"
        )
    if not wrong:
        yield passed(FILE, f"{cluster.path} keeps Ray's schema, and the files that it names exist")
    make = f"ray get-auth-token --generate; chmod 600 {token}"
    yield _tried(TOKEN, lambda: check_secret(token, make), make, f"only you can read {token}")
    if cluster.is_on_premise:
        why = why_no_ssh(cluster)
        yield failed_if(
            SSH,
            f"{cluster.path}: {why}" if why else "",
            "make ssh work: without it the cluster can be neither started nor reached",
            f"{cluster.hosts[0]} answers",
        )
    if spec is not None:
        yield _tried(
            SPEC, lambda: check_spec(spec, project, given.settings), "correct the spec",
            f"{spec} is a spec, and what it needs travels",
        )  # fmt: skip
    yield _tried(
        STORE, lambda: check_store(given.tracking_uri), "name a server with --tracking-uri",
        f"every node may reach {given.tracking_uri}",
    )  # fmt: skip
    yield _tried(
        RESULTS, lambda: check_results(given.results), "name shared storage with --results",
        f"{given.results} is an absolute path",
    )  # fmt: skip


def _tried(name: str, check: Callable[[], object], fix: str, otherwise: str) -> Check:
    try:
        check()
    except (ValueError, OSError) as error:
        return failed(name, str(error), fix)
    return passed(name, otherwise)

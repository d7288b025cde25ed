"""What `launch` would do, as text: files, addresses, processes, and what would travel.

It is made of the cluster file, the spec and the project's folder alone: nothing is connected to,
started or written. So it cannot say whether the head is up, nor what Ray's launcher finds there.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from models.networks.own_code import locate_code
from search.cluster.cluster_file import SSH_PORT, ClusterFile
from search.cluster.jobs import STOPS_BY, TOKEN
from search.cluster.launcher import DASHBOARD, log_of
from search.cluster.preflight import places
from search.history.plurals import counted
from search.optimize.bundle import IGNORE_FILES, LEFT_BEHIND, what_travels
from search.spec import Spec

_SETUP = (
    "initialization_commands", "setup_commands", "head_setup_commands", "worker_setup_commands",
)  # fmt: skip
_STARTS = {"head_start_ray_commands": "head", "worker_start_ray_commands": "each worker"}


@dataclass(frozen=True)
class Launch:
    """A launch that passed its checks.

    Attributes:
        cluster: The cluster file.
        job: Name of the job, whose last part differs at each launch.
        command: Shell command of the job.
        nodes: Number of nodes to wait for.
        project: The folder that travels.
        spec: The spec; None for a search that is resumed, whose spec lies in the store.
        spec_file: Its file.
        first: A file with the first configurations.
        store: Tracking URI.
        results: Folder on the nodes.
        credentials: File with the login of the tracking server; None if there is none.
    """

    cluster: ClusterFile
    job: str
    command: str
    nodes: int
    project: Path
    spec: Spec | None
    spec_file: Path | None
    first: Path | None
    store: str
    results: PurePath
    credentials: Path | None


def plan_lines(launch: Launch) -> Iterator[str]:
    """Yield the plan of a launch in lines, by section; nothing is touched."""
    sections = (
        ("files written", _files),
        ("addresses", _addresses),
        ("started", _started),
        ("would travel", _travels),
    )
    yield f"launch of {launch.job} on cluster {launch.cluster.name}: nothing was touched"
    for title, section in sections:
        yield f"\n{title}"
        rows = list(section(launch))
        width = max(len(name) for name, _ in rows)
        yield from (f"  {name:<{width}}  {text}" for name, text in rows)


def _files(launch: Launch) -> Iterator[tuple[str, str]]:
    yield "here", f"{log_of(launch.cluster, launch.project)}: what Ray's launcher prints"
    yield "head", f"~/ray_bootstrap_config.yaml: {launch.cluster.path.name}, if it is brought up"
    for place, source in (launch.cluster.document.get("file_mounts") or {}).items():
        yield "every node", f"{place}: copy of {source}, if it is brought up"
    if launch.credentials:
        yield "head", f"~/.mlflow/{launch.credentials.name}: copy of {launch.credentials}, mode 600"
    yield "every node", "a temporary folder of Ray's (/tmp/ray): the project"
    yield "shared", f"{launch.results}: report, plots, checkpoints (storage/)"
    yield "store", "one MLflow run for the search and one for each trial"


def _addresses(launch: Launch) -> Iterator[tuple[str, str]]:
    cluster = launch.cluster
    if cluster.hosts:
        for host in cluster.hosts:
            role = "head" if host == cluster.hosts[0] else "worker"
            yield role, f"{host} port {SSH_PORT} (ssh)"
    else:
        yield "head", f"asked of the provider; port {SSH_PORT} (ssh)"
    to = f"the head's 127.0.0.1:{DASHBOARD}"
    yield "tunnel", f"a free port of 127.0.0.1 here, by ssh to {to} (jobs; token of {TOKEN})"
    yield "store", f"{launch.store}, from the head"


def _started(launch: Launch) -> Iterator[tuple[str, str]]:
    cluster = launch.cluster
    path = shlex.quote(str(cluster.path))
    yield "here", f"ray up {path} -y, unless the head takes jobs already"
    document = cluster.document
    setup = sum(len(document.get(key) or ()) for key in _SETUP)
    if setup:
        yield "every node", f"{counted(setup, 'setup command')} of the cluster file, by ray up"
    for key, where in _STARTS.items():
        for command in document.get(key) or ():
            yield where, f"{command} (by ray up)"
    yield "here", f"waits for {counted(launch.nodes, 'node')}, the head among them"
    yield "head", f"{launch.command}, as job {launch.job}"
    yield "here", "follows the job's log; Ctrl-C ends that, not the search"


def _travels(launch: Launch) -> Iterator[tuple[str, str]]:
    files = what_travels(launch.project)
    size = sum(file.stat().st_size for file in files if file.exists()) / 1e6  # a link may not
    yield "project", f"{launch.project}: {counted(len(files), 'file')}, {size:.1f} MB"
    left = [name for name in LEFT_BEHIND if (launch.project / name).exists()]
    rules = ", ".join(name for name in IGNORE_FILES if (launch.project / name).is_file())
    yield "stays", ", ".join([*left, *([f"what {rules} names"] if rules else [])]) or "nothing"
    if launch.spec is None:
        yield "spec", "none: the search's stored spec is read on the head"
    else:
        yield from _of_spec(launch, launch.spec)
    variables = " ".join(f"{name}={value}" for name, value in STOPS_BY.items())
    yield "environment", f"{variables}; none of this shell's, and packages are those of the nodes"


def _of_spec(launch: Launch, spec: Spec) -> Iterator[tuple[str, str]]:
    for name, file in (("spec", launch.spec_file), ("first", launch.first)):
        if file is not None:
            yield name, f"{file.resolve().relative_to(launch.project)}, with the project"
    if spec.task.code:
        code = locate_code(spec.task.code, launch.project)
        inside = sorted(str(file.relative_to(launch.project)) for file in code.files.values())
        yield "own code", f"{spec.task.code}, digest {code.digest}: {', '.join(inside)}"
    for key, place in places(spec):
        where = Path(place)
        if where.is_relative_to(launch.project):
            yield key, f"{where.relative_to(launch.project)}, with the project"
        else:
            yield key, f"{place} does not travel: every node must have it"
    if hub := spec.task.data.get("hub"):
        yield "task.data.hub", f"{hub} does not travel: each node fetches it"
    if spec.task.base and spec.task.base.startswith(("hub:", "package:")):
        yield "task.base", f"{spec.task.base} does not travel: each node fetches it, or has it"

"""A cluster looked at from the machine that launches: what can be seen here, then doctor there.

It brings nothing up. Of a cluster that is down it says so, and looks at the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from search.deploy.checking import check_spec
from search.deploy.cluster_file import ClusterFile, read_cluster_file
from search.deploy.connection import connection
from search.deploy.jobs import TOKEN, Service, other_version
from search.deploy.launcher import head_address
from search.diagnose import launchable
from search.diagnose.check import Check, failed, guarded, in_a_line, passed, warned
from search.diagnose.closed import FROM_HERE, check_from_here
from search.diagnose.looking import look
from search.diagnose.store import check_access, check_params, check_store

HEAD, VERSION = "head", "ray here and there"
SECONDS = 60.0


@dataclass(frozen=True)
class Wanted:
    """What a launch would be given."""

    cluster: Path
    project: Path
    spec: Path | None
    settings: tuple[str, ...]
    tracking_uri: str | None
    results: Path | None


def look_from_afar(wanted: Wanted, take: Callable[[Check], None]) -> None:
    """Every check, handed to `take` as it ends."""
    wrong: set[str] = set()

    def told(check: Check) -> None:
        wrong.update([check.name] if check.status == "fail" else [])
        take(check)

    try:
        cluster = read_cluster_file(wanted.cluster)
    except (OSError, ValueError) as error:
        take(failed(launchable.FILE, str(error), "name Ray's file of the cluster with --cluster"))
        return
    for check in launchable.check_launch(
        cluster, wanted.project, TOKEN.expanduser(), wanted.spec, wanted.settings,
        wanted.tracking_uri, wanted.results,
    ):  # fmt: skip
        told(check)

    def connect() -> AbstractContextManager[Service]:
        return connection(cluster, wanted.project)

    is_up = _look_at_head(cluster, connect, told)
    hosts = cluster.hosts or ((head_address(cluster),) if is_up else ())
    if all(hosts) and hosts:
        for check in guarded(FROM_HERE, lambda: check_from_here(hosts), SECONDS):
            told(check)
    if is_up:
        look(connect, cluster, wanted.project, _arguments(wanted, wrong), told)
    else:
        _look_without_nodes(wanted, wrong, told)


def _look_at_head(
    cluster: ClusterFile,
    connect: Callable[[], AbstractContextManager[Service]],
    take: Callable[[Check], None],
) -> bool:
    """Whether it takes jobs; says why not, and who has not joined."""
    try:
        with connect() as service:
            nodes, there = service.joined(), service.version()
    except ConnectionError as error:
        mend = f"`twentieth launch` brings it up, or ray up {cluster.path}; then look again"
        take(warned(HEAD, f"not up, its nodes were not looked at: {error}", mend))
        return False
    except (OSError, RuntimeError) as error:
        take(failed(HEAD, f"{cluster.name}: {in_a_line(error)}", "look at the head's Ray"))
        return False
    found = f"{cluster.name} is up: {len(nodes)} nodes, ray {there}"
    if missing := cluster.missing(nodes):
        mend = f"see `ray monitor {cluster.path}`, and whether ssh reaches them from the head"
        take(failed(HEAD, f"{found}; not joined: {', '.join(missing)}", mend))
    else:
        take(passed(HEAD, found))
    if other := other_version(there):
        take(failed(VERSION, other, "install the versions of constraints.txt on both"))
    return True


def _arguments(wanted: Wanted, wrong: set[str]) -> list[str]:
    """Of `doctor` on the head; without what would not be the same there."""
    arguments: list[str] = []
    if wanted.spec is not None and launchable.SPEC not in wrong:
        arguments.append(str(wanted.spec.resolve().relative_to(wanted.project)))
        arguments += [part for change in wanted.settings for part in ("--set", change)]
    if launchable.STORE not in wrong:
        arguments += ["--tracking-uri", str(wanted.tracking_uri)]
    if launchable.RESULTS not in wrong:
        arguments += ["--results", str(wanted.results)]
    return arguments


def _look_without_nodes(wanted: Wanted, wrong: set[str], take: Callable[[Check], None]) -> None:
    """The store as this machine reaches it, and what MLflow would cut of the spec."""
    uri = wanted.tracking_uri
    if uri and launchable.STORE not in wrong:
        for check in guarded("tracking store", lambda: check_store(uri, is_cluster=True), SECONDS):
            take(check)
        for check in guarded("access to store", lambda: check_access(uri), SECONDS):
            take(check)
    if wanted.spec is not None and launchable.SPEC not in wrong:
        spec = check_spec(wanted.spec, wanted.project, wanted.settings)
        for check in check_params(spec):
            take(check)

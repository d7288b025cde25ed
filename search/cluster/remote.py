"""`doctor` for a cluster, from the machine that launches: what can be seen here, then doctor there.

On the head the same command runs as a job, and its checks come back, one a line. It brings nothing
up: of a cluster that is down it says so, and looks at the rest.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from search.cluster import preflight
from search.cluster.check import Check, failed, in_a_line, passed, run_check, warned
from search.cluster.cluster_file import ClusterFile, read_cluster_file
from search.cluster.jobs import TOKEN, Connect, Service, entrypoint, follow_job, other_version
from search.cluster.launcher import connection, head_address
from search.cluster.preflight import check_spec
from search.cluster.security import FROM_HERE, check_from_here
from search.cluster.store import check_access, check_params, check_tracking_store

# Not the prefix of searches: `attach` takes the newest of those.
PREFIX = "doctor-"
LINES_SHOWN = 8
THERE = "doctor on the head"


def run_doctor_on_head(
    connect: Connect,
    cluster: ClusterFile,
    project: Path,
    arguments: Sequence[str],
    take: Callable[[Check], None],
) -> None:
    """Runs `doctor ARGUMENTS` there and takes each check as it ends.

    Ctrl-C stops the job, too. A job that ends without saying how many checks it made is a failed
    check, with the end of its log.

    Raises:
        ConnectionError: The head did not answer.
        RuntimeError: It did not take the job.
    """
    job = f"{PREFIX}{secrets.token_hex(4)}"
    with connect() as service:
        command = ["doctor", *arguments, "--address", "auto", "--lines"]
        service.submit(job, entrypoint(command, cluster, leaves=False), project)
    lines = _Lines(take)
    try:
        status = follow_job(connect, job, lines.write)
    except KeyboardInterrupt:
        with connect() as service:
            service.stop(job)
        raise
    if not lines.is_complete:
        end = " / ".join(lines.other[-LINES_SHOWN:]) or "it said nothing"
        fix = "fix what the end of its log names, then look again"
        take(failed(THERE, f"{job} {status.lower()} before its end: {end}", fix))


class _Lines:
    """Text that comes in pieces, cut into lines; those of `doctor --lines` become checks."""

    def __init__(self, take: Callable[[Check], None]) -> None:
        self.is_complete = False
        self.other: list[str] = []
        self._take, self._rest = take, ""

    def write(self, text: str) -> None:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            said = read_line(line)
            if isinstance(said, Check):
                self._take(said)
            elif said is not None:
                self.is_complete = True
            elif line.strip():
                self.other.append(line.strip())


def as_line(check: Check) -> str:
    """A check as `doctor --lines` prints it."""
    return json.dumps({"check": [check.name, check.status, check.found, check.fix]})


def last_line(count: int) -> str:
    """The end: how many checks there were."""
    return json.dumps({"checks": count})


def read_line(line: str) -> Check | int | None:
    """The check, or the count, of a line; None of what others wrote into the same log."""
    try:
        said = json.loads(line)
    except ValueError:
        return None
    if not isinstance(said, dict):
        return None
    match said.get("check"), said.get("checks"):
        case [str(name), "pass", str(found), ""], None:
            return Check(name, "pass", found)
        case [str(name), ("warning" | "fail") as status, str(found), str(fix)], None if fix:
            return Check(name, status, found, fix)
        case None, int(count):
            return count
    return None


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


def check_remotely(wanted: Wanted, take: Callable[[Check], None]) -> None:
    """Every check, handed to `take` as it ends."""
    wrong: set[str] = set()

    def told(check: Check) -> None:
        wrong.update([check.name] if check.status == "fail" else [])
        take(check)

    try:
        cluster = read_cluster_file(wanted.cluster)
    except (OSError, ValueError) as error:
        take(failed(preflight.FILE, str(error), "name Ray's file of the cluster with --cluster"))
        return
    for check in preflight.check_launch(
        cluster, wanted.project, TOKEN.expanduser(), wanted.spec, wanted.settings,
        wanted.tracking_uri, wanted.results,
    ):  # fmt: skip
        told(check)

    def connect() -> AbstractContextManager[Service]:
        return connection(cluster, wanted.project)

    is_up = _look_at_head(cluster, connect, told)
    hosts = cluster.hosts or ((head_address(cluster),) if is_up else ())
    if all(hosts) and hosts:
        for check in run_check(FROM_HERE, lambda: check_from_here(hosts), SECONDS):
            told(check)
    if is_up:
        run_doctor_on_head(connect, cluster, wanted.project, _arguments(wanted, wrong), told)
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
        fix = f"`twentieth launch` brings it up, or ray up {cluster.path}; then look again"
        take(warned(HEAD, f"not up, its nodes were not looked at: {error}", fix))
        return False
    except (OSError, RuntimeError) as error:
        take(failed(HEAD, f"{cluster.name}: {in_a_line(error)}", "look at the head's Ray"))
        return False
    found = f"{cluster.name} is up: {len(nodes)} nodes, ray {there}"
    if missing := cluster.missing(nodes):
        fix = f"see `ray monitor {cluster.path}`, and whether ssh reaches them from the head"
        take(failed(HEAD, f"{found}; not joined: {', '.join(missing)}", fix))
    else:
        take(passed(HEAD, found))
    if other := other_version(there):
        take(failed(VERSION, other, "install the versions of constraints.txt on both"))
    return True


def _arguments(wanted: Wanted, wrong: set[str]) -> list[str]:
    """Of `doctor` on the head; without what would not be the same there."""
    arguments: list[str] = []
    if wanted.spec is not None and preflight.SPEC not in wrong:
        arguments.append(str(wanted.spec.resolve().relative_to(wanted.project)))
        arguments += [part for change in wanted.settings for part in ("--set", change)]
    if preflight.STORE not in wrong:
        arguments += ["--tracking-uri", str(wanted.tracking_uri)]
    if preflight.RESULTS not in wrong:
        arguments += ["--results", str(wanted.results)]
    return arguments


def _look_without_nodes(wanted: Wanted, wrong: set[str], take: Callable[[Check], None]) -> None:
    """The store as this machine reaches it, and what MLflow would cut of the spec."""
    uri = wanted.tracking_uri
    if uri and preflight.STORE not in wrong:
        for check in run_check(
            "tracking store", lambda: check_tracking_store(uri, is_cluster=True), SECONDS
        ):
            take(check)
        for check in run_check("access to store", lambda: check_access(uri), SECONDS):
            take(check)
    if wanted.spec is not None and preflight.SPEC not in wrong:
        spec = check_spec(wanted.spec, wanted.project, wanted.settings)
        for check in check_params(spec):
            take(check)

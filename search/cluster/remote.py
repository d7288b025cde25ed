"""`doctor` for a cluster, from the machine that launches: what can be checked here, then the head.

On the head the same command runs as a job, and its checks come back, one a line. It brings nothing
up: for a cluster that is down it says so, and checks the rest.
"""

from __future__ import annotations

import functools
import json
import secrets
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from search.cluster import preflight
from search.cluster.check import Check, failed, failed_if, in_a_line, run_check, warned
from search.cluster.cluster_file import ClusterFile, read_cluster_file
from search.cluster.jobs import TOKEN, Connect, entrypoint, follow_job, other_version
from search.cluster.launcher import connection, head_address
from search.cluster.preflight import LaunchArguments, check_spec
from search.cluster.security import FROM_HERE, check_from_here
from search.cluster.tracking_store import (
    ACCESS,
    STORE,
    check_access,
    check_params,
    check_tracking_store,
)
from search.history.plurals import counted

# Not the prefix of searches: `attach` takes the newest of those.
PREFIX = "doctor-"
LINES_SHOWN = 8
ON_HEAD = "doctor on the head"
# What `doctor --lines` prints after its checks.
LAST_LINE = "doctor: all checks are done"


def run_doctor_on_head(
    connect: Connect,
    cluster: ClusterFile,
    project: Path,
    arguments: Sequence[str],
    take: Callable[[Check], None],
) -> None:
    """Run `doctor ARGUMENTS` on the head and pass each check to `take` as it ends.

    Ctrl-C stops the job, too. A job that ends without its last line is a failed check, with the end
    of its log.

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
        end = " / ".join(lines.other[-LINES_SHOWN:]) or "it printed nothing"
        fix = "fix what the end of its log names, then run doctor again"
        take(failed(ON_HEAD, f"{job} {status.lower()} before its end: {end}", fix))


class _Lines:
    """Text that comes in pieces, cut into lines; those of `doctor --lines` become checks."""

    def __init__(self, take: Callable[[Check], None]) -> None:
        self.is_complete = False
        self.other: list[str] = []
        self._take, self._rest = take, ""

    def write(self, text: str) -> None:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            if line.strip() == LAST_LINE:
                self.is_complete = True
            elif check := read_line(line):
                self._take(check)
            elif line.strip():
                self.other.append(line.strip())


def as_line(check: Check) -> str:
    """Return a check as `doctor --lines` prints it."""
    return json.dumps({"check": [check.name, check.status, check.found, check.fix]})


def read_line(line: str) -> Check | None:
    """Return the check of a line; None for what others wrote into the same log."""
    try:
        document = json.loads(line)
    except ValueError:
        return None
    match document:
        case {"check": [str(name), "pass", str(found), ""]}:
            return Check(name, "pass", found)
        case {"check": [str(name), ("warning" | "fail") as status, str(found), str(fix)]} if fix:
            return Check(name, status, found, fix)
    return None


HEAD, VERSION = "head", "ray here and there"
SECONDS = 60.0


def check_remotely(given: LaunchArguments, take: Callable[[Check], None]) -> None:
    """Run every check and pass it to `take` as it ends."""
    try:
        cluster = read_cluster_file(given.cluster)
    except (OSError, ValueError) as error:
        take(failed(preflight.FILE, str(error), "name Ray's file of the cluster with --cluster"))
        return
    wrong: set[str] = set()
    for check in preflight.check_launch(cluster, given, TOKEN.expanduser()):
        take(check)
        if check.status == "fail":
            wrong.add(check.name)
    connect = functools.partial(connection, cluster, given.project)
    is_up = _check_head(cluster, connect, take)
    hosts = cluster.hosts or ((head_address(cluster),) if is_up else ())
    if all(hosts) and hosts:
        for check in run_check(FROM_HERE, lambda: [check_from_here(hosts)], SECONDS):
            take(check)
    if is_up:
        run_doctor_on_head(connect, cluster, given.project, _arguments(given, wrong), take)
        return
    for check in _checks_without_nodes(given, wrong):
        take(check)


def _check_head(cluster: ClusterFile, connect: Connect, take: Callable[[Check], None]) -> bool:
    """Return whether the head takes jobs; check its version and which nodes have joined."""
    try:
        with connect() as service:
            nodes, there = service.joined(), service.version()
    except ConnectionError as error:
        fix = f"`twentieth launch` brings it up, or ray up {cluster.path}; then run doctor again"
        take(warned(HEAD, f"not up, its nodes were not checked: {error}", fix))
        return False
    except (OSError, RuntimeError) as error:
        take(failed(HEAD, f"{cluster.name}: {in_a_line(error)}", "read the log of the head's Ray"))
        return False
    found = f"{cluster.name} is up: {counted(len(nodes), 'node')}, ray {there}"
    missing = ", ".join(cluster.missing(nodes))
    absent = f"{found}; not joined: {missing}" if missing else ""
    fix = f"see `ray monitor {cluster.path}`, and whether ssh reaches them from the head"
    take(failed_if(HEAD, absent, fix, found))
    if other := other_version(there):
        take(failed(VERSION, other, "install the versions of constraints.txt on both"))
    return True


def _arguments(given: LaunchArguments, wrong: set[str]) -> list[str]:
    """Return the arguments of `doctor` on the head, without what failed here."""
    arguments: list[str] = []
    if given.spec is not None and preflight.SPEC not in wrong:
        arguments.append(str(given.spec.resolve().relative_to(given.project)))
        arguments += [part for change in given.settings for part in ("--set", change)]
    if preflight.STORE not in wrong:
        arguments += ["--tracking-uri", str(given.tracking_uri)]
    if preflight.RESULTS not in wrong:
        arguments += ["--results", str(given.results)]
    return arguments


def _checks_without_nodes(given: LaunchArguments, wrong: set[str]) -> Iterator[Check]:
    """Check the store as this machine reaches it, and which params of the spec MLflow would cut."""
    uri = given.tracking_uri
    if uri and preflight.STORE not in wrong:
        yield from run_check(STORE, lambda: check_tracking_store(uri, is_cluster=True), SECONDS)
        yield from run_check(ACCESS, lambda: check_access(uri), SECONDS)
    if given.spec is not None and preflight.SPEC not in wrong:
        yield check_params(check_spec(given.spec, given.project, given.settings))

"""`doctor` on the head of a cluster that is up, as a job, and its checks brought back here."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path

from search.deploy.cluster_file import ClusterFile
from search.deploy.jobs import Connect, entrypoint, follow
from search.diagnose.check import Check, failed

# Not the prefix of searches: `attach` takes the newest of those.
PREFIX = "doctor-"
LINES_SHOWN = 8
THERE = "doctor on the head"


def look(
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
        status = follow(connect, job, lines.write)
    except KeyboardInterrupt:
        with connect() as service:
            service.stop(job)
        raise
    if not lines.is_complete:
        end = " / ".join(lines.other[-LINES_SHOWN:]) or "it said nothing"
        mend = "mend what the end of its log names, then look again"
        take(failed(THERE, f"{job} {status.lower()} before its end: {end}", mend))


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
    return json.dumps({"check": [check.name, check.status, check.found, check.mend]})


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
        case [str(name), ("warning" | "fail") as status, str(found), str(mend)], None if mend:
            return Check(name, status, found, mend)
        case None, int(count):
            return count
    return None

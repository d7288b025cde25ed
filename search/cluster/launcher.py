"""Ray's launcher as child processes: bring a cluster up, copy a file there, reach its dashboard.

All of it goes over SSH with the cluster file's own keys. Not for talking to the job service at the
other end of the tunnel (`jobs.py`). The caller has set RAY_AUTH_MODE=token, which every child
inherits.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from search.cluster.cluster_file import ClusterFile
from search.cluster.jobs import Service

# `ray dashboard` imports Ray (2 s, 10 s on a busy machine), asks the provider, and logs in.
TUNNEL_SECONDS = 60.0
LOG_LINES_SHOWN = 15
DASHBOARD = 8265  # where Ray's launcher expects it, too


class HeadUnreachable(ConnectionError):
    """The head cannot be logged in to, or there is none; says why."""


def bring_up(cluster: ClusterFile, project: Path, log: Path) -> None:
    """Run `ray up` on the cluster file; what it prints goes to `log`.

    Relative paths of its `file_mounts` are resolved in the project. On premise it restarts Ray:
    Ray's launcher knows what runs there only on the machine that brought it up, until its next
    start (a file in /tmp), so the caller has checked that the head takes no jobs.

    Raises:
        ChildProcessError: It failed; the message has the end of its log.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    _run(["up", str(cluster.path), "-y"], log, project)


def copy_credentials(cluster: ClusterFile, file: Path, log: Path) -> None:
    """Copy a file of this user's home to the same place on the head, unchanged (mode 600).

    Raises:
        ChildProcessError: It could not be copied.
    """
    place = f"~/{file.relative_to(Path.home())}"
    folder = place.rpartition("/")[0]
    if cluster.ssh:
        write = f"umask 077; mkdir -p {folder} && cat > {place} && chmod 600 {place}"
        done = subprocess.run(
            ["ssh", *cluster.ssh, write], input=file.read_bytes(), capture_output=True, check=False
        )
        if done.returncode:
            why = reason(done.stderr.decode(errors="replace").splitlines())
            raise ChildProcessError(f"{file} was not copied to the head: {why}")
        return
    _run(["exec", str(cluster.path), f"mkdir -p -m 700 {folder}"], log)
    _run(["rsync-up", str(cluster.path), str(file), place], log)
    _run(["exec", str(cluster.path), f"chmod 600 {place}"], log)


def head_address(cluster: ClusterFile) -> str:
    """Return the address by which this machine reaches the head; empty if Ray knows none."""
    if cluster.hosts:
        return cluster.hosts[0]
    done = subprocess.run(
        [_ray(), "get-head-ip", str(cluster.path)], stdin=subprocess.DEVNULL, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    found = re.findall(r"^\d+\.\d+\.\d+\.\d+$", done.stdout, flags=re.MULTILINE)
    return found[-1] if found else ""


@contextlib.contextmanager
def tunnel(cluster: ClusterFile, log: Path) -> Iterator[str]:
    """Open a tunnel from this machine's loopback to the head's dashboard on the head's loopback.

    Yields:
        `http://127.0.0.1:PORT`, which takes connections; whether the head answers is not known.

    Raises:
        HeadUnreachable: There is no head that can be reached.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])  # a free one
    command = [_ray(), "dashboard", str(cluster.path), "-p", str(port)]
    if cluster.ssh:  # also from a machine that did not bring it up
        command = ["ssh", "-N", "-L", f"127.0.0.1:{port}:127.0.0.1:{DASHBOARD}", *cluster.ssh]
    with log.open("ab") as output:
        began = output.tell()
        process = subprocess.Popen(
            tied(command), stdin=subprocess.PIPE, stdout=output, stderr=output,
            start_new_session=True,  # with its ssh it ends at once; Ctrl-C is ours to handle
        )  # fmt: skip
    try:
        _wait_for(port, process, cluster, log, began)
        yield f"http://127.0.0.1:{port}"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.communicate()  # closes its input and waits


def tied(command: Sequence[str]) -> list[str]:
    """Return the command so that it ends with whoever holds its standard input, also by kill -9.

    It must lead a process group of its own, all of which ends.
    """
    script = 'exec 3<&0 </dev/null; { read -r _ <&3; kill 0; } & exec "$@" 3<&-'
    return ["sh", "-c", script, "sh", *command]


def reason(lines: Sequence[str]) -> str:
    """Return the line in which Ray's launcher or ssh says why it failed; empty if there is none."""
    for line in reversed(lines):
        for sign in ("The exception is: ", "ssh: ", "Permission denied", "Load key"):
            if sign in line:
                return line[line.index(sign) :].removeprefix("The exception is: ").strip()
    return ""


def _wait_for(
    port: int, process: subprocess.Popen[bytes], cluster: ClusterFile, log: Path, began: int
) -> None:
    deadline = time.monotonic() + TUNNEL_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            why = reason(_said_since(log, began)) or f"see {log}"
            raise HeadUnreachable(f"cluster {cluster.name}: no head can be reached: {why}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.2)
    raise HeadUnreachable(f"cluster {cluster.name}: its head did not accept a login by SSH")


def _run(arguments: list[str], log: Path, folder: Path | None = None) -> None:
    with log.open("ab") as output:
        began = output.tell()
        code = subprocess.run(
            [_ray(), *arguments], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            cwd=folder, check=False,
        ).returncode  # fmt: skip
    if code:
        end = "\n".join(_said_since(log, began)[-LOG_LINES_SHOWN:])
        raise ChildProcessError(f"{end}\n`ray {arguments[0]}` failed ({code}); its log: {log}")


def _said_since(log: Path, began: int) -> list[str]:
    """Return the lines of a log from a position on that are not blank."""
    lines = log.read_bytes()[began:].decode(errors="replace").splitlines()
    return [line for line in lines if line.strip()]


def _ray() -> str:
    """Return the command of this environment: another one's may differ from the cluster's."""
    found = shutil.which("ray", path=str(Path(sys.executable).parent)) or shutil.which("ray")
    if found is None:
        raise FileNotFoundError("there is no command `ray`; fix: pip install 'ray[default]'")
    return found


@contextlib.contextmanager
def connection(cluster: ClusterFile, project: Path) -> Iterator[Service]:
    """Yield the job service while the tunnel to it is open.

    Raises:
        ConnectionError: No head is up that can be reached.
        RuntimeError: It refuses our token.
    """
    with tunnel(cluster, log_of(cluster, project)) as address:
        yield Service(address)


def log_of(cluster: ClusterFile, project: Path) -> Path:
    """Return the file to which Ray's launcher prints about a cluster."""
    return project / "results" / "clusters" / f"{cluster.name}.log"

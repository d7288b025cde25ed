"""MLflow servers and PostgreSQL clusters on loopback that end with their test or benchmark."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

STARTING_SECONDS = 120


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """An MLflow server that can be killed and started again on the same port.

    Attributes:
        uri: Where it answers.
    """

    def __init__(self, store: str, artifacts: Path) -> None:
        port = free_port()
        self.uri = f"http://127.0.0.1:{port}"
        self._command = [
            sys.executable, "-m", "mlflow", "server", "--backend-store-uri", store,
            "--artifacts-destination", str(artifacts), "--host", "127.0.0.1",
            "--port", str(port), "--workers", "1",
        ]  # fmt: skip
        self.start()

    def start(self) -> None:
        """Starts it, and waits until it answers."""
        # Its job workers, which no test needs, take some 2 s of a core each to start.
        environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        self._process = subprocess.Popen(
            self._command, env=environment, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + STARTING_SECONDS
        while True:
            try:
                urllib.request.urlopen(f"{self.uri}/health", timeout=2)
                return
            except OSError:
                assert time.monotonic() < deadline, "the server did not start"
                time.sleep(0.3)

    def tell(self, what: signal.Signals) -> None:
        """Sends a signal to all of its processes."""
        os.killpg(self._process.pid, what)

    def kill(self) -> None:
        """Ends it at once, if it has not ended."""
        with contextlib.suppress(ProcessLookupError):
            self.tell(signal.SIGKILL)
        self._process.wait()


@contextlib.contextmanager
def mlflow_server(store: str, artifacts: Path) -> Iterator[str]:
    """The URI of a server on an MLflow store."""
    server = Server(store, artifacts)
    try:
        yield server.uri
    finally:
        server.kill()


@contextlib.contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """The URI of an empty PostgreSQL database; skips where PostgreSQL is not installed.

    PostgreSQL refuses to run as root, so root starts it as the user that Debian's package makes.
    """
    programs = _programs()
    data = folder / "cluster"
    data.mkdir(mode=0o700)
    run: dict[str, Any] = {"check": True, "capture_output": True, "cwd": "/"}
    if os.geteuid() == 0:
        try:
            owner = pwd.getpwnam("postgres")
        except KeyError:
            pytest.skip("there is no user postgres to run PostgreSQL as")
        os.chown(data, owner.pw_uid, owner.pw_gid)
        for parent in data.parents:
            if parent.stat().st_uid == 0 and parent != Path("/") and not parent.stat().st_mode & 1:
                parent.chmod(parent.stat().st_mode | 0o011)
        run |= {"user": "postgres", "group": "postgres", "extra_groups": []}
    port = free_port()
    subprocess.run([programs / "initdb", "-D", data, "-A", "trust", "-U", "mlflow",
                    "--no-sync"], **run)  # fmt: skip
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
    subprocess.run([programs / "pg_ctl", "-D", data, "-o", options, "-w", "-l",
                    data / "log", "start"], **run)  # fmt: skip
    try:
        yield f"postgresql://mlflow@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run([programs / "pg_ctl", "-D", data, "-m", "immediate", "stop",
                        "-t", str(STARTING_SECONDS)], **run)  # fmt: skip


def _programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    known = str(found[-1]) if found else shutil.which("initdb")
    if known is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    return Path(known).resolve().parent

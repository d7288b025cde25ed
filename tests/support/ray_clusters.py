"""Real Ray clusters on this machine: two nodes, the second with a local folder; or one head that
takes jobs."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.servers import free_port

JOINING_SECONDS = 120


@contextlib.contextmanager
def two_nodes(local_folder: Path, token: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Runs a cluster whose second node has an empty local file system in `local_folder`.

    Yields its address, and an environment with the `token` (a file that is written here).

    Skips the test where this user may not mount.
    """
    if os.geteuid() or shutil.which("unshare") is None:
        pytest.skip("a mount that only one node sees needs root and unshare")
    ray, port = str(Path(sys.executable).with_name("ray")), free_port()
    environment = _without_ray()
    token.write_text(secrets.token_hex(32))
    token.chmod(0o600)
    environment |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}
    common = ["--num-cpus=1", "--object-store-memory=100000000", "--block", "--disable-usage-stats"]
    head = [ray, "start", "--head", f"--port={port}", "--include-dashboard=false",
            f"--ray-client-server-port={free_port()}", *common]  # fmt: skip
    mount = f'mount -t tmpfs none {local_folder} && exec "$@"'
    worker = ["unshare", "--mount", "sh", "-c", mount, "sh", ray, "start",
              f"--address=127.0.0.1:{port}", *common]  # fmt: skip
    with _running({"head": head, "worker": worker}, environment, token.parent):
        yield f"127.0.0.1:{port}", environment


@contextlib.contextmanager
def head_that_takes_jobs(home: Path) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Runs a head without workers, with a token in a home of its own.

    Yields its address, the dashboard's, and the environment.
    """
    ray, port, dashboard = str(Path(sys.executable).with_name("ray")), free_port(), free_port()
    environment = _without_ray()
    (home / ".ray").mkdir(parents=True)
    (home / ".ray" / "auth_token").write_text(secrets.token_hex(32))
    (home / ".ray" / "auth_token").chmod(0o600)
    # A job runs whatever `python` the head finds first.
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment |= {"RAY_AUTH_MODE": "token", "HOME": str(home), "PATH": path}
    head = [ray, "start", "--head", f"--port={port}", f"--dashboard-port={dashboard}",
            "--dashboard-host=127.0.0.1", f"--ray-client-server-port={free_port()}",
            f"--dashboard-agent-listen-port={free_port()}", "--num-cpus=2",
            "--object-store-memory=100000000", "--block", "--disable-usage-stats"]  # fmt: skip
    with _running({"head": head}, environment, home):
        yield f"127.0.0.1:{port}", f"http://127.0.0.1:{dashboard}", environment


def _without_ray() -> dict[str, str]:
    """Returns this process's environment without what Ray and MLflow read."""
    return {k: text for k, text in os.environ.items() if not k.startswith(("RAY", "MLFLOW"))}


@contextlib.contextmanager
def _running(
    commands: dict[str, list[str]], environment: dict[str, str], logs: Path
) -> Iterator[None]:
    started: list[subprocess.Popen[bytes]] = []
    try:
        for name, command in commands.items():
            log = logs / f"{name}.log"
            with log.open("wb") as file:
                started.append(
                    subprocess.Popen(
                        command, env=environment, start_new_session=True, stdout=file, stderr=file
                    )
                )
            _wait(log)
        yield
    finally:
        # Not by SIGTERM: each would wait 30 s for a head that has ended.
        for process in started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait(log: Path) -> None:
    deadline = time.monotonic() + JOINING_SECONDS
    while "Ray runtime started" not in log.read_text():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.5)

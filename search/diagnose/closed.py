"""Whether a Ray cluster is closed: a token, a dashboard and a head that refuse whoever has none.

Whoever reaches an open Ray port runs code there as Ray's user.
"""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

from search.diagnose.check import Check, failed, passed, warned
from search.diagnose.nodes import Nodes, Reply
from search.diagnose.store import is_loopback

TOKEN, DASHBOARD, HEAD, CLIENT = "token", "dashboard", "head without token", "Ray Client"
CLIENT_PORT = 10001
# Importing Ray takes 3 to 20 s on a busy machine; a head that refuses then answers at once.
STATUS_SECONDS = 90
CONNECT_SECONDS = 5
_USE_TOKEN = "export RAY_AUTH_MODE=token in every line that starts Ray, on every node"


class Cluster(Protocol):
    """What is looked at of the nodes."""

    @property
    def head(self) -> str:
        """Name of the head's node."""

    @property
    def head_address(self) -> str:
        """Its address."""

    @property
    def gcs(self) -> str:
        """`host:port`."""

    @property
    def dashboard(self) -> str:
        """`host:port`, or empty."""

    def ask_some(
        self, names: list[str], function: Callable[..., Any], *arguments: Any, seconds: float = 60
    ) -> dict[str, Reply]:
        """Runs a function on the named nodes."""


def token_file() -> str:
    """Runs on a node: what is wrong with its file of the token, "" if nothing is."""
    file = Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or "~/.ray/auth_token").expanduser()
    if not file.is_file() or not file.stat().st_size:
        return f"{file} is missing"
    mode = stat.S_IMODE(file.stat().st_mode)
    return f"{file} has mode {mode:03o}, others may read it" if mode & 0o077 else ""


def check_token(nodes: Nodes) -> Iterator[Check]:
    """Whether every node has the token in a file that nobody else reads."""
    wrong = [
        f"{name}: {reply.problem or reply.value}"
        for name, reply in nodes.ask(token_file).items()
        if reply.problem or reply.value
    ]
    if wrong:
        mend = "ray get-auth-token --generate, copy it to every node, chmod 600 ~/.ray/auth_token"
        yield failed(TOKEN, "; ".join(wrong[:4]), mend)
    else:
        yield passed(TOKEN, "its file is there on every node, for Ray's user alone")


def anonymous_status(url: str) -> int:
    """Runs on a node: HTTP status of a request without a token.

    Raises:
        OSError: Nothing answers.
    """
    try:
        with urllib.request.urlopen(url, timeout=CONNECT_SECONDS) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def check_dashboard(cluster: Cluster) -> Iterator[Check]:
    """Whether the dashboard, which runs jobs, asks for the token and stays on loopback."""
    if not cluster.dashboard:
        yield passed(DASHBOARD, "there is none")
        return
    host, _, port = cluster.dashboard.rpartition(":")
    url = f"http://{cluster.dashboard}/api/jobs/"
    reply = cluster.ask_some([cluster.head], anonymous_status, url)[cluster.head]
    if reply.value in (401, 403):
        yield passed(DASHBOARD, f"{cluster.dashboard} refuses a request without a token")
    elif reply.problem:
        yield warned(DASHBOARD, f"{cluster.dashboard}: {reply.problem}", "look at its log")
    else:
        found = f"{cluster.dashboard} IS OPEN: it answers {reply.value} without a token"
        yield failed(DASHBOARD, f"{found}, and runs jobs for anybody", _USE_TOKEN)
    outside = cluster.head_address
    if not is_loopback(host) or (not is_loopback(outside) and is_open(outside, int(port))):
        found = f"port {port} listens beyond loopback ({outside if is_loopback(host) else host})"
        yield failed(DASHBOARD, found, "ray start --dashboard-host=127.0.0.1; reach it through ssh")
    else:
        yield passed(DASHBOARD, f"port {port} listens on loopback alone")


def check_head_and_client(cluster: Cluster) -> Iterator[Check]:
    """Whether the head, and Ray Client's server beside it, are closed."""
    head = check_head(cluster)
    yield head
    yield check_client(cluster.head_address, has_token=head.status == "pass")


def check_head(cluster: Cluster) -> Check:
    """Whether the head refuses a client without a token; tried as `ray status` tries it."""
    environment = {
        name: text for name, text in os.environ.items() if not name.startswith("RAY_AUTH")
    }
    script = Path(sys.executable).with_name("ray")
    done = subprocess.run(
        [str(script), "status", "--address", cluster.gcs], capture_output=True, text=True,
        timeout=STATUS_SECONDS, env=environment | {"RAY_AUTH_MODE": "disabled"},
    )  # fmt: skip
    return judge_head(cluster.gcs, done.returncode, done.stdout + done.stderr)


def judge_head(gcs: str, code: int, said: str) -> Check:
    """What `ray status` without a token says of the head."""
    if code == 0:
        found = f"{gcs} IS OPEN: a client without a token is let in, and may run code"
        return failed(HEAD, found, _USE_TOKEN)
    if any(word in said for word in ("Unauthenticated", "UNAUTHENTICATED", "uthentication")):
        return passed(HEAD, f"{gcs} refuses a client without a token")
    last = (said.strip().splitlines() or [""])[-1][:200]
    return warned(HEAD, f"{gcs}: could not be told: {last}", "try `ray status` from elsewhere")


def check_client(host: str, *, has_token: bool) -> Check:
    """Whether Ray Client's port, which runs code too, is open beyond loopback."""
    if is_loopback(host) or not is_open(host, CLIENT_PORT):
        return passed(CLIENT, f"port {CLIENT_PORT} is not open beyond loopback")
    if has_token:
        found = f"{host}:{CLIENT_PORT} is open, behind the token"
        return warned(CLIENT, found, "close it in the firewall: searches do not need it")
    found = f"{host}:{CLIENT_PORT} IS OPEN without a token, and runs code for anybody"
    return failed(CLIENT, found, _USE_TOKEN)


def is_open(host: str, port: int) -> bool:
    """Whether something accepts connections there."""
    try:
        socket.create_connection((host, port), timeout=CONNECT_SECONDS).close()
    except OSError:
        return False
    return True

"""Whether a Ray cluster is closed: a token, and a head and a dashboard that ask for it.

Whoever reaches an open Ray port runs code there as Ray's user. Ports beside these two are looked
at for where they listen, not for what they answer.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import psutil

from search.cluster.access import MODE, Answer, ask, is_open
from search.cluster.check import Check, failed, listed, passed, warned
from search.cluster.nodes import Nodes, Reply, problems
from search.cluster.preflight import check_secret, is_loopback

TOKEN, DASHBOARD, HEAD, PORTS = "token", "dashboard", "head without token", "ports"
FROM_HERE = "ports from here"
ANSWER_SECONDS = 5.0
Place = tuple[str, int]
# As cluster.yaml numbers them. Workers (10002 and up) come and go.
DASHBOARD_PORT = 8265
OF_HEAD = {
    6379: "control store", DASHBOARD_PORT: "dashboard", 10001: "Ray Client",
    44217: "metrics of the autoscaler", 44227: "metrics of the dashboard",
}  # fmt: skip
OF_NODE = {6380: "raylet", 6384: "dashboard agent", 6385: "metrics of the node"}
# These never ask for a token.
METRICS = (6385, 44217, 44227)
_USE_TOKEN = "export RAY_AUTH_MODE=token in every line that starts Ray, on every node"
_NO_METRICS = (
    "start Ray with RAY_enable_metrics_collection=0 AUTOSCALER_METRIC_PORT=-1 "
    "DASHBOARD_METRIC_PORT=-1, as cluster.yaml does; or let only the nodes in (firewall)"
)


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
    try:
        check_secret(file, "copy it from the head")
    except OSError as error:
        return str(error)
    return ""


def check_token(nodes: Nodes) -> Iterator[Check]:
    """Whether every node has the token in a file that nobody else reads."""
    wrong = [
        f"{name}: {reply.problem or reply.value}"
        for name, reply in nodes.ask(token_file).items()
        if reply.problem or reply.value
    ]
    if wrong:
        fix = "ray get-auth-token --generate, copy it to every node, chmod 600 ~/.ray/auth_token"
        yield failed(TOKEN, "; ".join(wrong[:4]), fix)
    else:
        yield passed(TOKEN, "its file is there on every node, for Ray's user alone")


def check_dashboard(cluster: Cluster) -> Iterator[Check]:
    """Whether the dashboard, which runs jobs, asks for the token and stays on loopback."""
    if not cluster.dashboard:
        yield passed(DASHBOARD, "there is none")
        return
    host, _, port = cluster.dashboard.rpartition(":")
    url = f"http://{cluster.dashboard}/api/jobs/"
    reply = cluster.ask_some([cluster.head], http_status, url)[cluster.head]
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


def check_head(cluster: Cluster) -> Iterator[Check]:
    """Whether the head refuses a client without a token."""
    without = {name: text for name, text in os.environ.items() if not name.startswith("RAY_AUTH")}
    answer: Answer = "unclear"
    with contextlib.suppress(ConnectionError):
        answer = ask(cluster.gcs, {**without, MODE: "disabled"})
    if answer == "refused":
        yield passed(HEAD, f"{cluster.gcs} refuses a client without a token")
    elif answer == "admitted":
        found = f"{cluster.gcs} IS OPEN: a client without a token is let in, and may run code"
        yield failed(HEAD, found, _USE_TOKEN)
    else:
        found = f"{cluster.gcs}: `ray status` without a token was neither answered nor refused"
        yield warned(HEAD, found, f"see what it says: ray status --address={cluster.gcs}")


def listening() -> list[tuple[str, int]]:
    """Runs on a node: where Ray's processes of this user listen, as address and port."""
    found = set()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if any("ray/" in part for part in process.cmdline()):
                found |= {
                    (each.laddr.ip, each.laddr.port)
                    for each in process.net_connections("tcp")
                    if each.status == psutil.CONN_LISTEN
                }
    return sorted(found)


def check_ports(nodes: Nodes) -> Iterator[Check]:
    """Which addresses Ray listens on, on every node."""
    replies = nodes.ask(listening)
    if wrong := problems(replies):
        yield warned(PORTS, wrong, "see what listens there: ss -ltnp")
    beyond = [
        (name if ipaddress.ip_address(host).is_unspecified else host, port)
        for name, reply in replies.items()
        for host, port in reply.value or ()
        if not is_loopback(host)
    ]
    yield judge_ports(beyond)


def judge_ports(beyond: Sequence[Place]) -> Check:
    """What is to be said of the places beyond loopback where Ray listens."""
    if figures := [_named(place) for place in beyond if place[1] in METRICS]:
        found = f"answer without a token beyond loopback: {listed(figures, 6)}"
        return warned(PORTS, found, _NO_METRICS)
    if not beyond:
        return passed(PORTS, "Ray listens on loopback alone")
    hosts = listed({host for host, _ in beyond}, 6)
    return passed(PORTS, f"Ray listens beyond loopback on {len(beyond)} ports of {hosts}")


def check_from_here(hosts: Sequence[str]) -> Iterator[Check]:
    """Whether this machine, as one that is outside the cluster, reaches ports of Ray's.

    Args:
        hosts: Addresses of nodes, the head's first.
    """
    places = [(hosts[0], port) for port in OF_HEAD]
    places += [(host, port) for host in hosts for port in OF_NODE]
    with ThreadPoolExecutor(max_workers=32) as pool:
        is_reached = list(pool.map(lambda place: is_open(*place), places))
    reached = [place for place, is_there in zip(places, is_reached, strict=True) if is_there]
    unguarded = []
    for host, port in reached:
        if port == DASHBOARD_PORT:
            with contextlib.suppress(OSError, ValueError):  # also what is no HTTP
                if http_status(f"http://{host}:{port}/api/jobs/") not in (401, 403):
                    unguarded.append((host, port))
    yield judge_from_here(reached, unguarded)


def judge_from_here(reached: Sequence[Place], unguarded: Sequence[Place]) -> Check:
    """What a look from outside says. An address of the internet's makes everything worse.

    Args:
        reached: Places that accept a connection.
        unguarded: Of these, those that answered a request without a token.
    """
    fix = "let in ssh alone (security group, firewall): cluster.yaml and SECURITY.md say how"
    if unguarded:
        found = f"OPEN without a token: {listed(map(_named, unguarded), 6)}; whoever reaches them"
        return failed(FROM_HERE, f"{found} runs code", f"{_USE_TOKEN}; and {fix}")
    public = [_named(place) for place in reached if _is_public(place[0])]
    figures = [place for place in reached if place[1] in METRICS]
    if public_figures := [_named(place) for place in figures if _is_public(place[0])]:
        found = f"reached from the internet, without a token: {listed(public_figures, 6)}"
        return failed(FROM_HERE, found, fix)
    if public:
        found = f"at most a token guards {listed(public)}, reached from the internet"
        return warned(FROM_HERE, found, f"{fix}; a token is not encryption")
    if figures:
        found = f"answer without a token: {listed(map(_named, figures), 6)}"
        return warned(FROM_HERE, found, f"{_NO_METRICS}; {fix}")
    if reached:
        named = listed(map(_named, reached))
        return passed(FROM_HERE, f"reached from this machine on private addresses: {named}")
    return passed(FROM_HERE, "no port of Ray's is reached from this machine")


def http_status(url: str) -> int:
    """HTTP status without a token, asked directly: no proxy of this machine's comes between.

    Raises:
        OSError: Nothing answers.
    """
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=ANSWER_SECONDS) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def _named(place: Place) -> str:
    host, port = place
    what = (OF_HEAD | OF_NODE).get(port)
    return f"{host}:{port} ({what})" if what else f"{host}:{port}"


def _is_public(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return False

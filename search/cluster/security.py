"""Check that a Ray cluster is closed: a token, and a head and a dashboard that ask for it.

Whoever reaches an open Ray port runs code there as Ray's user. Of the ports other than these two
it is checked where they listen, not what they answer.
"""

from __future__ import annotations

import contextlib
import ipaddress
import itertools
import os
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException

import psutil

from search.cluster.access import MODE, Answer, ask, is_open, token_file
from search.cluster.check import Check, failed, failed_if, listed, passed, warned
from search.cluster.nodes import Nodes, RayNodes, problems
from search.cluster.preflight import check_secret, is_loopback
from search.history.plurals import counted

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
    "DASHBOARD_METRIC_PORT=-1, as cluster.yaml does; or allow only the nodes (firewall)"
)


def check_token_file() -> None:
    """Check a node's file of the token.

    Raises:
        OSError: It is missing, or others may read it.
    """
    check_secret(token_file(os.environ), "copy it from the head")


def check_token(nodes: Nodes) -> Check:
    """Check that every node has the token in a file that only Ray's user reads."""
    return failed_if(
        TOKEN,
        problems(nodes.ask(check_token_file)),
        "ray get-auth-token --generate, copy it to every node, chmod 600 ~/.ray/auth_token",
        "its file is on every node, readable by Ray's user only",
    )


def check_dashboard(cluster: RayNodes) -> Iterator[Check]:
    """Check that the dashboard, which runs jobs, asks for the token and listens on loopback."""
    if not cluster.dashboard:
        yield passed(DASHBOARD, "there is none")
        return
    host, _, port = cluster.dashboard.rpartition(":")
    (reply,) = cluster.ask(http_status, cluster.dashboard, names=[cluster.head]).values()
    if reply.value in (401, 403):
        yield passed(DASHBOARD, f"{cluster.dashboard} refuses a request without a token")
    elif reply.problem:
        yield warned(DASHBOARD, f"{cluster.dashboard}: {reply.problem}", "read its log")
    else:
        found = f"{cluster.dashboard} IS OPEN: it answers {reply.value} without a token"
        yield failed(DASHBOARD, f"{found}, and runs anybody's jobs", _USE_TOKEN)
    outside = cluster.head_address
    if not is_loopback(host) or (not is_loopback(outside) and is_open(outside, int(port))):
        found = f"port {port} listens beyond loopback ({outside if is_loopback(host) else host})"
        yield failed(DASHBOARD, found, "ray start --dashboard-host=127.0.0.1; reach it through ssh")
    else:
        yield passed(DASHBOARD, f"port {port} listens on loopback only")


def check_head(gcs: str) -> Check:
    """Check that the head refuses a client without a token; `gcs` is `host:port`."""
    without = {name: text for name, text in os.environ.items() if not name.startswith("RAY_AUTH")}
    answer: Answer = "unclear"
    with contextlib.suppress(ConnectionError):
        answer = ask(gcs, {**without, MODE: "disabled"})
    if answer == "refused":
        return passed(HEAD, f"{gcs} refuses a client without a token")
    if answer == "admitted":
        found = f"{gcs} IS OPEN: it admits a client without a token, which may run code"
        return failed(HEAD, found, _USE_TOKEN)
    found = f"{gcs}: `ray status` without a token was neither answered nor refused"
    return warned(HEAD, found, f"read what it prints: ray status --address={gcs}")


def listening() -> list[Place]:
    """Return where Ray's processes of this user listen on a node, as address and port."""
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
    """Check on which addresses Ray listens, on every node."""
    replies = nodes.ask(listening)
    if wrong := problems(replies):
        yield warned(PORTS, wrong, "see what listens there: ss -ltnp")
        replies = {name: reply for name, reply in replies.items() if not reply.problem}
    beyond = [
        (name if ipaddress.ip_address(host).is_unspecified else host, port)
        for name, reply in replies.items()
        for host, port in reply.value
        if not is_loopback(host)
    ]
    if replies:
        yield port_check(beyond)


def port_check(beyond: Sequence[Place]) -> Check:
    """Return the check of the places beyond loopback where Ray listens."""
    if metrics := _metrics(beyond):
        return warned(PORTS, f"answer without a token beyond loopback: {metrics}", _NO_METRICS)
    if not beyond:
        return passed(PORTS, "Ray listens on loopback only")
    hosts = listed({host for host, _ in beyond}, 6)
    ports = counted(len(beyond), "port")
    return passed(PORTS, f"Ray listens beyond loopback on {ports} of {hosts}")


def check_from_here(hosts: Sequence[str]) -> Check:
    """Check whether this machine, as one outside the cluster, reaches ports of Ray's.

    Args:
        hosts: Addresses of nodes, the head's first.
    """
    dashboard = (hosts[0], DASHBOARD_PORT)
    places = [(hosts[0], port) for port in OF_HEAD]
    places += [(host, port) for host in hosts for port in OF_NODE]
    with ThreadPoolExecutor(max_workers=32) as pool:
        is_reached = pool.map(lambda place: is_open(*place), places)
    reached = list(itertools.compress(places, is_reached))
    is_unguarded = False
    if dashboard in reached:
        with contextlib.suppress(OSError, HTTPException):  # the latter: it is not HTTP
            is_unguarded = http_status(f"{hosts[0]}:{DASHBOARD_PORT}") not in (401, 403)
    return outside_check(reached, [dashboard] if is_unguarded else [])


def outside_check(reached: Sequence[Place], unguarded: Sequence[Place]) -> Check:
    """Return the check of what is reached from outside; on public addresses it is more severe.

    Args:
        reached: Places that accept a connection.
        unguarded: Those of them that answered a request without a token.
    """
    fix = "allow only ssh from outside (security group, firewall); see cluster.yaml and SECURITY.md"
    if unguarded:
        found = f"OPEN without a token: {_listed(unguarded)}; whoever reaches them runs code"
        return failed(FROM_HERE, found, f"{_USE_TOKEN}; and {fix}")
    public = [place for place in reached if _is_public(place[0])]
    if metrics := _metrics(public):
        return failed(FROM_HERE, f"reached from the internet, without a token: {metrics}", fix)
    if public:
        found = f"reached from the internet, at most a token guards them: {_listed(public)}"
        return warned(FROM_HERE, found, f"{fix}; a token is not encryption")
    if metrics := _metrics(reached):
        return warned(FROM_HERE, f"answer without a token: {metrics}", f"{_NO_METRICS}; {fix}")
    found = f"reached from this machine on private addresses: {_listed(reached)}"
    return passed(FROM_HERE, found if reached else "this machine reaches no port of Ray's")


def http_status(dashboard: str) -> int:
    """Return the HTTP status that a dashboard gives to a list of its jobs without a token.

    It is asked directly, past any proxy of this machine's.

    Args:
        dashboard: `host:port`.

    Raises:
        OSError: Nothing answers.
    """
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{dashboard}/api/jobs/", timeout=ANSWER_SECONDS) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def _metrics(places: Iterable[Place]) -> str:
    """Return those of some places that serve metrics, in a line; empty if none does."""
    return _listed(place for place in places if place[1] in METRICS)


def _listed(places: Iterable[Place]) -> str:
    """Return places in a line, each with what listens there where that is known."""
    known = OF_HEAD | OF_NODE
    named = (
        f"{host}:{port} ({known[port]})" if port in known else f"{host}:{port}"
        for host, port in places
    )
    return listed(named, 6)


def _is_public(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return False

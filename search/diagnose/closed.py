"""Whether a Ray cluster is closed: a token, a dashboard and ports that refuse whoever has none.

Whoever reaches an open Ray port runs code there as Ray's user.
"""

from __future__ import annotations

import ipaddress
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

from search.diagnose import stranger
from search.diagnose.check import Check, failed, listed, passed, warned
from search.diagnose.nodes import Nodes, Reply
from search.diagnose.store import is_loopback
from search.diagnose.stranger import Answer, Port

TOKEN, DASHBOARD, HEAD, PORTS = "token", "dashboard", "head without token", "ports"
FROM_HERE = "ports from here"
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

    @property
    def ports(self) -> Sequence[tuple[str, Port]]:
        """Host and port of whatever Ray listens on, on every node."""

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


def check_dashboard(cluster: Cluster) -> Iterator[Check]:
    """Whether the dashboard, which runs jobs, asks for the token and stays on loopback."""
    if not cluster.dashboard:
        yield passed(DASHBOARD, "there is none")
        return
    host, _, port = cluster.dashboard.rpartition(":")
    url = f"http://{cluster.dashboard}/api/jobs/"
    reply = cluster.ask_some([cluster.head], stranger.http_status, url)[cluster.head]
    if reply.value in (401, 403):
        yield passed(DASHBOARD, f"{cluster.dashboard} refuses a request without a token")
    elif reply.problem:
        yield warned(DASHBOARD, f"{cluster.dashboard}: {reply.problem}", "look at its log")
    else:
        found = f"{cluster.dashboard} IS OPEN: it answers {reply.value} without a token"
        yield failed(DASHBOARD, f"{found}, and runs jobs for anybody", _USE_TOKEN)
    outside = cluster.head_address
    if not is_loopback(host) or (not is_loopback(outside) and stranger.is_open(outside, int(port))):
        found = f"port {port} listens beyond loopback ({outside if is_loopback(host) else host})"
        yield failed(DASHBOARD, found, "ray start --dashboard-host=127.0.0.1; reach it through ssh")
    else:
        yield passed(DASHBOARD, f"port {port} listens on loopback alone")


def check_head(cluster: Cluster) -> Iterator[Check]:
    """Whether the head refuses a client without a token."""
    host, _, port = cluster.gcs.rpartition(":")
    gcs = Port(int(port), stranger.GCS.what, stranger.GCS.request)
    yield judge_head(cluster.gcs, stranger.ask(host, gcs))


def judge_head(gcs: str, answer: Answer) -> Check:
    """What the head's answer to a request without a token says of it."""
    if answer == "answered":
        found = f"{gcs} IS OPEN: a client without a token is let in, and may run code"
        return failed(HEAD, found, _USE_TOKEN)
    if answer == "refused":
        return passed(HEAD, f"{gcs} refuses a client without a token")
    return warned(HEAD, f"{gcs}: could not be told ({answer})", "try `ray status` from elsewhere")


def check_ports(cluster: Cluster) -> Iterator[Check]:
    """Whether every other port of every node asks for the token."""
    yield judge_ports(look_at(cluster.ports))


def look_at(ports: Sequence[tuple[str, Port]]) -> dict[tuple[str, Port], Answer]:
    """What each answers to a request without a token, all asked at once."""
    with ThreadPoolExecutor(max_workers=32) as pool:
        answers = pool.map(lambda place: stranger.ask(*place), ports)
        return dict(zip(ports, answers, strict=True))


def judge_ports(answers: Mapping[tuple[str, Port], Answer]) -> Check:
    """What a look from one of the nodes, or a machine among them, says."""
    if unguarded := _answering(answers, runs_code=True):
        found = f"OPEN without a token: {unguarded}; whoever reaches them runs code"
        return failed(PORTS, found, _USE_TOKEN)
    beyond = {place: answer for place, answer in answers.items() if not is_loopback(place[0])}
    if figures := _answering(beyond, runs_code=False):
        return warned(PORTS, f"answer without a token beyond loopback: {figures}", _NO_METRICS)
    refused = sum(answer == "refused" for answer in answers.values())
    return passed(PORTS, f"{refused} more of Ray's ports refuse a request without a token")


def check_from_here(hosts: Sequence[str]) -> Iterator[Check]:
    """Whether this machine, as one that is outside the cluster, reaches ports of Ray's.

    Args:
        hosts: Addresses of nodes, the head's first.
    """
    places = [(hosts[0], port) for port in stranger.OF_HEAD]
    places += [(host, port) for host in hosts for port in stranger.OF_NODE]
    yield judge_from_here(look_at(places))


def judge_from_here(answers: Mapping[tuple[str, Port], Answer]) -> Check:
    """What a look from outside says. An address of the internet's makes everything worse."""
    mend = "let in ssh alone (security group, firewall): cluster.yaml and SECURITY.md say how"
    if unguarded := _answering(answers, runs_code=True):
        found = f"OPEN without a token: {unguarded}; whoever reaches them runs code"
        return failed(FROM_HERE, found, f"{_USE_TOKEN}; and {mend}")
    public = {place: answer for place, answer in answers.items() if _is_public(place[0])}
    if figures := _answering(public, runs_code=False):
        found = f"reached from the internet, and answering without a token: {figures}"
        return failed(FROM_HERE, found, mend)
    if figures := _answering(answers, runs_code=False):
        return warned(FROM_HERE, f"answer without a token: {figures}", f"{_NO_METRICS}; {mend}")
    refused = _which(answers, "refused")
    if refused and _which(public, "refused"):
        found = f"the token alone guards {listed(refused)}, reached from the internet"
        return warned(FROM_HERE, found, f"{mend}; a token is not encryption")
    if unclear := _which(answers, "unclear"):
        found = f"something listens at {listed(unclear)} that is not Ray as we know it"
        return warned(FROM_HERE, found, "see what listens there: ss -ltnp")
    if refused:
        return passed(FROM_HERE, f"{listed(refused)} refuse a request without the token")
    return passed(FROM_HERE, f"none of {len(answers)} ports of Ray's is reached from this machine")


def _which(answers: Mapping[tuple[str, Port], Answer], wanted: Answer) -> list[str]:
    return [_named(place) for place, answer in answers.items() if answer == wanted]


def _answering(answers: Mapping[tuple[str, Port], Answer], *, runs_code: bool) -> str:
    open_ones = [
        _named(place)
        for place, answer in answers.items()
        if answer == "answered" and place[1].runs_code == runs_code
    ]
    return listed(open_ones, 6)


def _named(place: tuple[str, Port]) -> str:
    return f"{place[0]}:{place[1].number} ({place[1].what})"


def _is_public(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return False

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import BadStatusLine
from pathlib import Path
from typing import Any

import pytest

from search.cluster import security
from search.cluster.access import Answer
from search.cluster.nodes import HERE, RayNodes, Reply, ThisMachine
from tests.support.proxies import Silent, serving


class OneNode(RayNodes):
    """A cluster of this machine only, without Ray."""

    def __init__(self, dashboard: str) -> None:
        super().__init__({}, {}, HERE, "127.0.0.1", "127.0.0.1:6379", dashboard)

    def ask(
        self, function: Callable[..., Any], *arguments: Any, **options: Any
    ) -> dict[str, Reply]:
        return ThisMachine().ask(function, *arguments)


@contextmanager
def dashboard(status: int) -> Iterator[str]:
    class Handler(Silent):
        def do_GET(self) -> None:
            self.reply(status, b"")

    with serving(Handler) as port:
        yield f"127.0.0.1:{port}"


@pytest.mark.parametrize(
    ("mode", "status"), [(0o600, "pass"), (0o400, "pass"), (0o640, "fail"), (0o604, "fail")]
)
def test_a_token_that_others_may_read_fails(
    mode: int, status: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token"
    file.write_text("secret-text")
    file.chmod(mode)
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(file))
    check = security.check_token(ThisMachine())
    assert check.status == status
    assert "secret-text" not in check.found


def test_a_missing_token_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "none"))
    check = security.check_token(ThisMachine())
    assert check.status == "fail" and "is missing" in check.found


@pytest.mark.slow
@pytest.mark.parametrize(("answer", "status"), [(401, "pass"), (403, "pass"), (200, "fail")])
def test_a_dashboard_must_refuse_a_request_without_a_token(answer: int, status: str) -> None:
    with dashboard(answer) as address:
        access, place = security.check_dashboard(OneNode(address))
    assert (access.status, place.status) == (status, "pass")


@pytest.mark.slow
def test_a_dashboard_beyond_loopback_fails() -> None:
    with dashboard(401) as address:
        port = address.rpartition(":")[2]
        *_, place = security.check_dashboard(OneNode(f"0.0.0.0:{port}"))
    assert place.status == "fail" and "ssh" in place.fix


@pytest.mark.parametrize(
    ("given", "status"),
    [("refused", "pass"), ("admitted", "fail"), ("unclear", "warning"), (None, "warning")],
)
def test_a_head_that_admits_a_client_without_a_token_fails(
    given: Answer | None, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, str]] = []

    def answer(address: str, environment: dict[str, str]) -> Answer:
        asked.append(environment)
        if given is None:
            raise ConnectionError("no head of Ray answers within 30 s")
        return given

    monkeypatch.setenv("RAY_AUTH_TOKEN", "secret-text")
    monkeypatch.setattr(security, "ask", answer)
    check = security.check_head("127.0.0.1:6379")
    assert check.status == status
    assert asked[0]["RAY_AUTH_MODE"] == "disabled" and "RAY_AUTH_TOKEN" not in asked[0]


HEAD, FAR = "10.0.0.11", "8.8.8.8"


def test_metrics_that_listen_beyond_loopback_are_a_warning_that_names_them() -> None:
    check = security.port_check([(HEAD, 6385), (HEAD, 6379)])
    assert check.status == "warning" and f"{HEAD}:6385" in check.found
    assert security.port_check([(HEAD, 6379)]).status == "pass"
    assert "loopback only" in security.port_check([]).found


def test_of_a_node_that_does_not_answer_nothing_is_said_to_be_closed() -> None:
    class Mute(OneNode):
        def ask(self, function: Callable[..., Any], *arguments: Any, **_: Any) -> dict[str, Reply]:
            return {HERE: Reply(problem="no answer within 60 s")}

    (check,) = security.check_ports(Mute(""))
    assert check.status == "warning" and "no answer" in check.found


@pytest.mark.slow
def test_the_addresses_that_ray_listens_on_are_found(tmp_path: Path) -> None:
    program = tmp_path / "ray" / "listen.py"
    program.parent.mkdir()
    program.write_text(
        "import socket\n"
        'here, every = socket.create_server(("127.0.0.1", 0)), socket.create_server(("", 0))\n'
        "print(here.getsockname()[1], every.getsockname()[1], flush=True)\n"
        "input()\n"
    )
    command = [sys.executable, str(program)]
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as process:
        assert process.stdout is not None
        here, every = map(int, process.stdout.readline().split())
        found = security.listening()
        process.communicate("\n")
    assert {("127.0.0.1", here), ("0.0.0.0", every)} <= set(found)


@pytest.mark.parametrize(
    ("host", "port", "status"),
    [(HEAD, 6385, "warning"), (FAR, 6385, "fail"), (HEAD, 6379, "pass"), (FAR, 6379, "warning")],
)
def test_what_is_reached_from_the_internet_is_more_severe(
    host: str, port: int, status: str
) -> None:
    check = security.outside_check([(host, port)], [])
    assert check.status == status
    assert status == "pass" or "allow only ssh" in check.fix


def test_a_dashboard_that_answers_without_a_token_fails_from_any_address() -> None:
    check = security.outside_check([(HEAD, 8265), (HEAD, 6385)], [(HEAD, 8265)])
    assert check.status == "fail" and f"{HEAD}:8265 (dashboard)" in check.found
    assert "6385" not in check.found, "metrics run nothing"


@pytest.mark.slow
@pytest.mark.parametrize(("answer", "status"), [(401, "pass"), (200, "fail")])
def test_a_dashboard_that_is_reached_from_here_must_ask_for_the_token(
    answer: int, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with dashboard(answer) as address:
        number = int(address.rpartition(":")[2])
        monkeypatch.setattr(security, "DASHBOARD_PORT", number)
        monkeypatch.setattr(security, "OF_HEAD", {number: "dashboard"})
        monkeypatch.setattr(security, "OF_NODE", {})
        check = security.check_from_here(["127.0.0.1"])
    assert check.status == status


def test_what_listens_at_the_dashboards_port_need_not_be_http(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def greeted(dashboard: str) -> int:
        raise BadStatusLine("SSH-2.0-any")

    monkeypatch.setattr(security, "is_open", lambda host, port: True)
    monkeypatch.setattr(security, "http_status", greeted)
    check = security.check_from_here([HEAD])
    assert check.status == "warning" and "OPEN" not in check.found


@pytest.mark.slow
def test_a_proxy_of_this_machine_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with dashboard(401) as address:
        assert security.http_status(address) == 401

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from search.diagnose import closed
from search.diagnose.nodes import HERE, Reply, ThisMachine


@dataclass(frozen=True)
class OneNode:
    """A cluster of this machine, as far as its closedness is looked at."""

    dashboard: str
    head: str = HERE
    head_address: str = "127.0.0.1"
    gcs: str = "127.0.0.1:6379"

    def ask_some(
        self, names: list[str], function: Callable[..., Any], *arguments: Any, seconds: float = 60
    ) -> dict[str, Reply]:
        return ThisMachine().ask(function, *arguments)


@contextmanager
def dashboard(status: int) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None: ...

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


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
    (check,) = closed.check_token(ThisMachine())
    assert check.status == status
    assert "secret-text" not in check.found


def test_a_missing_token_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "none"))
    (check,) = closed.check_token(ThisMachine())
    assert check.status == "fail" and "is missing" in check.found


@pytest.mark.parametrize(("answer", "status"), [(401, "pass"), (403, "pass"), (200, "fail")])
def test_a_dashboard_must_refuse_a_request_without_a_token(answer: int, status: str) -> None:
    with dashboard(answer) as address:
        access, place = closed.check_dashboard(OneNode(address))
    assert (access.status, place.status) == (status, "pass")


def test_a_dashboard_beyond_loopback_fails() -> None:
    with dashboard(401) as address:
        port = address.rpartition(":")[2]
        *_, place = closed.check_dashboard(OneNode(f"0.0.0.0:{port}"))
    assert place.status == "fail" and "ssh" in place.mend


def test_a_head_that_lets_a_client_without_token_in_fails() -> None:
    assert closed.judge_head("h:6379", 0, "======== Autoscaler status").status == "fail"
    said = "ray.exceptions.AuthenticationError: Unauthenticated: InvalidAuthToken"
    assert closed.judge_head("h:6379", 1, said).status == "pass"
    assert closed.judge_head("h:6379", 1, "No module named ray").status == "warning"


def test_an_open_port_of_ray_client_fails_unless_the_token_guards_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(closed, "is_loopback", lambda host: False)  # as if it were another host
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(closed, "CLIENT_PORT", server.getsockname()[1])
        assert closed.check_client("127.0.0.1", has_token=False).status == "fail"
        assert closed.check_client("127.0.0.1", has_token=True).status == "warning"
    assert closed.check_client("127.0.0.1", has_token=False).status == "pass"

from __future__ import annotations

import dataclasses
import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from search.diagnose import closed, stranger
from search.diagnose.nodes import HERE, Reply, ThisMachine


@dataclass(frozen=True)
class OneNode:
    """A cluster of this machine, as far as its closedness is looked at."""

    dashboard: str
    head: str = HERE
    head_address: str = "127.0.0.1"
    gcs: str = "127.0.0.1:6379"
    ports: tuple[tuple[str, stranger.Port], ...] = ()

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
    assert closed.judge_head("h:6379", "answered").status == "fail"
    assert closed.judge_head("h:6379", "refused").status == "pass"
    assert closed.judge_head("h:6379", "unclear").status == "warning"


HEAD, FAR = "10.0.0.11", "8.8.8.8"
Answers = dict[tuple[str, stranger.Port], stranger.Answer]


@pytest.mark.parametrize("judge", [closed.judge_ports, closed.judge_from_here])
def test_a_port_that_runs_code_for_anybody_fails_wherever_it_is_seen_from(judge: Any) -> None:
    answers: Answers = {(HEAD, stranger.RAYLET): "answered", (HEAD, stranger.METRICS): "answered"}
    check = judge(answers)
    assert check.status == "fail" and f"{HEAD}:6380 (raylet)" in check.found
    assert "6385" not in check.found, "figures run nothing"


def test_metrics_that_answer_beyond_loopback_are_a_warning_that_names_them() -> None:
    check = closed.judge_ports({(HEAD, stranger.METRICS): "answered"})
    assert check.status == "warning" and f"{HEAD}:6385" in check.found
    assert closed.judge_ports({("127.0.0.1", stranger.METRICS): "answered"}).status == "pass"


@pytest.mark.parametrize(
    ("host", "port", "answer", "status"),
    [
        (HEAD, stranger.METRICS, "answered", "warning"),
        (FAR, stranger.METRICS, "answered", "fail"),
        (HEAD, stranger.GCS, "refused", "pass"),
        (FAR, stranger.GCS, "refused", "warning"),
        (FAR, stranger.GCS, "silent", "pass"),
        (HEAD, stranger.GCS, "unclear", "warning"),
    ],
)
def test_what_is_reached_from_the_internet_counts_more(
    host: str, port: stranger.Port, answer: stranger.Answer, status: str
) -> None:
    check = closed.judge_from_here({(host, port): answer})
    assert check.status == status
    assert status == "pass" or answer == "unclear" or "let in ssh alone" in check.mend


@pytest.mark.parametrize(
    ("status", "answer"), [(200, "answered"), (401, "refused"), (500, "unclear")]
)
def test_a_port_of_http_is_judged_by_its_status(status: int, answer: str) -> None:
    with dashboard(status) as address:
        number = int(address.rpartition(":")[2])
        port = dataclasses.replace(stranger.DASHBOARD, number=number)
        assert stranger.ask("127.0.0.1", port) == answer
    assert stranger.ask("127.0.0.1", port) == "silent"


def test_a_port_that_speaks_no_grpc_is_unclear_and_never_closed() -> None:
    with dashboard(200) as address:
        port = dataclasses.replace(stranger.GCS, number=int(address.rpartition(":")[2]))
        assert stranger.ask("127.0.0.1", port) == "unclear"


def test_a_proxy_of_this_machine_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with dashboard(401) as address:
        assert stranger.http_status(f"http://{address}/") == 401

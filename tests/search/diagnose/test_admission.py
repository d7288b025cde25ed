from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest

from search.diagnose import admission
from search.diagnose.admission import located, refuse_if_refused, use_token

TOKEN = "0123456789abcdef"


class Head(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Refuses whoever has not the token, as Ray's head does; open, it answers everybody."""

    def __init__(self, is_open: bool = False) -> None:
        self._is_open = is_open

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        is_known = ("authorization", f"Bearer {TOKEN}") in details.invocation_metadata

        def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
            if not is_known and not self._is_open:
                context.abort(grpc.StatusCode.UNAUTHENTICATED, "InvalidAuthToken")
            return b""

        return grpc.unary_unary_rpc_method_handler(answer)


@contextmanager
def serving(head: Head) -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((head,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None).wait()


@pytest.fixture
def head() -> Iterator[str]:
    with serving(Head()) as place:
        yield place


def held(folder: Path, token: str) -> dict[str, str]:
    (folder / "token").write_text(token)
    return {"RAY_AUTH_TOKEN_PATH": str(folder / "token")}


def test_a_head_lets_in_who_has_its_token(head: str, tmp_path: Path) -> None:
    refuse_if_refused(head, held(tmp_path, TOKEN + "\n"))
    refuse_if_refused(head, {"RAY_AUTH_TOKEN": TOKEN})


def test_who_has_no_token_hears_where_it_belongs(head: str, tmp_path: Path) -> None:
    with pytest.raises(ConnectionError, match=f"asks for a token and {tmp_path}.* is missing"):
        refuse_if_refused(head, {"RAY_AUTH_TOKEN_PATH": str(tmp_path / "none")})


def test_a_token_of_another_cluster_is_named_and_not_shown(head: str, tmp_path: Path) -> None:
    with pytest.raises(ConnectionError, match="another cluster's") as refused:
        refuse_if_refused(head, held(tmp_path, "other-secret"))
    assert "other-secret" not in str(refused.value)


def test_a_token_that_is_switched_off_is_said(head: str, tmp_path: Path) -> None:
    with pytest.raises(ConnectionError, match="RAY_AUTH_MODE=disabled: unset it"):
        refuse_if_refused(head, held(tmp_path, TOKEN) | {"RAY_AUTH_MODE": "disabled"})


@pytest.mark.parametrize("address", ["ray://head:10001/x", "head"])
def test_what_is_no_address_is_said(address: str) -> None:
    with pytest.raises(ConnectionError, match="host:port"):
        refuse_if_refused(address, {})


def test_auto_is_where_ray_says_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "CURRENT_CLUSTER", tmp_path / "current")
    with pytest.raises(ConnectionError, match="no cluster runs on this machine"):
        located("auto", {})
    (tmp_path / "current").write_text("10.0.0.11:6379\n")
    assert located("auto", {}) == "10.0.0.11:6379"
    assert located("auto", {"RAY_ADDRESS": "h:1"}) == "h:1"
    assert located("auto", {"RAY_ADDRESS": "auto"}) == "10.0.0.11:6379"
    assert located("h:2", {"RAY_ADDRESS": "h:1"}) == "h:2"


def test_ray_uses_the_token_where_there_is_one_and_nobody_said_otherwise(
    head: str, tmp_path: Path
) -> None:
    none, own = {"RAY_AUTH_TOKEN_PATH": str(tmp_path / "none")}, held(tmp_path, TOKEN)
    off = own | {"RAY_AUTH_MODE": "disabled"}
    for environment in (none, own, off):
        use_token(head, environment)
    assert "RAY_AUTH_MODE" not in none
    assert own["RAY_AUTH_MODE"] == "token"
    assert off["RAY_AUTH_MODE"] == "disabled"


def test_at_a_cluster_without_tokens_ours_stays_unused(tmp_path: Path) -> None:
    environment = held(tmp_path, TOKEN)
    with serving(Head(is_open=True)) as place:
        refuse_if_refused(place, environment)
        use_token(place, environment)
    assert "RAY_AUTH_MODE" not in environment

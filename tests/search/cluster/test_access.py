from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from search.cluster import access
from search.cluster.access import Answer, admit, located, own_token

TOKEN = "0123456789abcdef"


@pytest.fixture
def head(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A port that accepts connections, and a `ray status` that admits only the right token."""

    def ask(address: str, environment: Mapping[str, str]) -> Answer:
        is_ours = environment["RAY_AUTH_MODE"] == "token" and own_token(environment)[0] == TOKEN
        return "admitted" if is_ours else "refused"

    monkeypatch.setattr(access, "ask", ask)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"


def held(folder: Path, token: str) -> dict[str, str]:
    (folder / "token").write_text(token)
    return {"RAY_AUTH_TOKEN_PATH": str(folder / "token")}


def test_a_head_admits_a_client_with_its_token(head: str, tmp_path: Path) -> None:
    admit(head, held(tmp_path, TOKEN + "\n"))
    admit(head, {"RAY_AUTH_TOKEN": TOKEN})


def test_a_missing_token_is_reported_with_the_file_where_it_belongs(
    head: str, tmp_path: Path
) -> None:
    with pytest.raises(ConnectionError, match=f"asks for a token, {tmp_path}.* is missing"):
        admit(head, {"RAY_AUTH_TOKEN_PATH": str(tmp_path / "none")})


def test_a_token_of_another_cluster_is_named_and_not_shown(head: str, tmp_path: Path) -> None:
    with pytest.raises(ConnectionError, match="another cluster's") as refused:
        admit(head, held(tmp_path, "other-secret"))
    assert "other-secret" not in str(refused.value)


def test_a_token_that_is_switched_off_is_reported(head: str, tmp_path: Path) -> None:
    with pytest.raises(ConnectionError, match="RAY_AUTH_MODE=disabled; fix: unset it"):
        admit(head, held(tmp_path, TOKEN) | {"RAY_AUTH_MODE": "disabled"})


@pytest.mark.parametrize("address", ["ray://head:10001/x", "head"])
def test_what_is_not_an_address_is_reported(address: str) -> None:
    with pytest.raises(ConnectionError, match="host:port"):
        admit(address, {})


def test_auto_is_the_address_that_ray_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "CURRENT_CLUSTER", tmp_path / "current")
    with pytest.raises(ConnectionError, match="no cluster runs on this machine"):
        located("auto", {})
    (tmp_path / "current").write_text("10.0.0.11:6379\n")
    assert located("auto", {}) == "10.0.0.11:6379"
    assert located("auto", {"RAY_ADDRESS": "h:1"}) == "h:1"
    for unset in ("auto", ""):
        assert located("auto", {"RAY_ADDRESS": unset}) == "10.0.0.11:6379"
    assert located("h:2", {"RAY_ADDRESS": "h:1"}) == "h:2"


@pytest.mark.parametrize("mode", [{}, {"RAY_AUTH_MODE": "token"}], ids=["unset", "set"])
def test_ray_uses_the_token_where_there_is_one_and_the_mode_allows_it(
    mode: dict[str, str], head: str, tmp_path: Path
) -> None:
    own = held(tmp_path, TOKEN) | mode
    admit(head, own)
    assert own["RAY_AUTH_MODE"] == "token"


def test_at_a_cluster_without_tokens_the_token_is_not_used(
    head: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "ask", lambda address, environment: "admitted")
    environment = held(tmp_path, TOKEN)
    admit(head, environment)
    assert "RAY_AUTH_MODE" not in environment


@pytest.mark.slow
def test_a_port_where_no_ray_answers_is_reported_within_bounded_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(access, "ANSWER_SECONDS", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ConnectionError, match="no head of Ray answers within 1 s"):
            admit(place, {})

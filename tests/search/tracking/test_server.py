"""A server is asked as MLflow's client asks, and what is wrong is said in one clear sentence."""

from __future__ import annotations

import base64
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow.tracking._tracking_service import utils as registered

from search.tracking import server, store
from search.tracking.server import ServerAnswer, anonymous_answer, check_that_it_answers
from search.tracking.store import all_experiments, open_client
from tests.support.foreign_stores import empty_store
from tests.support.proxies import EXPERIMENTS, answering, certificate_for, forwarding
from tests.support.servers import free_port

INSIDE = "mlflow.inside.test"  # a name that no resolver knows


@pytest.fixture(autouse=True)
def no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))  # no ~/.mlflow/credentials, no ~/.netrc


def problem(uri: str) -> str:
    """Why the store is refused; it may not take longer than a person waits for."""
    began = time.monotonic()
    with pytest.raises(ConnectionError) as refused:
        open_client(uri)
    assert time.monotonic() - began < 8
    text = str(refused.value)
    assert text.startswith("tracking server ") and "; fix: " in text and "\n" not in text
    return text


def test_a_server_that_only_the_proxy_reaches_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering() as port, forwarding({INSIDE: port}) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.uri)
        client = open_client(f"http://{INSIDE}/")
        assert [each.name for each in all_experiments(client)] == ["Default"]
        assert anonymous_answer(f"http://{INSIDE}") == ServerAnswer(200, False)
        assert len(proxy.asked) == 3


def test_a_server_with_tls_behind_a_proxy_is_read_with_its_certificate_or_without_any_check(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    certificate, uri = certificate_for(INSIDE, tmp_path), f"https://{INSIDE}"
    with answering(certificate=certificate) as port, forwarding({INSIDE: port}) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.uri)
        said = problem(uri)
        assert "certificate that is not trusted here (" in said
        assert "MLFLOW_TRACKING_SERVER_CERT_PATH" in said
        with monkeypatch.context() as trusting:
            trusting.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(certificate))
            check_that_it_answers(uri)
            assert anonymous_answer(uri).status == 200
            trusting.setenv("MLFLOW_TRACKING_INSECURE_TLS", "true")
            assert "cannot be asked" in problem(uri) and "MLFLOW_TRACKING_*" in problem(uri)
        monkeypatch.setenv("MLFLOW_TRACKING_INSECURE_TLS", "true")
        check_that_it_answers(uri)
        assert anonymous_answer(uri).status == 200
        assert set(proxy.asked) == {f"{INSIDE}:443"}


def test_no_proxy_goes_past_a_dead_proxy_and_without_it_the_proxy_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dead = f"127.0.0.1:{free_port()}"
    with answering() as port:
        monkeypatch.setenv("HTTP_PROXY", f"http://me:secret@{dead}")
        said = problem(f"http://127.0.0.1:{port}")
        assert f"does not answer through the proxy http://me:***@{dead} (Connection refused" in said
        assert "NO_PROXY" in said
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        check_that_it_answers(f"http://127.0.0.1:{port}")


def test_a_proxy_that_does_not_reach_the_server_or_wants_a_password_is_told_from_the_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    named = "Basic " + base64.b64encode(b"me:secret").decode()
    with answering() as port, forwarding({INSIDE: port}, credentials=named) as proxy:
        for variable in ("HTTP_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(variable, proxy.uri)
        said = problem(f"http://{INSIDE}")
        assert "the proxy asks for credentials (407)" in said and proxy.uri in said
        assert "407" in problem(f"https://{INSIDE}")
        with_password = proxy.uri.replace("//", "//me:secret@")
        for variable in ("HTTP_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(variable, with_password)
        check_that_it_answers(f"http://{INSIDE}")
        for uri in ("http://elsewhere.test", "https://elsewhere.test"):
            said = problem(uri)
            assert "does not answer" in said and "503" in said and "secret" not in said
            assert "through the proxy" in said


def test_a_name_that_no_resolver_knows_and_a_port_where_nothing_listens_are_told_apart() -> None:
    assert "Connection refused" in problem(f"http://127.0.0.1:{free_port()}")
    assert "does not answer (" in problem(f"http://{INSIDE}")


def test_a_server_under_a_path_is_read_and_a_wrong_path_is_named() -> None:
    with answering(prefix="/team/mlflow") as port:
        check_that_it_answers(f"http://127.0.0.1:{port}/team/mlflow/")
        said = problem(f"http://127.0.0.1:{port}/team")
        assert "is not an MLflow server (it answers with status 404)" in said and "path" in said


@pytest.mark.parametrize(
    "answer",
    [(200, "<html>please log in</html>"), (200, '["another"]'), (200, '{"status": "ok"}'),
     (500, "oops"), (404, "no"), (200, "")],
)  # fmt: skip
def test_what_is_not_mlflow_is_said_to_be_none(answer: tuple[int, str]) -> None:
    with answering(lambda headers: answer) as port:
        assert f"is not an MLflow server (it answers with status {answer[0]})" in problem(
            f"http://127.0.0.1:{port}"
        )


def test_an_error_of_mlflow_itself_is_one() -> None:
    with answering(lambda headers: (500, '{"error_code": "INTERNAL_ERROR"}')) as port:
        assert "answers with an error (500)" in problem(f"http://127.0.0.1:{port}")


def only(*known: str) -> Callable[[Any], tuple[int, str]]:
    """Lets in who sends one of these headers of authorization."""

    def answer(headers: Any) -> tuple[int, str]:
        sent = headers.get("Authorization", "")
        return (200, EXPERIMENTS) if sent in known else (401, "You are not authenticated")

    return answer


def test_a_token_and_a_password_let_us_in_and_wrong_ones_are_told_from_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    named = "Basic " + base64.b64encode(b"me:secret").decode()
    with answering(only("Bearer token", named)) as port:
        uri = f"http://127.0.0.1:{port}"
        said = problem(uri)
        assert "asks for credentials (401)" in said and "MLFLOW_TRACKING_TOKEN" in said
        with monkeypatch.context() as known:
            known.setenv("MLFLOW_TRACKING_TOKEN", "token")
            check_that_it_answers(uri)
            assert anonymous_answer(uri) == ServerAnswer(401, False)
            known.setenv("MLFLOW_TRACKING_TOKEN", "old")
            assert "refuses our credentials (401)" in problem(uri)
        with monkeypatch.context() as known:
            known.setenv("MLFLOW_TRACKING_USERNAME", "me")
            known.setenv("MLFLOW_TRACKING_PASSWORD", "secret")
            check_that_it_answers(uri)
        with_password = uri.replace("//", "//me:secret@")
        check_that_it_answers(with_password)
        assert anonymous_answer(with_password) == ServerAnswer(401, False)
        wrong = problem(uri.replace("//", "//me:wrong@"))
        assert "refuses our credentials" in wrong and "wrong" not in wrong
        (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
        (tmp_path / ".netrc").chmod(0o600)
        check_that_it_answers(uri)
        assert anonymous_answer(uri) == ServerAnswer(401, False), "~/.netrc is not anonymous"


def test_a_permission_that_lacks_and_a_refused_name_are_told_apart() -> None:
    with answering(lambda headers: (403, "Permission denied")) as port:
        assert "does not let us read it (403)" in problem(f"http://127.0.0.1:{port}")
    refusal = (403, "Invalid Host header - possible DNS rebinding attack detected")
    with answering(lambda headers: refusal) as port:
        assert f"--allowed-hosts 127.0.0.1:{port}" in problem(f"http://127.0.0.1:{port}")


def test_a_server_that_takes_the_question_and_does_not_answer_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "ANSWER_SECONDS", 0.3)
    held = threading.Event()

    def hanging(headers: Any) -> tuple[int, str]:
        held.wait(10)
        return 200, EXPERIMENTS

    with answering(hanging) as port:
        assert "does not answer within" in problem(f"http://127.0.0.1:{port}")
        with pytest.raises(OSError):
            anonymous_answer(f"http://127.0.0.1:{port}")
        held.set()


def test_what_is_no_web_server_is_none() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def hang_up() -> None:
            listening.accept()[0].close()

        threading.Thread(target=hang_up, daemon=True).start()
        assert "does not answer (" in problem(f"http://127.0.0.1:{listening.getsockname()[1]}")


def test_patience_that_the_user_set_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow.environment_variables import MLFLOW_HTTP_REQUEST_TIMEOUT

    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "77")
    with answering() as port:
        open_client(f"http://127.0.0.1:{port}")
    assert MLFLOW_HTTP_REQUEST_TIMEOUT.get() == 77


def test_a_scheme_of_a_plugin_goes_through_its_client_and_is_read_by_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from search.tracking.read import history

    inner = empty_store(tmp_path)
    monkeypatch.setattr(history, "folder_for", lambda uri: tmp_path / "cache")
    monkeypatch.setattr(
        registered._tracking_store_registry, "_registry",
        registered._tracking_store_registry._registry
        | {"vendor": lambda store_uri, **more: registered._get_sqlalchemy_store(inner, "")},
    )  # fmt: skip
    client = open_client("vendor://workspace")
    run = client.create_run(client.create_experiment("mine")).info.run_id
    client.log_param(run, "lr", "0.1")
    client.log_metric(run, "loss", 0.5, step=1)
    client.set_terminated(run)
    assert len(history.load_history("vendor://workspace").trials) == 1


def test_databricks_is_no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_answering", lambda uri, creates: f"asked {uri}")
    assert open_client("databricks") == "asked databricks"

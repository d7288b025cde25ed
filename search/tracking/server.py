"""Ask a tracking server one question, the way MLflow's client asks, and say what is wrong with it.

A raw socket or another HTTP library knows nothing of proxies, certificates, tokens and prefixes of
paths, which MLflow's client takes from the environment
(https://mlflow.org/docs/latest/self-hosting/security/basic-http-auth/). Not for reading a store.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from urllib.request import getproxies, proxy_bypass

# The smallest question that only an MLflow server answers.
QUESTION = "/api/2.0/mlflow/experiments/search"
CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 10.0  # as MLflow's client waits here for each of its requests (store.py)
# A server's page of an error goes on for kilobytes.
LONGEST_REASON = 160
# MLflow's answer to a Host header that `--allowed-hosts` does not name.
_HOST_REFUSED = "Invalid Host header"
_ELSEWHERE = "or name another store with --tracking-uri"
_CREDENTIALS = (
    "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, MLFLOW_TRACKING_TOKEN, or "
    "~/.mlflow/credentials (mode 600)"
)
# What a proxy or a gateway says in place of a server that it does not reach.
_GATEWAY = (502, 503, 504)


@dataclass(frozen=True)
class ServerAnswer:
    """A server's answer: its status, whether it refuses our Host header, whether it is MLflow's."""

    status: int
    is_host_refused: bool
    is_mlflow: bool = True


def check_that_it_answers(tracking_uri: str) -> None:
    """Checks that an MLflow server lets MLflow's client read it, within `ANSWER_SECONDS`.

    Raises:
        ConnectionError: nothing answers, what answers is no MLflow server, or it refuses us; the
            message says which, and what to do.
    """
    from mlflow.exceptions import MlflowException
    from mlflow.utils.credentials import get_default_host_creds

    shown, proxy = without_password(tracking_uri), _proxy_of(tracking_uri)
    try:
        credentials = get_default_host_creds(tracking_uri)
        answer = _asked(credentials)
    except MlflowException as error:  # variables that contradict each other
        fix = "correct the variables MLFLOW_TRACKING_*"
        raise ConnectionError(
            f"tracking server {shown} cannot be asked: {error.message}; fix: {fix}"
        ) from error
    except OSError as error:
        problem, fix = _unreached(tracking_uri, error, proxy)
        raise ConnectionError(f"tracking server {shown} {problem}; fix: {fix}") from error
    is_known = bool(
        credentials.username or credentials.token or urlsplit(tracking_uri).username
        or credentials.auth or credentials.aws_sigv4
    )  # fmt: skip
    problem, fix = _refused(tracking_uri, answer, is_known=is_known)
    if problem:
        asked = f" (asked through the proxy {proxy})" if proxy else ""
        raise ConnectionError(f"tracking server {shown} {problem}{asked}; fix: {fix}")


def anonymous_answer(tracking_uri: str) -> ServerAnswer:
    """Asks a server without credentials, by the same way through proxies and certificates.

    Raises:
        OSError: the server does not answer.
    """
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import MlflowHostCreds

    parts, ours = urlsplit(tracking_uri), get_default_host_creds(tracking_uri)
    bare = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    nobody = MlflowHostCreds(
        bare, ignore_tls_verification=ours.ignore_tls_verification,
        server_cert_path=ours.server_cert_path,
    )  # fmt: skip
    # An `auth` that adds nothing: without any, `requests` takes the password of ~/.netrc.
    return _asked(nobody, auth=lambda request: request)


def without_password(uri: str) -> str:
    """Returns a store's address with its password masked."""
    password = urlsplit(uri).password
    return uri.replace(f":{password}@", ":***@") if password else uri


def first_line(error: BaseException) -> str:
    """Returns the first line of what an error says; its name if it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def reason_in_words(error: BaseException) -> str:
    """Returns why a store did not answer, in a few words: what the error began with."""
    first = _first_cause(error)
    return str(getattr(first, "strerror", None) or first_line(first))[:LONGEST_REASON]


def allowed_hosts(tracking_uri: str) -> str:
    """Returns what to do about a server that refuses the name it is called by."""
    host = urlsplit(tracking_uri).netloc.rpartition("@")[2]
    return f"start the server with --allowed-hosts {host}"


def _asked(credentials: Any, **more: Any) -> ServerAnswer:
    """Asks once.

    Raises:
        OSError: nothing answers; it is the error of the connection, without MLflow's around it.
    """
    from mlflow.exceptions import MlflowException
    from mlflow.utils.rest_utils import http_request

    try:
        answer = http_request(
            credentials, QUESTION, "POST", json={"max_results": 1}, max_retries=0,
            timeout=(CONNECT_SECONDS, ANSWER_SECONDS), raise_on_status=False, **more,
        )  # fmt: skip
    except MlflowException as error:
        reason = error.__cause__ or error.__context__ or error
    else:
        return _read(answer)
    raise reason if isinstance(reason, OSError) else ConnectionError(str(reason))


def _read(answer: Any) -> ServerAnswer:
    is_host_refused = answer.status_code in (400, 403) and _HOST_REFUSED in answer.text
    return ServerAnswer(answer.status_code, is_host_refused, _is_of_mlflow(answer))


def _is_of_mlflow(answer: Any) -> bool:
    """Whether an answer has the form of MLflow's: a page of experiments, or an error with a code.

    MLflow's check of passwords answers in HTML, so a 401 says nothing about who asks for one.
    """
    if answer.status_code in (401, 403):
        return True
    try:
        said = answer.json()
    except ValueError:
        return False
    known = {"experiments", "next_page_token"} if answer.ok else {"error_code"}
    return isinstance(said, dict) and (bool(known & said.keys()) or (answer.ok and not said))


def _refused(uri: str, answer: ServerAnswer, *, is_known: bool) -> tuple[str, str]:
    """Returns what is wrong with an answer, and its fix; both are empty if nothing is."""
    status, host = answer.status, urlsplit(uri).hostname
    if answer.is_host_refused:
        return f"refuses the name {host} ({status})", allowed_hosts(uri)
    if status == 401 and not is_known:
        return "asks for credentials (401)", f"set {_CREDENTIALS}"
    if status == 401:
        return "refuses our credentials (401)", f"correct {_CREDENTIALS}"
    if status == 403:
        return "does not let us read it (403)", f"ask for permission, or change {_CREDENTIALS}"
    if status == 407:
        problem = "is not reached: the proxy asks for credentials (407)"
        return problem, "give them in HTTP_PROXY or HTTPS_PROXY: http://USER:PASSWORD@HOST:PORT"
    if status in _GATEWAY and not answer.is_mlflow:
        problem = f"does not answer: what stands before it says {status}"
        return problem, f"start it, {_ELSEWHERE}"
    if not answer.is_mlflow:
        problem = f"is not an MLflow server (it answers with status {status})"
        return problem, f"check host, port and path, {_ELSEWHERE}"
    if status != 200:
        return f"answers with an error ({status})", "read the server's log"
    return "", ""


def _unreached(uri: str, error: OSError, proxy: str) -> tuple[str, str]:
    """Returns why nothing answered, and what to do."""
    host, first, why = urlsplit(uri).hostname, _first_cause(error), reason_in_words(error)
    if isinstance(first, TimeoutError):
        within = f"does not answer within {ANSWER_SECONDS:.0f} s"
        through = f" through the proxy {proxy}" if proxy else ""
        return f"{within}{through}", f"look whether it is up and reachable, {_ELSEWHERE}"
    if "CERTIFICATE_VERIFY_FAILED" in why:
        return (
            f"has a certificate that is not trusted here ({why})",
            "give the certificate of its authority: MLFLOW_TRACKING_SERVER_CERT_PATH=ca.pem (to "
            "trust anybody, which lets others read along: MLFLOW_TRACKING_INSECURE_TLS=true)",
        )
    if proxy:
        return (
            f"does not answer through the proxy {proxy} ({why})",
            f"check that proxy, or add {host} to NO_PROXY to go without it, {_ELSEWHERE}",
        )
    return f"does not answer ({why})", f"start it, {_ELSEWHERE}"


def _proxy_of(uri: str) -> str:
    """Returns the proxy by which the environment has this address reached; empty for none."""
    parts, proxies = urlsplit(uri), getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all") or ""
    return without_password(proxy) if proxy and not proxy_bypass(parts.netloc) else ""


def _first_cause(error: BaseException) -> BaseException:
    """Returns what an error began with; those around it repeat the address in many words."""
    inner: Any = error
    while inner is not None:
        error = inner
        inner = error.__cause__ or error.__context__
    last = error.args[-1] if error.args else None
    return last if isinstance(last, BaseException) else error

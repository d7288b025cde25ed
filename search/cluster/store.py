"""Whether the tracking store opens, keeps what is logged, and is closed to strangers."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from urllib.parse import urlsplit

from search.cluster.check import Check, failed, passed, warned
from search.cluster.preflight import is_loopback
from search.spec import Spec
from search.tracking import health
from search.tracking.store import database_path, open_client

STORE, ACCESS, STALE, PARAMS = "tracking store", "access to store", "stale runs", "params"


def check_tracking_store(tracking_uri: str, *, is_cluster: bool) -> Iterator[Check]:
    """Whether it opens, and what in it is stale. A file that is not there yet is no fault."""
    shown, path = without_password(tracking_uri), database_path(tracking_uri)
    if path is not None and not path.exists():
        yield passed(STORE, f"{shown} will be created by the first search")
        return
    try:
        client = open_client(tracking_uri)
    except (ConnectionError, ValueError) as error:
        said = str(error).replace(tracking_uri, shown)
        yield failed(STORE, said, _fix(said, tracking_uri))
        return
    if path is not None and is_cluster:
        fix = "use a server or PostgreSQL, which a search on a new cluster reaches too"
        yield warned(STORE, f"{shown} opens; it is lost with this machine", fix)
    else:
        yield passed(STORE, f"{shown} opens")
    if stale := health.zombies(client):
        search, count = next(iter(stale.items()))
        found = f"{sum(stale.values())} runs say RUNNING, nobody runs them: {search} ({count})"
        found += f" and {len(stale) - 1} more searches" if len(stale) > 1 else ""
        yield warned(STALE, found, f"twentieth resume {search} goes on with it and settles them")
    else:
        yield passed(STALE, "no run says RUNNING without a search that lives")


def check_access(tracking_uri: str) -> Iterator[Check]:
    """Whether a stranger gets in: a server must ask for credentials unless it is on loopback."""
    parts, path = urlsplit(tracking_uri), database_path(tracking_uri)
    if parts.scheme in ("http", "https"):
        try:
            answer = health.anonymous_answer(tracking_uri)
        except OSError:
            return  # it does not answer, as `check_tracking_store` has said
        yield judge_server(tracking_uri, answer)
    elif parts.scheme.startswith("postgresql"):
        yield _judge_database(tracking_uri)
    elif path is not None and path.exists():
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & stat.S_IWOTH:
            found = f"{path} has mode {mode:03o}: every user of this machine may change it"
            yield failed(ACCESS, found, f"chmod o-w {path}")
        else:
            yield passed(ACCESS, f"{path} has mode {mode:03o}")


def judge_server(tracking_uri: str, answer: health.ServerAnswer) -> Check:
    """What a server's answer to a stranger says of it."""
    host = urlsplit(tracking_uri).hostname or ""
    shown = without_password(tracking_uri)
    if answer.is_host_refused:
        return failed(ACCESS, f"{shown} refuses the name {host}", _allowed_hosts(tracking_uri))
    if answer.status == 401:
        return passed(ACCESS, f"{shown} asks for credentials")
    if is_loopback(host) and answer.status == 200:
        return passed(ACCESS, f"{shown} is open, on this machine alone")
    if answer.status == 200:
        fix = "start it with --app-name basic-auth and TLS in front, or bind it to 127.0.0.1"
        return failed(ACCESS, f"{shown} IS OPEN: a request without credentials reads it", fix)
    found = f"{shown} answers a request without credentials with {answer.status}, not 401"
    return failed(ACCESS, found, "look at the server's log; is this an MLflow server?")


def check_params(spec: Spec) -> Iterator[Check]:
    """Whether MLflow would cut a value that the spec lets trials choose."""
    choices = {name: part.choices for name, part in spec.space.items() if part.choices}
    long = health.params_too_long(choices)
    if long:
        found = ", ".join(f"{name} (choices of {count} characters)" for name, count in long.items())
        fix = f"give choices of at most {health.PARAM_CHARACTERS} characters, or names for them"
        yield failed(PARAMS, f"MLflow would cut {found}", fix)
    else:
        yield passed(PARAMS, f"every choice is shorter than {health.PARAM_CHARACTERS} characters")


def without_password(uri: str) -> str:
    """A store's address, fit to be shown."""
    parts = urlsplit(uri)
    return uri.replace(f":{parts.password}@", ":***@") if parts.password else uri


def _judge_database(tracking_uri: str) -> Check:
    host = urlsplit(tracking_uri).hostname or "localhost"
    if not health.lets_in_without_password(tracking_uri):
        return passed(ACCESS, f"PostgreSQL on {host} asks for a password")
    found = f"PostgreSQL on {host} lets its user in without a password"
    fix = "replace trust by scram-sha-256 in pg_hba.conf"
    return warned(ACCESS, found, fix) if is_loopback(host) else failed(ACCESS, found, fix)


def _fix(said: str, tracking_uri: str) -> str:
    if "Host" in said and "403" in said:
        return _allowed_hosts(tracking_uri)
    if "401" in said:
        return (
            "write ~/.mlflow/credentials (mode 600), or set MLFLOW_TRACKING_USERNAME and _PASSWORD"
        )
    return "start it, or name another store with --tracking-uri"


def _allowed_hosts(tracking_uri: str) -> str:
    return (
        f"start the server with --allowed-hosts {urlsplit(tracking_uri).netloc.rpartition('@')[2]}"
    )

"""Check that the tracking store opens, keeps params whole, and refuses unauthenticated clients."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from urllib.parse import urlsplit

from search.cluster.check import Check, failed, failed_if, listed, passed, warned
from search.cluster.preflight import is_loopback
from search.history.plurals import counted
from search.spec import Spec
from search.tracking import health, server
from search.tracking.schema import is_database, unknown_revision
from search.tracking.server import allowed_hosts, without_password
from search.tracking.store import NoStore, open_client
from search.tracking.uris import database_path

STORE, ACCESS, STALE, PARAMS = "tracking store", "access to store", "stale runs", "params"


def check_tracking_store(tracking_uri: str, *, is_cluster: bool) -> Iterator[Check]:
    """Check that it opens and has no stale runs. One that does not exist yet passes."""
    shown, path = without_password(tracking_uri), database_path(tracking_uri)
    try:
        client = open_client(tracking_uri)
    except NoStore:
        yield passed(STORE, f"{shown} will be created by the first search")
        return
    except (ConnectionError, ValueError) as error:
        found, _, fix = str(error).rpartition("; fix: ")
        yield failed(STORE, found, fix)
        return
    unknown = unknown_revision(tracking_uri) if is_database(tracking_uri) else ""
    if unknown:
        found = f"{shown} opens; its tables (schema {unknown}) are of an MLflow that is not known"
        yield warned(STORE, f"{found} here, so it is read slowly", "install a newer Twentieth")
    elif path is not None and is_cluster:
        fix = "use a server or PostgreSQL, which a search on a new cluster reaches too"
        yield warned(STORE, f"{shown} opens; it is lost with this machine", fix)
    else:
        yield passed(STORE, f"{shown} opens")
    if stale := health.runs_without_owner(client):
        runs = counted(sum(stale.values()), "run")
        searches = listed(f"{search} ({count})" for search, count in stale.items())
        fix = f"twentieth resume {next(iter(stale))} continues that search and settles its runs"
        yield warned(STALE, f"{runs} with status RUNNING and no living driver: {searches}", fix)
    else:
        yield passed(STALE, "every run with status RUNNING has a living driver")


def check_access(tracking_uri: str) -> Iterator[Check]:
    """Check what an unauthenticated client may do: a server beyond loopback must refuse it."""
    parts, path = urlsplit(tracking_uri), database_path(tracking_uri)
    if parts.scheme in ("http", "https"):
        try:
            answer = server.anonymous_answer(tracking_uri)
        except OSError:
            return  # `check_tracking_store` has reported that it does not answer
        yield server_check(tracking_uri, answer)
    elif parts.scheme.startswith("postgresql"):
        yield _database_check(tracking_uri)
    elif path is not None and path.exists():
        mode = stat.S_IMODE(path.stat().st_mode)
        found = f"{path} has mode {mode:03o}"
        problem = (
            f"{found}: every user of this machine may change it" if mode & stat.S_IWOTH else ""
        )
        yield failed_if(ACCESS, problem, f"chmod o-w {path}", found)


def server_check(tracking_uri: str, answer: server.ServerAnswer) -> Check:
    """Return the check of a server, from its answer to an unauthenticated client."""
    host = urlsplit(tracking_uri).hostname or ""
    shown = without_password(tracking_uri)
    if answer.is_host_refused:
        return failed(ACCESS, f"{shown} refuses the name {host}", allowed_hosts(tracking_uri))
    if answer.status == 401:
        return passed(ACCESS, f"{shown} asks for credentials")
    if answer.status != 200:
        found = f"{shown} answers a request without credentials with {answer.status}, not 401"
        return failed(ACCESS, found, "read the server's log; is this an MLflow server?")
    if is_loopback(host):
        return passed(ACCESS, f"{shown} is open on this machine only")
    fix = "start it with --app-name basic-auth and TLS in front, or bind it to 127.0.0.1"
    return failed(ACCESS, f"{shown} IS OPEN: a request without credentials reads it", fix)


def check_params(spec: Spec) -> Check:
    """Check that MLflow would keep every choice of the spec's hyperparameters whole."""
    choices = {name: part.choices for name, part in spec.space.items() if part.choices}
    long = health.params_too_long(choices).items()
    cut = ", ".join(f"{name} (choices of {count} characters)" for name, count in long)
    most = f"{health.PARAM_CHARACTERS} characters"
    return failed_if(
        PARAMS,
        f"MLflow would cut {cut}" if cut else "",
        f"give choices of at most {most}, or names for them",
        f"no choice is longer than {most}",
    )


def _database_check(tracking_uri: str) -> Check:
    host = urlsplit(tracking_uri).hostname or "localhost"
    if not health.lets_in_without_password(tracking_uri):
        return passed(ACCESS, f"PostgreSQL on {host} asks for a password")
    found = f"PostgreSQL on {host} admits its user without a password"
    report = warned if is_loopback(host) else failed
    return report(ACCESS, found, "replace trust by scram-sha-256 in pg_hba.conf")

"""Open a store with short timeouts, and list its experiments and runs.

MLflow's client makes its tables in any database that it opens, also for who mistyped a path and
only wants to read; so only `create_store` lets it. Two first-ever searches race in MLflow's own
database migration and both fail, so an embedded store is created under a file lock. Not for writing
runs.
"""

from __future__ import annotations

import logging
import os
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlparse

from filelock import FileLock

from search.tracking import tag_names
from search.tracking.schema import is_database, refuse_other_schema, revision_of
from search.tracking.server import check_that_it_answers, first_line, without_password
from search.tracking.uris import artifact_location, check_uri, client_uri, database_path

if TYPE_CHECKING:
    from mlflow import MlflowClient

Result = TypeVar("Result")

# With MLflow's defaults (120 s, 7 retries) one call to a dead port blocked for 246 s.
HTTP_TIMEOUT_SECONDS = 10
HTTP_RETRIES = 1
# A migration takes 5 to 20 s on a busy machine; a lock held longer than this is stuck.
CREATION_LOCK_SECONDS = 180
LONGEST_PAUSE_SECONDS = 15.0  # between two tries at a dead server
# Errors that another try does not fix. Not among them: 401, for a token is renewed, and a 404 of no
# resource, which a proxy answers while its server starts.
FINAL_ERRORS = (
    "INVALID_PARAMETER_VALUE",
    "BAD_REQUEST",
    "RESOURCE_DOES_NOT_EXIST",
    "RESOURCE_ALREADY_EXISTS",
    "INVALID_STATE",
    "PERMISSION_DENIED",
)
# Tracking URIs of MLflow that are no paths although they have no scheme.
WITHOUT_SCHEME = ("databricks", "databricks-uc", "uc")
# MLflow's stages of a run or an experiment: what was deleted stays in the store until `mlflow gc`.
ACTIVE, DELETED = "active", "deleted"
# The largest page that a server returns.
PAGE = 1_000
# SQLite takes 32,766 values in a query, PostgreSQL 65,535.
EXPERIMENTS_A_REQUEST = 10_000


class NoStore(LookupError):
    """Nothing was ever stored at a tracking URI: no such file, or a database without tables."""

    def __init__(self, tracking_uri: str, why: str) -> None:
        self.found = f"there is no tracking store at {without_password(tracking_uri)} ({why})"
        super().__init__(
            f"{self.found}; fix: correct this URI; if it is right, run a search, which creates it"
        )


def open_client(tracking_uri: str) -> MlflowClient:
    """Returns a client of the store at `tracking_uri`, and creates none.

    Raises:
        NoStore: there is no store yet; the message names its file and says what to do.
        ConnectionError: the store does not answer; the message names it and says what to do.
        ValueError: the URI is a folder, where MLflow no longer keeps runs, means another file than
            it seems to, or another version of MLflow made the tables of the database.
    """
    return _opened(tracking_uri, creates=False)


def create_store(tracking_uri: str) -> MlflowClient:
    """Returns a client of the store at `tracking_uri`, which is created if missing.

    Raises:
        ConnectionError, ValueError: as `open_client`.
    """
    return _opened(tracking_uri, creates=True)


def _opened(tracking_uri: str, *, creates: bool) -> MlflowClient:
    _quieten()
    from mlflow import MlflowClient
    from mlflow.environment_variables import (
        MLFLOW_HTTP_REQUEST_MAX_RETRIES,
        MLFLOW_HTTP_REQUEST_TIMEOUT,
    )

    for variable, value in (
        (MLFLOW_HTTP_REQUEST_TIMEOUT, HTTP_TIMEOUT_SECONDS),
        (MLFLOW_HTTP_REQUEST_MAX_RETRIES, HTTP_RETRIES),
    ):
        if not variable.is_set():  # who has a slow proxy may have set them
            variable.set(value)
    scheme = urlparse(tracking_uri).scheme
    if scheme in ("http", "https"):
        check_that_it_answers(tracking_uri)
        return MlflowClient(tracking_uri)
    if scheme in ("", "file") and tracking_uri not in WITHOUT_SCHEME:
        raise ValueError(
            f"tracking store {tracking_uri!r} is a path, and MLflow keeps runs in a database since "
            "3.13; fix: use sqlite:////path/to/mlflow.db, postgresql://... or http://host:port; "
            "runs that lie in files: mlflow migrate-filestore --source FOLDER --target sqlite:///..."
        )
    check_uri(tracking_uri)
    database = database_path(tracking_uri)
    if database is None:
        return _answering(tracking_uri, creates=creates)
    if creates:
        _make_folder(database)
    elif not os.path.exists(database):
        raise NoStore(tracking_uri, f"no file {database}")
    try:
        lock = FileLock(f"{database}.lock", timeout=CREATION_LOCK_SECONDS).acquire()
    except OSError as error:  # its own Timeout is one
        raise _unopened(database, error) from error
    with lock:
        _check_that_it_opens(database)
        return _answering(tracking_uri, creates=creates)


def while_away(
    action: Callable[[], Result], seconds: float, sleep: Callable[[float], None] = time.sleep
) -> Result:
    """Runs an action on the store, and again for about `seconds` while the store is away.

    Raises:
        ConnectionError: the store was away all the time.
    """
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    pause, waited = 1.0, 0.0
    while True:
        try:
            return action()
        except (ConnectionError, MlflowException, SQLAlchemyError) as error:
            if is_refusal(error):
                raise
            if waited >= seconds:
                why = first_line(error)
                raise ConnectionError(f"the store was away for {waited:.0f} s: {why}") from error
        sleep(pause)
        waited, pause = waited + pause, min(2 * pause, LONGEST_PAUSE_SECONDS)


def is_refusal(error: Exception) -> bool:
    """Returns whether an error is a store's refusal, rather than a sign that it is in trouble."""
    return getattr(error, "error_code", "") in FINAL_ERRORS


def is_missing(error: Exception) -> bool:
    """Returns whether an error says that the store does not have what was asked for."""
    return getattr(error, "error_code", "") == "RESOURCE_DOES_NOT_EXIST"


def trouble_in_words(error: Exception) -> str:
    """Returns what an error of a store says and what to do; "" if it is none of a store."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    if not isinstance(error, MlflowException | SQLAlchemyError):
        return ""
    what = first_line(error)
    if is_refusal(error):
        fix = "ask for permission to write to it, or name another one with --tracking-uri"
        return f"the tracking store refuses this: {what}; fix: {fix}"
    return f"the tracking store reports an error: {what}; fix: correct that, then try again"


def ensure_experiment(
    client: MlflowClient,
    name: str,
    tracking_uri: str,
    say: Callable[[str], None] = lambda text: None,
) -> str:
    """Returns the id of the experiment `name`, created if missing; safe against a race.

    What was deleted stays so: restoring an experiment would bring back every run that it ever had.
    In place of a deleted one, "name (2)" is used, or the next that is not deleted, and `say` told.
    """
    place, deleted = name, None
    for number in count(2):
        found = client.get_experiment_by_name(place) or _created(client, place, tracking_uri)
        if found.lifecycle_stage != DELETED:
            break
        deleted = deleted or found
        place = f"{name} ({number})"
    if deleted is not None:
        say(
            f"the experiment {name!r} was deleted in this store and stays so; this search is in "
            f"{place!r} (to restore it: mlflow experiments restore --experiment-id "
            f"{deleted.experiment_id})"
        )
    return str(found.experiment_id)


def original_name(experiment: str) -> str:
    """Returns the name of the deleted experiment that this one replaces; its own if it is none."""
    return re.sub(r" \(\d+\)$", "", experiment)


def _created(client: MlflowClient, name: str, tracking_uri: str) -> Any:
    from mlflow.exceptions import MlflowException

    database = database_path(tracking_uri)  # a server chooses the place of its artifacts
    location = artifact_location(database, name) if database is not None else None
    try:
        return client.get_experiment(client.create_experiment(name, artifact_location=location))
    except MlflowException:
        found = client.get_experiment_by_name(name)
        if found is None:
            raise
        return found


def _answering(tracking_uri: str, *, creates: bool) -> MlflowClient:
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        if is_database(tracking_uri):
            if not creates and not revision_of(tracking_uri):
                raise NoStore(tracking_uri, "a database without MLflow's tables")
            refuse_other_schema(tracking_uri)
        client = MlflowClient(client_uri(tracking_uri))
        client.search_experiments(max_results=1)  # the first call creates the tables
    except (OSError, MlflowException, SQLAlchemyError) as error:
        shown, why = without_password(tracking_uri), first_line(error)
        raise ConnectionError(
            f"tracking store {shown!r} cannot be opened: {why}; fix: check that it is an MLflow "
            "store and that its folder is writable, or name another with --tracking-uri"
        ) from error
    return client


def _make_folder(database: Path) -> None:
    try:
        database.parent.mkdir(parents=True, exist_ok=True)
        if not database.exists() and not os.access(database.parent, os.W_OK | os.X_OK):
            raise PermissionError(f"{database.parent} is not writable")
    except OSError as error:
        raise _unopened(database, error) from error


def _unopened(database: Path, error: Exception) -> ConnectionError:
    return ConnectionError(
        f"tracking store {database} cannot be opened: {error}; fix: check that it is an MLflow "
        "store, and that it and its folder are writable, or name another with --tracking-uri"
    )


def _check_that_it_opens(database: Path) -> None:
    """Opens an SQLite file; MLflow itself tries for two minutes, silently."""
    try:
        if not database.exists():
            return
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("PRAGMA schema_version")
    except (OSError, sqlite3.DatabaseError) as error:
        if "locked" in str(error):  # by another writer, which MLflow waits for
            return
        raise _unopened(database, error) from error


def _quieten() -> None:
    # MLflow prints every migration step and sends telemetry; keep the console for the search.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    import mlflow  # noqa: F401  # sets up its loggers when imported, so ours come after

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)


def trial_runs(
    client: MlflowClient, experiment: str, search: str, stage: str | None = ACTIVE
) -> list[Any]:
    """Returns the runs of a search's trials, oldest first: those of a stage, None for both."""
    runs = all_runs(client, [experiment], f"tags.`{tag_names.SEARCH}` = '{search}'", stage)
    return [run for run in runs if run.data.tags.get(tag_names.KIND) == "trial"]


def all_runs(
    client: MlflowClient, experiments: list[str], filter_string: str, stage: str | None = ACTIVE
) -> list[Any]:
    """Returns every run that matches, oldest first: those of a stage, None for both."""
    from mlflow.entities import ViewType

    found = [
        run
        for start in range(0, len(experiments), EXPERIMENTS_A_REQUEST)
        for run in paged(
            client.search_runs, experiments[start : start + EXPERIMENTS_A_REQUEST], filter_string,
            run_view_type=ViewType.ALL, order_by=["attributes.start_time ASC"],
        )
        if stage is None or (run.info.lifecycle_stage == DELETED) == (stage == DELETED)
    ]  # fmt: skip
    return sorted(found, key=lambda run: run.info.start_time or 0)


def all_experiments(client: MlflowClient) -> list[Any]:
    """Returns every active experiment, newest first."""
    from mlflow.entities import ViewType

    order_by = ["creation_time ASC"]
    every = paged(client.search_experiments, view_type=ViewType.ALL, order_by=order_by)
    return [each for each in every if each.lifecycle_stage != DELETED][::-1]


def paged(ask: Callable[..., Any], *arguments: Any, **options: Any) -> Iterator[Any]:
    """Yields all that a method of MLflow's client lists, page by page.

    A page begins at a number, not at an entry, so what leaves the list meanwhile has another one
    skipped. Lists of what is alive are therefore asked for with what is deleted, oldest first: then
    nothing leaves, and what is new comes last.
    """
    token: str | None = None
    while True:
        page = ask(*arguments, **options, max_results=PAGE, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def tags_of(client: MlflowClient, run_id: str) -> dict[str, str]:
    """Returns a run's tags.

    Raises:
        LookupError: the store has no such run.
    """
    from mlflow.exceptions import MlflowException

    try:
        return dict(client.get_run(run_id).data.tags)
    except MlflowException as error:
        if not is_missing(error):
            raise
        message = f"no run {run_id!r} in this store; fix: name a trial as SEARCH#TRIAL"
        raise LookupError(message) from error

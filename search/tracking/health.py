"""Checks of a tracking store for `doctor`: who may read it, and which runs are stale.

Writes nothing and creates no store.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from search.tracking import tag_names
from search.tracking.ownership import is_alive
from search.tracking.store import all_experiments, all_runs

if TYPE_CHECKING:
    from mlflow import MlflowClient

# MLflow's MAX_PARAM_VAL_LENGTH. Longer values are cut, or refused by some stores.
PARAM_CHARACTERS = 6_000
ANSWER_SECONDS = 10
# MLflow's answer to a Host header that `--allowed-hosts` does not name.
_HOST_REFUSED = "Invalid Host header"


@dataclass(frozen=True)
class ServerAnswer:
    """A server's answer to a request without credentials."""

    status: int
    is_host_refused: bool


def anonymous_answer(tracking_uri: str) -> ServerAnswer:
    """Requests a server's experiments without credentials.

    Raises:
        OSError: the server does not answer.
    """
    parts = urlsplit(tracking_uri)
    bare = parts.netloc.rpartition("@")[2]
    url = urlunsplit((parts.scheme, bare, parts.path.rstrip("/"), "", ""))
    request = urllib.request.Request(
        f"{url}/api/2.0/mlflow/experiments/search", data=b'{"max_results": 1}',
        headers={"Content-Type": "application/json"},
    )  # fmt: skip
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as response:
            return ServerAnswer(response.status, False)
    except urllib.error.HTTPError as error:
        with error:
            said = error.read(2_000).decode(errors="replace")
        return ServerAnswer(error.code, error.code in (400, 403) and _HOST_REFUSED in said)


def lets_in_without_password(database_uri: str) -> bool:
    """Returns whether a PostgreSQL store accepts its user from here without a password.

    Raises:
        ImportError: psycopg is not installed.
    """
    import psycopg

    parts = urlsplit(database_uri)
    try:
        # An empty password and no password file: the user's own credentials are not used.
        psycopg.connect(
            host=parts.hostname, port=parts.port or 5432, user=parts.username,
            dbname=parts.path.lstrip("/"), password="", passfile="/dev/null",
            connect_timeout=ANSWER_SECONDS,
        ).close()  # fmt: skip
    except psycopg.OperationalError:
        return False
    return True


def runs_without_owner(client: MlflowClient) -> dict[str, int]:
    """Returns search -> number of its runs that are RUNNING though no process runs it.

    Runs of other tools are not counted.
    """
    experiments = [each.experiment_id for each in all_experiments(client)]
    runs = all_runs(client, experiments, "attributes.status = 'RUNNING'")
    ours = [run.data.tags[tag_names.SEARCH] for run in runs if tag_names.SEARCH in run.data.tags]
    summaries = all_runs(client, experiments, f"tags.`{tag_names.KIND}` = 'search'") if ours else []
    alive = {
        run.data.tags[tag_names.SEARCH]
        for run in summaries
        if tag_names.SEARCH in run.data.tags and _may_live(run.data.tags)
    }
    return dict(Counter(search for search in ours if search not in alive))


def params_too_long(choices: Mapping[str, tuple[Any, ...]]) -> dict[str, int]:
    """Returns hyperparameter -> length of its longest choice, for those that MLflow would cut."""
    longest = {name: max(len(str(value)) for value in each) for name, each in choices.items()}
    return {name: length for name, length in longest.items() if length > PARAM_CHARACTERS}


def _may_live(tags: Mapping[str, str]) -> bool:
    try:
        return is_alive(tags)
    except ValueError:  # a heartbeat that is not a number was not written by us
        return False

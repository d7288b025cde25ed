"""Checks of a tracking store for `doctor`: who may read it, and which runs are stale.

Writes nothing and creates no store.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from search.tracking import tag_names
from search.tracking.ownership import is_alive
from search.tracking.server import ANSWER_SECONDS
from search.tracking.store import all_experiments, all_runs

if TYPE_CHECKING:
    from mlflow import MlflowClient

# MLflow's MAX_PARAM_VAL_LENGTH. Longer values are cut, or refused by some stores.
PARAM_CHARACTERS = 6_000


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
            connect_timeout=round(ANSWER_SECONDS),
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
        if tag_names.SEARCH in run.data.tags and is_alive(run.data.tags)
    }
    return dict(Counter(search for search in ours if search not in alive))


def params_too_long(choices: Mapping[str, tuple[Any, ...]]) -> dict[str, int]:
    """Returns hyperparameter -> length of its longest choice, for those that MLflow would cut."""
    longest = {name: max(len(str(value)) for value in each) for name, each in choices.items()}
    return {name: length for name, length in longest.items() if length > PARAM_CHARACTERS}

"""Runs as MLflow has them, listed in bulk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from search.tracking import names

if TYPE_CHECKING:
    from mlflow import MlflowClient


def runs_by_number(client: MlflowClient, experiment: str, search: str) -> dict[int, str]:
    """Trial number -> run id of a search's trials; of runs that share a key, the oldest."""
    found: dict[int, str] = {}
    for run in all_runs(client, [experiment], f"tags.`{names.SEARCH}` = '{search}'"):
        if run.data.tags.get(names.KIND) == "trial":
            found.setdefault(int(run.data.tags[names.NUMBER]), run.info.run_id)
    return found


def all_runs(client: MlflowClient, experiments: list[str], filter_string: str) -> list[Any]:
    """Every active run that matches, oldest first, read in pages of 1,000."""
    runs: list[Any] = []
    token: str | None = None
    while experiments:
        page = client.search_runs(
            experiments, filter_string, max_results=1000,
            order_by=["attributes.start_time ASC"], page_token=token,
        )  # fmt: skip
        runs.extend(page)
        token = page.token
        if not token:
            break
    return runs


def tags_of(client: MlflowClient, run_id: str) -> dict[str, str]:
    """A run's tags.

    Raises:
        LookupError: the store has no such run.
    """
    from mlflow.exceptions import MlflowException

    try:
        return dict(client.get_run(run_id).data.tags)
    except MlflowException as error:
        message = f"no run {run_id!r} in this store; name a trial as SEARCH#TRIAL"
        raise LookupError(message) from error

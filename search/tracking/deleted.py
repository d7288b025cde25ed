"""Deleted searches: whether the runs of a search were deleted, and how to restore them.

MLflow only marks what is deleted, until `mlflow gc`. Restoring is for the user: nothing here does
it, and an experiment that is restored brings back every run of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from search.history.plurals import counted
from search.tracking import tag_names
from search.tracking.store import DELETED, all_runs, is_missing, paged

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


class SearchDeleted(LookupError):
    """A search whose summary run was deleted in the store; the message says how to restore it."""


def living_tags(client: MlflowClient, summary_run: str) -> dict[str, str]:
    """Returns the tags of a search's summary run.

    Raises:
        SearchDeleted: it was deleted, alone or with its experiment.
    """
    from mlflow.exceptions import MlflowException

    try:
        run = client.get_run(summary_run)
    except MlflowException as error:
        if not is_missing(error):
            raise
        text = "its summary run is no longer in the store; fix: start a new search"
        raise SearchDeleted(text) from error
    if run.info.lifecycle_stage == DELETED:
        raise SearchDeleted(_deletion(client, run))
    return dict(run.data.tags)


def deleted_search(client: MlflowClient, search: str) -> str:
    """Returns how the only deleted search whose id begins so was deleted, with the fix, or ""."""
    from mlflow.entities import ViewType

    everywhere = [
        each.experiment_id for each in paged(client.search_experiments, view_type=ViewType.ALL)
    ]
    kind = f"tags.`{tag_names.KIND}` = "
    runs = all_runs(client, everywhere, f"{kind}'search'", DELETED)
    found = [run for run in runs if run.data.tags.get(tag_names.SEARCH, "").startswith(search)]
    if len(found) != 1:
        return ""
    (run,) = found
    name, place = run.data.tags[tag_names.SEARCH], [run.info.experiment_id]
    trials = [
        each
        for each in all_runs(client, place, f"{kind}'trial'", DELETED)
        if each.data.tags.get(tag_names.SEARCH) == name
    ]
    return f"{name} was deleted: {_deletion(client, run, len(trials))}"


def _deletion(client: MlflowClient, run: Run, trials: int = 0) -> str:
    experiment = client.get_experiment(run.info.experiment_id)
    if experiment.lifecycle_stage == DELETED:
        return (
            f"its experiment {experiment.name!r} was deleted in the store; fix: mlflow experiments "
            f"restore --experiment-id {experiment.experiment_id}"
        )
    others = f", and those of its {counted(trials, 'trial')} likewise" if trials else ""
    return (
        "its summary run was deleted in the store; fix: mlflow runs restore --run-id "
        f"{run.info.run_id}{others}"
    )

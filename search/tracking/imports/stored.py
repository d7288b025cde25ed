"""Imported runs that lie in a store: which experiments have some, and how to delete them.

The imported runs of an experiment are read as one search without a summary run, whose id this file
knows. Not for the runs that other tools log by themselves: those belong to them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from search.history import History, Search
from search.tracking import tag_names
from search.tracking.foreign.imported import TOOL
from search.tracking.runs import FOREIGN
from search.tracking.store import all_runs

if TYPE_CHECKING:
    from mlflow import MlflowClient


@dataclass(frozen=True)
class StoredImport:
    """The imported runs of one experiment.

    Attributes:
        experiment: The experiment's name.
        runs: Their ids, those of an import that was cut off included.
    """

    experiment: str
    runs: tuple[str, ...]


def import_id(experiment: str) -> str:
    """Return the id that the imported runs of an experiment have as a search of history."""
    return f"{FOREIGN}{experiment}/{TOOL}"


def is_import(text: str) -> bool:
    """Return whether a text has the form of such an id, which no search of ours has."""
    return text.startswith(FOREIGN) and text.endswith(f"/{TOOL}")


def imported_searches(history: History) -> list[Search]:
    """Return the imported searches of a history, oldest first."""
    found = [each for each in history.searches.values() if is_import(each.id)]
    return sorted(found, key=lambda search: search.started)


def find_import(client: MlflowClient, search: str) -> StoredImport:
    """Return the imported runs with this id.

    Raises:
        LookupError: The store has no such experiment, or it has no imported run.
    """
    name = search.removeprefix(FOREIGN).removesuffix(f"/{TOOL}")
    experiment = client.get_experiment_by_name(name)
    query = f"tags.`{tag_names.KIND}` = 'imported'"
    found = all_runs(client, [experiment.experiment_id], query) if experiment else []
    if not found:
        raise LookupError(
            f"this store has no imported runs {search!r}; fix: twentieth history lists those that "
            "there are, or name the store that has them (--tracking-uri)"
        )
    return StoredImport(name, tuple(run.info.run_id for run in found))


def delete_import(client: MlflowClient, stored: StoredImport) -> None:
    """Delete imported runs as MLflow does, so that they can be restored."""
    for run_id in stored.runs:
        client.delete_run(run_id)

"""Gather: the earlier searches that a spec wants to learn from, read from the store."""

from __future__ import annotations

from collections.abc import Sequence

from search.history import History
from search.spec import HistorySettings


def gather(
    tracking_uri: str,
    settings: HistorySettings,
    *,
    task: str = "",
    searches: Sequence[str] | None = None,
) -> History:
    """The history a search may use: nothing if the spec switched it off.

    Args:
        tracking_uri: the store.
        settings: which experiments, and what was renamed since.
        task: id of the new search's task, for the experiments that settings say are of it.
        searches: the only ones to read; all if None.

    Raises:
        ConnectionError: the store does not answer.
    """
    from search.tracking.reading import read_history  # it costs 13 MB, which samplers do without

    if not settings.enabled:
        return History.empty()
    history = read_history(
        tracking_uri,
        settings.experiments,
        searches=searches,
        same_task=settings.same_task,
        task=task,
    )
    return history.renamed(settings.rename, settings.rename_metrics)

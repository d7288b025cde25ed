"""The searches of a comparison, read from the store, and what differs between them.

The numbers are those of `transfer/totals.py`, which the page and the report show too. Their
reference point and what is best known depend on the task's other searches, so the whole store is
read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from optuna.distributions import CategoricalDistribution, IntDistribution

from search.history import History, Search, Trial
from search.history.other_code import is_of_other_code
from search.review.space_diff import condition_in_words, distribution_text
from search.spec.load import history_settings, is_of_a_function
from search.tracking.read.history import load_history
from search.tracking.store import open_client
from search.tracking.summary import Summary, find_summary
from search.transfer.best import best_trials
from search.transfer.costs import cost_of
from search.transfer.progress import find_search
from search.transfer.totals import Totals, totals


@dataclass(frozen=True)
class Column:
    """One search of a comparison.

    Attributes:
        history: The whole store, under the names of its own spec.
        summary: As its summary run describes it.
        search: As history has it, under the names of its own spec.
        totals: Its numbers.
        front: Its best trials, sorted by the first objective.
    """

    history: History
    summary: Summary
    search: Search
    totals: Totals
    front: Sequence[Trial]


def read_columns(tracking_uri: str, names: Sequence[str]) -> list[Column]:
    """Reads searches by their ids or names, in this order.

    Raises:
        LookupError: there is no such search.
        ValueError: there are fewer than two, one is named twice, or one cannot be read.
    """
    if len(names) < 2:
        raise ValueError("one search is not enough to compare; fix: name another one")
    client = open_client(tracking_uri)
    summaries = [find_summary(client, name) for name in names]
    ids = [summary.search for summary in summaries]
    twice = [each for each in dict.fromkeys(ids) if ids.count(each) > 1]
    if twice:
        raise ValueError(f"{twice[0]} is named twice; fix: name each search once")
    columns, known = [], dict[str, History]()
    for summary in summaries:
        history = _history_of(tracking_uri, summary, known)
        columns.append(
            Column(
                history, summary, find_search(history, summary.search),
                totals(history, summary.search, cost_of(summary.spec_yaml)),
                best_trials(history, summary.search),
            )
        )  # fmt: skip
    return columns


def _history_of(tracking_uri: str, summary: Summary, known: dict[str, History]) -> History:
    """Returns the whole store under the names of a search's spec; `known` keeps what was read.

    Hyperparameters of other code have the same names here: of other searches only values count.
    """
    settings = history_settings(summary.spec_yaml)
    task = summary.task if settings.same_task else ""
    key = repr((settings.same_task, task, settings.rename, settings.rename_metrics))
    if key not in known:
        history = load_history(
            tracking_uri, same_task=settings.same_task, task=task, is_new_task=True
        )
        known[key] = history.renamed(settings.rename, settings.rename_metrics)
    return known[key]


def differing(columns: Sequence[Column]) -> str:
    """Returns what keeps the values from being compared: "tasks", "objectives", or ""."""
    if len({column.search.task for column in columns}) > 1:
        return "tasks"
    # With other bounds or roles other trials count, and the hypervolume has other axes.
    return "objectives" if len({frozenset(each.search.objectives) for each in columns}) > 1 else ""


def metrics_of(columns: Sequence[Column]) -> list[str]:
    """Returns the metrics of all objectives, in order of appearance."""
    return list(dict.fromkeys(metric for each in columns for metric in each.search.metrics))


def space_texts(columns: Sequence[Column]) -> dict[str, list[str | None]]:
    """Returns hyperparameter -> its range in each search; None where it is not searched.

    One of the user's own code has that with its range where another search has other code: it is
    another hyperparameter then.
    """
    trained = [
        (str(each.search.fingerprint.get("model", "")), is_of_a_function(each.summary.spec_yaml))
        for each in columns
    ]
    spaces = [_space_text(column.search, trained) for column in columns]
    names = dict.fromkeys(name for space in spaces for name in space)
    return {name: [space.get(name) for space in spaces] for name in names}


def _space_text(search: Search, trained: Sequence[tuple[str, bool]]) -> dict[str, str]:

    found = {}
    for name, kind in search.space.distributions.items() if search.space else ():
        parts = [distribution_text(kind)]
        if isinstance(kind, IntDistribution):
            parts.append("whole")
        step = None if isinstance(kind, CategoricalDistribution) else getattr(kind, "step", None)
        if step not in (None, 1):
            parts.append(f"in steps of {step:g}")
        if search.space is not None and name in search.space.conditions:
            parts.append(condition_in_words(search.space, name))
        is_apart = any(is_of_other_code(name, search, *each) for each in trained)
        of = f" (of {search.fingerprint['model']})" if is_apart else ""
        found[name] = ", ".join(parts) + of
    return found

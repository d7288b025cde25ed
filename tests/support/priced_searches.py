"""Searches with known values and costs of their trials, for the tests of cost forecasts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from zlib import crc32

import pyarrow as pa

from search.history import History, Search
from search.history.table import TRIALS
from search.objectives.objective import from_lists
from search.transfer.cost_estimate import estimate_cost
from search.transfer.cost_forecast import CostForecast
from search.transfer.costs import Cost
from search.transfer.first_trial import FirstTrial
from search.transfer.past_costs import PastCosts, past_costs
from tests.support.synthetic_history import CLEAN, START, TASK, history, row, search

ONE = from_lists((CLEAN,), ("maximize",))


def priced(
    name: str,
    values: Sequence[float | None],
    seconds: float | Sequence[float],
    *,
    day: int = 0,
    repeats: Mapping[str, Any] | None = None,
    **changes: Any,
) -> History:
    """Returns a search of one objective; a value of None is a trial that was stopped.

    Args:
        name: Its id.
        values: The accuracies of its trials.
        seconds: Those of each trial, or of all.
        day: When it started; it is warm unless that is the first day.
        repeats: The configuration of all of its trials; by default each has one of its own.
        changes: Of the search ("warm", "task", "epochs", ...), or of its trials ("device", ...).
    """
    costs = seconds if isinstance(seconds, Sequence) else [seconds] * len(values)
    of_trials = {key: changes.pop(key) for key in ("device", "work", "curves") if key in changes}
    start = START + timedelta(days=day)
    found = search(name, **({"objectives": ONE, "started": start, "warm": day > 0} | changes))
    rows = []
    for number, (value, cost) in enumerate(zip(values, costs, strict=True)):
        state = {"state": "stopped"} if value is None else {}
        measured = [] if value is None else [value]
        rows.append(row(
            number, measured, search=name, task=found.task, seconds=cost,
            configuration=repeats or {"width": 16, "sgd.learning_rate": _rate(name, number)},
            started=start + timedelta(minutes=number), **state, **of_trials,
        ))  # fmt: skip
    return history(rows, [found])


def _rate(name: str, number: int) -> float:
    return crc32(f"{name}#{number}".encode()) / 2**32


def together(*parts: History) -> History:
    """Returns one history of several."""
    searches = {name: each for part in parts for name, each in part.searches.items()}
    tables = [TRIALS.empty_table(), *(part.trials for part in parts)]
    return History(pa.concat_tables(tables), searches)


def new_search(task: str = TASK, **changes: Any) -> Search:
    """Returns a warm search of 10 trials that starts after all others."""
    given = {"objectives": ONE, "task": task, "started": START + timedelta(days=99),
             "trials_budget": 10, "warm": True} | changes  # fmt: skip
    return search("", **given)


def costs_before(known: History, this: Search, **units: str) -> PastCosts:
    """Returns what is known of costs before a search; all tasks are as similar as can be."""
    return past_costs(known, this, dict.fromkeys(known.searches, 0.9), units, "core", True)


def forecast(
    known: History, this: Search | None = None, first: FirstTrial | None = None
) -> CostForecast:
    """Returns the forecast of a search whose trials have a core each."""
    asked = this or new_search()
    return estimate_cost(asked, costs_before(known, asked), first, Cost(1, "core"))


def with_failed(known: History, *numbers: int) -> History:
    """Returns the history with the trials of these numbers failed."""
    rows = [
        each | ({"state": "failed", "values": []} if each["number"] in numbers else {})
        for each in known.trials.to_pylist()
    ]
    return replace(known, trials=known.trials.from_pylist(rows, schema=known.trials.schema))


def unfinished(known: History, name: str) -> History:
    """Returns the history with one of its searches still running."""
    changed = replace(known.searches[name], state="running")
    return replace(known, searches={**known.searches, name: changed})

"""Small histories with other spaces, for the tests of review."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from search.history import History, Search
from search.history.table import TRIALS
from search.objectives.objective import from_lists, from_row
from search.review import Decision, Reconciled, reconcile
from search.space import SearchSpace

START = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
ACCURACY = "accuracy.clean"
TARGET = SearchSpace(
    {
        "optimizer": CategoricalDistribution(("sgd", "adamw")),
        "width": IntDistribution(16, 64),
        "learning_rate": FloatDistribution(1e-4, 1e-1, log=True),
        "sgd.momentum": FloatDistribution(0.0, 0.9),
        "adamw.beta": FloatDistribution(0.8, 0.999),
    },
    {"sgd.momentum": {"optimizer": ("sgd",)}, "adamw.beta": {"optimizer": ("adamw",)}},
)
SGD = {"optimizer": "sgd", "width": 32, "learning_rate": 0.01, "sgd.momentum": 0.5}


def earlier(
    configurations: Sequence[Any],
    space: SearchSpace | None = TARGET,
    search: str = "s1",
    **changes: Any,
) -> History:
    """Returns a search of complete trials with accuracies .50, .51, ..., but for `changes`."""
    rows = []
    for number, configuration in enumerate(configurations):
        filled: dict[str, Any] = {
            "task": "digits", "search": search, "number": number, "run_id": f"{search}-{number}",
            "state": "complete", "configuration": json.dumps(configuration),
            "objectives": [ACCURACY], "directions": ["maximize"], "values": [0.5 + 0.01 * number],
            "epoch": 5, "curves": [], "origin": "{}", "started": START, "seconds": 7.0,
        }  # fmt: skip
        rows.append(filled | changes)
    first = rows[0] if rows else {"objectives": [ACCURACY], "directions": ["maximize"]}
    described = Search(
        search, "digits", {"name": "digits"}, space, from_row(first), START,
    )  # fmt: skip
    return History(pa.Table.from_pylist(rows, schema=TRIALS), {search: described})


def together(*histories: History) -> History:
    searches: dict[str, Search] = {}
    for each in histories:
        searches |= each.searches
    return History(pa.concat_tables([each.trials for each in histories]), searches)


def reconciled(
    known: History, space: SearchSpace = TARGET, objectives: Sequence[str] = (ACCURACY,),
    **changes: Any,
) -> Reconciled:  # fmt: skip
    directions = changes.pop("directions", ["maximize"] * len(objectives))
    known = known.renamed(changes.pop("rename", {}), changes.pop("rename_metrics", {}))
    return reconcile(known, space, from_lists(objectives, directions), **changes)


def changed(space: SearchSpace = TARGET, /, **distributions: Any) -> SearchSpace:
    """Returns the space with other distributions; None removes a hyperparameter."""
    names: Mapping[str, Any] = {**space.distributions, **distributions}
    kept = {name: each for name, each in names.items() if each is not None}
    when = {child: parents for child, parents in space.conditions.items() if child in kept}
    return SearchSpace(kept, when)


def decisions_of(known: Any, space: SearchSpace = TARGET, **changes: Any) -> dict[str, Decision]:
    return {each.kind: each for each in reconciled(known, space, **changes).decisions}


def points(**curves: list[float]) -> list[dict[str, Any]]:
    """Returns curves, metric -> a value an epoch, as a history has them."""
    return [
        {"metric": metric, "epoch": epoch, "value": value}
        for metric, curve in curves.items()
        for epoch, value in enumerate(curve, start=1)
    ]

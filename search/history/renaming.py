"""Renames hyperparameters and metrics in a whole history.

Two names never become one: where the new name is taken already, the old one stays.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace

import pyarrow as pa

from search.history.curves import columns_of
from search.history.curves import renamed as renamed_curves
from search.history.search import Search
from search.history.table import TRIALS, configuration_of, with_column
from search.space import SearchSpace


@dataclass(frozen=True)
class Renames:
    """The names that were changed.

    Attributes:
        hyperparameters: (search, old name, new name) -> number of trials.
        metrics: The new names. Such a metric may have had the other direction, as error has for
            accuracy.
    """

    hyperparameters: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    metrics: frozenset[str] = frozenset()

    def __or__(self, other: Renames) -> Renames:
        """Return both; the other ones were done after these."""
        counts = {**self.hyperparameters, **other.hyperparameters}
        return Renames(counts, self.metrics | other.metrics)

    def to_json(self) -> str:
        """Return the renames as JSON text."""
        counts = [[*names, number] for names, number in self.hyperparameters.items()]
        return json.dumps({"hyperparameters": counts, "metrics": sorted(self.metrics)})

    @classmethod
    def from_json(cls, text: str | bytes) -> Renames:
        """Read renames that `to_json` wrote."""
        record = json.loads(text)
        counts = {(search, old, new): n for search, old, new, n in record["hyperparameters"]}
        return cls(counts, frozenset(record["metrics"]))


def renamed_trials(
    trials: pa.Table, hyperparameters: Mapping[str, str], metrics: Mapping[str, str]
) -> tuple[pa.Table, Renames]:
    """Return a TRIALS table under new names, and what was renamed in it."""
    counts: Counter[tuple[str, str, str]] = Counter()

    def names_of(search: str, configuration: Collection[str]) -> dict[str, str]:
        names = _applicable(hyperparameters, configuration)
        counts.update((search, old, new) for old, new in names.items())
        return names

    if hyperparameters:
        trials = renamed_configurations(trials, names_of)
    if metrics:
        logged = [each or [] for each in trials.column("objectives").to_pylist()]
        curves = trials.column("curves").combine_chunks()
        run, metric, _, _, known = columns_of(curves)
        taken = [set(each) for each in logged]  # names of objectives and curves by trial
        for place, code in {*zip(run.tolist(), metric.tolist(), strict=True)}:
            taken[place].add(known[code])
        new = [_applicable(metrics, each) for each in taken]
        objectives = [
            [names.get(name, name) for name in each]
            for each, names in zip(logged, new, strict=True)
        ]
        column = pa.array(objectives, TRIALS.field("objectives").type)
        trials = with_column(trials, "objectives", column)
        named = renamed_curves(curves, lambda place, name: new[place].get(name, name))
        trials = with_column(trials, "curves", named)
    return trials, Renames(counts, frozenset(metrics.values()))


def renamed_configurations(
    trials: pa.Table, names_of: Callable[[str, Collection[str]], Mapping[str, str]]
) -> pa.Table:
    """Return a TRIALS table with other names of hyperparameters.

    Args:
        trials: The table.
        names_of: Search and names of a trial's hyperparameters -> their old and new names.
    """
    texts = []
    rows = (trials.column(name).to_pylist() for name in ("search", "configuration"))
    for search, text in zip(*rows, strict=True):
        configuration = configuration_of(text)
        names = names_of(search, configuration)
        renamed = {names.get(name, name): value for name, value in configuration.items()}
        texts.append(json.dumps(renamed) if names else text)
    return with_column(trials, "configuration", pa.array(texts, pa.string()))


def renamed_search(
    search: Search, hyperparameters: Mapping[str, str], metrics: Mapping[str, str]
) -> Search:
    """Return a search under new names."""
    new = _applicable(metrics, search.metrics)
    space = search.space
    names = _applicable(hyperparameters, space.distributions if space else ())
    if space is not None and names:
        space = SearchSpace(
            {names.get(name, name): each for name, each in space.distributions.items()},
            {
                names.get(child, child): {names.get(name, name): v for name, v in when.items()}
                for child, when in space.conditions.items()
            },
        )
    objectives = tuple(
        replace(each, metric=new.get(each.metric, each.metric)) for each in search.objectives
    )
    inferred = frozenset(names.get(name, name) for name in search.inferred)
    return replace(search, space=space, objectives=objectives, inferred=inferred)


def _applicable(rename: Mapping[str, str], taken: Collection[str]) -> dict[str, str]:
    """Return the renames that apply; two names never become one."""
    names: dict[str, str] = {}
    for old, new in rename.items():
        if old in taken and new not in taken and new not in names.values():
            names[old] = new
    return names

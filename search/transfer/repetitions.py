"""The configurations that a search trained more than once: mean and spread of each objective.

`twentieth repeat` makes such a search; a configuration that is given twice among the first ones is
repeated too. Not for the noise of a task, which pools all repetitions (`extract/noise.py`).
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from search.extract.noise import configuration_key
from search.history import History, Trial
from search.objectives.objective import value_text

# So many trials of other searches with the same configuration are named.
BEFORE_SHOWN = 3


@dataclass(frozen=True)
class Spread:
    """The values of one objective in the complete trials of one configuration, at least two."""

    metric: str
    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """The mean of the values."""
        return statistics.mean(self.values)

    @property
    def deviation(self) -> float:
        """The standard deviation of the values, as of a sample."""
        return statistics.stdev(self.values)


def repetitions(history: History, search: str) -> list[list[Trial]]:
    """The complete trials of each configuration of which a search has at least two, by number."""
    groups: dict[str, list[Trial]] = {}
    for trial in sorted(history.prior_trials(search=search), key=lambda each: each.number):
        groups.setdefault(configuration_key(trial.configuration), []).append(trial)
    return [group for group in groups.values() if len(group) > 1]


def spreads(trials: Sequence[Trial]) -> list[Spread]:
    """The spread of each objective over complete trials of one search."""
    columns = zip(*(trial.values for trial in trials), strict=True)
    return [Spread(*each) for each in zip(trials[0].metrics, columns, strict=True)]


def repetition_lines(history: History, search: str) -> Iterator[str]:
    """Yields lines on each configuration that a search repeated, and what it reached before."""
    for group in repetitions(history, search):
        numbers = ", ".join(f"{trial.number:03d}" for trial in group)
        yield f"trials {numbers} have one configuration, with {len(group)} seeds:"
        found = spreads(group)
        width = max(len(each.metric) for each in found)
        for each in found:
            mean, deviation = value_text(each.mean), value_text(each.deviation) or "0"
            low, high = value_text(min(each.values)), value_text(max(each.values))
            text = f"mean {mean}, standard deviation {deviation}, {low} to {high}"
            yield f"  {each.metric:<{width}}  {text}"
        key = configuration_key(group[0].configuration)
        others = [
            trial
            for trial in history.prior_trials(task=group[0].task)
            if trial.search != search and configuration_key(trial.configuration) == key
        ]
        for trial in others[:BEFORE_SHOWN]:
            own = ", ".join(
                f"{name} {value_text(value)}" for name, value in trial.by_metric.items()
            )
            yield f"  before, as {trial.search}#{trial.number}: {own}"

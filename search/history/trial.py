"""Trial: a trial wherever it is looked at after it was asked, whoever asked it.

This search's own, the same task's, another task's, or one that another tool logged. Its values are
those of its own search's objectives until `search/review` restates it for another search.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from models.scores.metric_names import MetricName
from search.history.states import State
from search.objectives.objective import Objective
from search.objectives.roles import violation_of
from search.space import Value


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """A trial that was asked.

    Attributes:
        state: How it ended, if it did.
        configuration: Its active hyperparameters, as far as they are known.
        values: Of the objectives, in their order; empty unless it is complete.
        objectives: What the values are of.
        curves: Metric -> epoch -> value, of every metric that was logged.
        epoch: The last one; 0 if it has no epochs.
        seconds: How long it took; 0 if nobody knows.
        constraints: Name -> value, 0 or less is kept; what a sampler is told of objectives that
            are bounds. History has none.
        origin: Where its configuration came from, JSON-able; see `search.apply.source.Proposal`.
        task: The id of its task.
        search: The id of its search.
        number: Its number in the search.
        run_id: Its MLflow run.
        started: When.
        unknown: Hyperparameters of the space it was restated in that it used, or may have used,
            with a value that cannot be told: history lacks it, or the space has no such category.
        is_exact: Whether it is a configuration of that space as it stands.
        is_by_rank: Whether its values may be compared with those of its own search only: a
            direction was turned around, or another metric stands for the objective.
    """

    state: State
    configuration: Mapping[str, Value]
    values: tuple[float, ...] = ()
    objectives: tuple[Objective, ...] = ()
    curves: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    epoch: int = 0
    seconds: float = 0.0
    constraints: Mapping[str, float] = field(default_factory=dict)
    origin: Mapping[str, Any] = field(default_factory=dict)
    task: str = ""
    search: str = ""
    number: int = 0
    run_id: str = ""
    started: datetime | None = None
    unknown: frozenset[str] = frozenset()
    is_exact: bool = True
    is_by_rank: bool = False

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics of its objectives, in their order."""
        return tuple(each.metric for each in self.objectives)

    @property
    def by_metric(self) -> dict[str, float]:
        """Its values by the metric that each is of; empty unless it is complete."""
        return dict(zip(self.metrics, self.values, strict=True)) if self.values else {}

    @property
    def violation(self) -> float:
        """Sum of its positive constraint values; 0 if it keeps every constraint."""
        return violation_of(self.constraints)

    def direction_of(self, metric: str, otherwise: str) -> str:
        """Which way its search wanted what stands for a metric; `otherwise` if nothing does."""
        own = self.counterpart(metric)
        return next((each.direction for each in self.objectives if each.metric == own), otherwise)

    def counterpart(self, metric: str) -> str | None:
        """Which of this trial's objectives stands for `metric`: itself, or the one of its role.

        Robust accuracies under two threats have one role: their values cannot be compared, but how
        they rank a task's trials can. None if there is no such objective, or several.
        """
        if metric in self.metrics:
            return metric
        role = MetricName.parse(metric).role
        alike = [own for own in self.metrics if MetricName.parse(own).role == role]
        return alike[0] if len(alike) == 1 else None

    def value_of(self, metric: str) -> float:
        """Its value of a metric: its objective's, else its last epoch's; NaN without either."""
        own = self.counterpart(metric)
        if own is not None and len(self.values) == len(self.objectives):
            return _number(self.values[self.metrics.index(own)])
        return self.last(metric)

    def last(self, metric: str) -> float:
        """The value of a metric at the last epoch that has one; NaN without one."""
        curve = self.curves.get(metric, {})
        return _number(curve[max(curve)] if curve else None)


def _number(value: float | None) -> float:
    """A value; NaN for the nothing that a store may hold in its place."""
    return math.nan if value is None else float(value)

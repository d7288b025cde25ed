"""Trial: one evaluated configuration, from any source.

A trial of this search, of an earlier search of the same or another task, or of another tool. Its
values are those of its own search's objectives until `search/review` restates it for a new search.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from models.scores.metric_names import MetricName
from search.history.causes import Cause, cause_of
from search.history.states import State
from search.objectives.objective import Objective
from search.objectives.roles import violation_of
from search.space import Value

_NAME = re.compile(r"(?P<search>[^#]+)#(?P<number>\d{1,9})")


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class Trial:
    """One evaluated configuration.

    Attributes:
        state: How the trial ended, or "running".
        configuration: The active hyperparameters whose values are known.
        values: The values of `objectives`, in their order; empty unless the trial is complete.
        objectives: The objectives that were measured.
        curves: Metric -> epoch -> value, for every logged metric.
        epoch: The last epoch; 0 without epochs.
        seconds: The time trained, in all launches of its search; of other tools' runs that from
            start to end. 0 if unknown.
        work: The FLOP of its epochs, in all launches of its search; 0 if unknown.
        device: The name of the device that it was trained on, last; "" if unknown.
        reason: Why it failed or was stopped, in a line; "" if unknown, or if it did not.
        constraints: Name -> value, 0 or less is kept: what a sampler is told of constraint
            objectives. Empty in history.
        origin: How the configuration was proposed, JSON-able; see
            `search.apply.proposal_source.Proposal`.
        task: The id of the task.
        search: The id of the search.
        number: The number in the search.
        run_id: The MLflow run.
        started: The time of the start.
        ended: The time of the end; None if unknown.
        unknown: Active or possibly active hyperparameters of the space in which the trial was
            restated whose values are unknown: history lacks them, or the space lacks the category.
        is_exact: Whether the configuration is one of that space without any change.
        is_by_rank: Whether values are comparable within the trial's own search only: a direction
            was inverted, or another metric replaces the objective.
    """

    state: State
    configuration: Mapping[str, Value]
    values: tuple[float, ...] = ()
    objectives: tuple[Objective, ...] = ()
    curves: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    epoch: int = 0
    seconds: float = 0.0
    work: float = 0.0
    device: str = ""
    reason: str = ""
    constraints: Mapping[str, float] = field(default_factory=dict)
    origin: Mapping[str, Any] = field(default_factory=dict)
    task: str = ""
    search: str = ""
    number: int = 0
    run_id: str = ""
    started: datetime | None = None
    ended: datetime | None = None
    unknown: frozenset[str] = frozenset()
    is_exact: bool = True
    is_by_rank: bool = False

    def __repr__(self) -> str:
        pairs = zip(self.metrics, self.values, strict=False)
        values = "".join(f", {name}={_number(value):.6g}" for name, value in pairs)
        return (
            f"Trial({self.search}#{self.number}, {self.state}, {dict(self.configuration)}{values})"
        )

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics of the objectives, in their order."""
        return tuple(each.metric for each in self.objectives)

    @property
    def by_metric(self) -> dict[str, float]:
        """The values by metric; empty unless the trial is complete."""
        return dict(zip(self.metrics, self.values, strict=True)) if self.values else {}

    @property
    def cause(self) -> Cause | Literal[""]:
        """Why its configuration failed; "" if it did not, or if its end says nothing about it."""
        return cause_of(self.state, self.reason)

    @property
    def violation(self) -> float:
        """The sum of the positive constraint values; 0 if every constraint is kept."""
        return violation_of(self.constraints)

    def direction_of(self, metric: str, otherwise: str) -> str:
        """Return the direction of the counterpart of a metric; `otherwise` without one."""
        own = self.counterpart(metric)
        return next((each.direction for each in self.objectives if each.metric == own), otherwise)

    def counterpart(self, metric: str) -> str | None:
        """Return the objective that is `metric`, or the only one with the same role.

        Robust accuracies under two threats have the same role: their values are not comparable, but
        the ranks they give a task's trials are. None if no objective or several have the role.
        """
        if metric in self.metrics:
            return metric
        role = MetricName.parse(metric).role
        alike = [own for own in self.metrics if MetricName.parse(own).role == role]
        return alike[0] if len(alike) == 1 else None

    def value_of(self, metric: str) -> float:
        """Return the value of a metric: the objective's, else the last epoch's, else NaN."""
        own = self.counterpart(metric)
        if own is not None and len(self.values) == len(self.objectives):
            return _number(self.values[self.metrics.index(own)])
        return self.last(metric)

    @property
    def last_values(self) -> dict[str, float]:
        """Metric -> its value at its last epoch."""
        return {name: self.last(name) for name, curve in self.curves.items() if curve}

    def last(self, metric: str) -> float:
        """Return the value of a metric at its last epoch; NaN without one."""
        curve = self.curves.get(metric, {})
        return _number(curve[max(curve)] if curve else None)


def _number(value: float | None) -> float:
    """Return a value as a float; NaN for None, which a store may hold."""
    return math.nan if value is None else float(value)


def search_and_number(name: str) -> tuple[str, int | None]:
    """Returns the search and the number of a trial that is called SEARCH#TRIAL.

    A name without "#" is that of a search, or of a run: it is returned, with None.

    Raises:
        ValueError: there is a "#", and not a search before and a number after it.
    """
    if "#" not in name:
        return name, None
    match = _NAME.fullmatch(name)
    if match is None:
        raise ValueError(f"{name!r} is no trial; fix: write SEARCH#TRIAL, such as digits-1123#7")
    return match["search"], int(match["number"])

"""First forecast: what is expected of a configuration that no model of this task has proposed.

That is a first one: of the portfolio, the best of an earlier task, given by the user. Past tasks
predict it each for itself, and this task is taken for one more of their kind. Where their values
lie close enough together, the value is said in this task's unit; elsewhere the rank alone: among
which share of a past search's trials the configuration would have been. On recorded HPOBench (8
tasks by 8 seeds, three first proposals each, 7 past tasks; no command) 164 of 187 values and 178 of
192 costs lay in their 95 % interval, and the mean rank was .339 where .354 came true. Not for
proposals of a model (`expected_gain.py`).

Source: Student 1908, "The probable error of a mean" (the interval of one more draw).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.special import ndtr
from scipy.stats import t

from models.scores.metric_names import MetricName
from search.apply.expected_gain import expected_losses, rounded, values_of, within_range
from search.apply.gaussian_process import Floats
from search.apply.price import predicted_cost
from search.apply.prior_data import PriorData
from search.apply.proposal_source import Proposal, names_of
from search.apply.task_models import TaskModel, task_models
from search.apply.transfer_model import FEWEST_WARM
from search.extract.costs import CostModel, cost_model, costs_of
from search.history import Trial
from search.history.forecast import LARGEST_FACTOR
from search.history.revalidation import CONFIRM
from search.objectives import Objective
from search.space import SearchSpace
from search.space.encoding import encode

# Step -> what is forecast. The record of the best known trial says its values.
FORECAST_BY = {"first": "values", "portfolio": "values", "earlier-best": "values",
               CONFIRM: "cost", "opening": "cost"}  # fmt: skip


class FirstForecasts:
    """Forecasts of configurations of one space, on what is known before a search."""

    def __init__(
        self, space: SearchSpace, objectives: Sequence[Objective], prior: PriorData
    ) -> None:
        """Makes it.

        Args:
            space: The target space.
            objectives: The searched objectives.
            prior: History for both.
        """
        self._space, self._objectives, self._prior = space, tuple(objectives), prior
        self._own: tuple[TaskModel, ...] | None = None

    def added_to(self, proposal: Proposal, trials: Sequence[Trial] = ()) -> Proposal:
        """Returns a proposal with the forecast in its origin, unless no forecast is possible.

        Only steps that ask no model need one: those of `FORECAST_BY`.

        Args:
            proposal: One in the space.
            trials: This search's own, which tell the level of its costs.

        Returns:
            The origin has `forecast`: "value", metric -> expected value with its 95 % interval;
            "rank", metric -> expected share of a past search's trials that are better, the least
            and the greatest of the past tasks; "tasks", how many tasks predict; "cost", "unit" and
            "factor" as of `predicted_cost`.
        """
        step = proposal.origin["step"]
        if step not in FORECAST_BY:
            return proposal
        point = encode(self._space, [proposal.configuration])
        made = self._values(point) if FORECAST_BY[step] == "values" else {}
        costs = self._cost_model(trials)
        made |= {} if costs is None else predicted_cost(costs, point[0])
        if not made:
            return proposal
        return replace(proposal, origin={**proposal.origin, "forecast": made})

    def _cost_model(self, trials: Sequence[Trial]) -> CostModel | None:
        others = self._prior.costs or costs_of([], self._space)
        return cost_model(others, costs_of([*self._prior.same_task, *trials], self._space))

    def _values(self, point: Floats) -> dict[str, Any]:
        if self._own is None:
            complete = [each for each in self._prior.same_task if each.state == "complete"]
            enough = complete if len(complete) >= FEWEST_WARM else []
            self._own = task_models(enough, self._space, self._objectives, {}).models
        if self._own:
            return {"value": _of_this_task(self._own[0], point, self._objectives)}
        return _of_past_tasks(self._prior.tasks, point, self._objectives)


def _of_this_task(
    task: TaskModel, point: Floats, objectives: Sequence[Objective]
) -> dict[str, list[float]]:
    """Returns metric -> expected value with its interval, by a model of this same task."""
    return {
        name: values_of(
            within_range(_losses(task, point, column), task.losses[:, column], objective), objective
        )
        for column, (name, objective) in enumerate(
            zip(names_of(objectives), objectives, strict=True)
        )
    }


def _losses(task: TaskModel, point: Floats, column: int) -> Floats:
    """Returns a task's expected loss at a point, and the ends of its 95 % interval: best, worst."""
    mean, variance = task.processes[column].predict(point[:, task.columns])
    losses, scores = task.losses[:, column], task.scores[:, column]
    return expected_losses(mean[0], np.sqrt(variance[0]), losses, scores)


def _of_past_tasks(
    tasks: Sequence[TaskModel], point: Floats, objectives: Sequence[Objective]
) -> dict[str, Any]:
    values, ranks, most = {}, {}, 0
    for column, (name, objective) in enumerate(zip(names_of(objectives), objectives, strict=True)):
        known = [task for task in tasks if task.is_predictable[column]]
        if not known:
            continue
        shares = ndtr([task.predict(point)[0, column] for task in known])
        ranks[name] = [rounded(each) for each in (shares.mean(), shares.min(), shares.max())]
        most = max(most, len(known))
        if (value := _in_unit(known, point, column, objective)) is not None:
            values[name] = value
    return {"value": values, "rank": ranks, "tasks": most} if ranks else {}


def _in_unit(
    tasks: Sequence[TaskModel], point: Floats, column: int, objective: Objective
) -> list[float] | None:
    """Returns the value of one more task, and its 95 % interval; None if it cannot be said.

    It cannot where values count by rank only, where the metric has no name, with fewer than two
    tasks, and where the interval is wider than the range of all past values, or an end of it is
    further off than a factor that says nothing to a person: then tasks are of different scales.
    """
    comparable = [task for task in tasks if not task.trials[0].is_by_rank]
    if len(comparable) < 2 or not objective.metric:
        return None
    past = np.concatenate([task.losses[:, column] for task in comparable])
    expected = np.array([_losses(task, point, column) for task in comparable])
    # Tasks differ by factors in what is always positive and no share: losses, seconds.
    is_log = not MetricName.parse(objective.metric).is_share and min(past.min(), expected.min()) > 0
    if is_log:
        past, expected = np.log(past), np.log(expected)
    count = len(comparable)
    of_tasks = t.ppf(0.975, count - 1) * expected[:, 0].std(ddof=1) * np.sqrt(1 + 1 / count)
    # What the models themselves do not know: tasks that agree may be wrong in the same way.
    half = np.hypot(of_tasks, (expected[:, 2] - expected[:, 1]).mean() / 2)
    if 2 * half >= np.ptp(past) or (is_log and half > np.log(LARGEST_FACTOR)):
        return None
    found = expected[:, 0].mean() + np.array([0.0, -half, half])
    found = np.exp(found) if is_log else within_range(found, past, objective)
    return values_of(found, objective)
